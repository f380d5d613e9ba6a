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
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;

import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Restarts the sample by the developer tools: a new context in the same JVM, on the same
 * port.
 */
class DevToolsIntegrationTests {

	@TempDir
	private Path folder;

	@Test
	void aRestartServesOnTheSamePortFromSlotZeroOn() throws Exception {
		Path log = this.folder.resolve("log");
		Path watched = Files.createDirectory(this.folder.resolve("watched"));
		int port = freePort();
		Process process = new ProcessBuilder(List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString(),
				"-cp", System.getProperty("java.class.path"), SampleApplication.class.getName(),
				"--callosum.server.port=" + port, "--server.port=0", "--spring.devtools.livereload.enabled=false",
				"--spring.devtools.restart.additional-paths=" + watched,
				"--spring.devtools.restart.poll-interval=200ms", "--spring.devtools.restart.quiet-period=100ms"))
			.redirectErrorStream(true)
			.redirectOutput(log.toFile())
			.start();
		try {
			awaitStarts(process, log, 1);
			try (Socket socket = connect(port)) {
				assertThat(readLine(socket)).isEqualTo("0");
				// In one step, which is one change
				Files.move(Files.writeString(this.folder.resolve("Changed.class"), "now"),
						watched.resolve("Changed.class"), StandardCopyOption.ATOMIC_MOVE);
				assertThat(readLine(socket)).as("the end of the connection").isNull();
			}
			awaitStarts(process, log, 2);
			try (Socket socket = connect(port)) {
				assertThat(readLine(socket)).isEqualTo("0");
			}
		}
		finally {
			process.destroyForcibly().waitFor();
		}
	}

	private static void awaitStarts(Process process, Path log, int count) {
		Awaitility.await("start " + count).atMost(Duration.ofMinutes(2)).untilAsserted(() -> {
			String text = Files.readString(log);
			assertThat(process.isAlive()).as(text).isTrue();
			assertThat(text.split("Started SampleApplication", -1)).as(text).hasSize(count + 1);
		});
	}

	private static Socket connect(int port) throws Exception {
		Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
		socket.setSoTimeout(60_000);
		return socket;
	}

	private static String readLine(Socket socket) throws Exception {
		return new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII)).readLine();
	}

	private static int freePort() throws Exception {
		try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
			return socket.getLocalPort();
		}
	}

}
