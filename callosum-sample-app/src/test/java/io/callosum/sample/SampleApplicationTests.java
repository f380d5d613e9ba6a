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

package io.callosum.sample;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

import org.junit.jupiter.api.Test;

import org.springframework.boot.test.context.SpringBootTest;

import io.callosum.server.autoconfigure.LocalCallosumServerPort;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests the sample over a real socket, on a port that the system chooses.
 */
@SpringBootTest(properties = "callosum.server.port=0")
class SampleApplicationTests {

	@LocalCallosumServerPort
	private int port;

	@Test
	void aClientGetsItsSlotAndThenItsAnswers() throws IOException {
		try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), this.port)) {
			socket.setSoTimeout(30_000);
			BufferedReader in = new BufferedReader(
					new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
			OutputStream out = socket.getOutputStream();
			String slot = in.readLine();
			assertThat(slot).matches("[0-9]+");
			// A line may come in pieces, and several lines at once
			out.write("sl".getBytes(StandardCharsets.UTF_8));
			out.flush();
			out.write("ot\npeer\r\nhello\n".getBytes(StandardCharsets.UTF_8));
			out.flush();
			assertThat(in.readLine()).isEqualTo("slot " + slot);
			assertThat(in.readLine()).isEqualTo("peer /127.0.0.1:" + socket.getLocalPort());
			assertThat(in.readLine()).isEqualTo("echo hello");
			out.write("Quit\n".getBytes(StandardCharsets.UTF_8));
			assertThat(in.readLine()).isEqualTo("bye");
			assertThat(in.readLine()).as("what comes after bye").isNull();
		}
	}

}
