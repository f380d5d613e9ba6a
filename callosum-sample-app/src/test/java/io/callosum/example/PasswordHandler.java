/*
 * Copyright 2026 the Callosum authors
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *      https://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */

package io.callosum.example;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

import reactor.core.Disposable;
import reactor.core.publisher.Mono;

import io.callosum.server.BlockingConnectionHandler;
import io.callosum.server.CallosumConnection;

/**
 * The blocking handler that the reference links to: expects a password on the first line,
 * within a deadline, and answers the other lines.
 */
class PasswordHandler implements BlockingConnectionHandler {

	private final String password;

	private final Duration deadline;

	PasswordHandler(String password, Duration deadline) {
		this.password = password;
		this.deadline = deadline;
	}

	@Override
	public void handle(CallosumConnection connection) throws IOException {
		InputStream in = new BufferedInputStream(connection.inputStream());
		OutputStream out = connection.outputStream();
		String line = readFirstLine(connection, in);
		if (line != null && !line.equals(this.password)) {
			write(out, "denied");
			return;
		}
		for (String answer = "welcome"; line != null; answer = "echo " + line) {
			write(out, answer);
			line = readLine(in);
		}
	}

	private String readFirstLine(CallosumConnection connection, InputStream in) throws IOException {
		Disposable timer = Mono.delay(this.deadline).subscribe((tick) -> connection.close());
		try {
			return readLine(in);
		}
		finally {
			timer.dispose();
		}
	}

	private static void write(OutputStream out, String line) throws IOException {
		out.write((line + "\r\n").getBytes(StandardCharsets.UTF_8));
	}

	/**
	 * Return the next line, or {@code null} if the input ends before it does or it is too
	 * long.
	 */
	private static String readLine(InputStream in) throws IOException {
		ByteArrayOutputStream line = new ByteArrayOutputStream();
		int read;
		while ((read = in.read()) != '\n') {
			if (read == -1 || line.size() == 1024) {
				return null;
			}
			line.write(read);
		}
		return line.toString(StandardCharsets.UTF_8).trim();
	}

}
