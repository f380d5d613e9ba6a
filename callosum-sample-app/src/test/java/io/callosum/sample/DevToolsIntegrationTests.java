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
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;

import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/**
 * Restarts the sample with the developer tools: a new context in the same JVM, on the
 * same port.
 */
class DevToolsIntegrationTests {

	@TempDir
	private Path folder;

	@Test
	void aRestartServesOnTheSamePortFromSlotZeroOn() throws Exception {
		int port = freePort();
		try (Sample sample = new Sample("--callosum.server.port=" + port)) {
			sample.awaitStarts(1);
			try (Socket socket = connect(port)) {
				assertThat(readLine(socket)).isEqualTo("0");
				sample.restart();
				assertThat(readLine(socket)).as("the end of the connection").isNull();
			}
			sample.awaitStarts(2);
			try (Socket socket = connect(port)) {
				assertThat(readLine(socket)).isEqualTo("0");
			}
		}
	}

	@Test
	void aRestartClosesTheConnectionsOfAClientAndOpensNewOnes() throws Exception {
		try (ServerSocket server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
				Sample sample = new Sample("--callosum.client.servers=127.0.0.1:" + server.getLocalPort(),
						"--callosum.client.pool-size=2", "--callosum.client.slot-timeout=1m",
						// The first dial may come at any moment of the interval
						"--callosum.client.roving-interval=1000d", "--callosum.server.port=0")) {
			server.setSoTimeout(120_000);
			List<Socket> first = giveSlots(server);
			sample.awaitStarts(1);
			sample.restart();
			for (Socket connection : first) {
				try (connection) {
					assertThat(readLine(connection)).as("the end of the connection").isNull();
				}
			}
			for (Socket connection : giveSlots(server)) {
				try (connection) {
					assertThatExceptionOfType(SocketTimeoutException.class).isThrownBy(() -> {
						connection.setSoTimeout(100);
						readLine(connection);
					});
				}
			}
		}
	}

	/**
	 * Accept the two connections of a client.
	 */
	private static List<Socket> giveSlots(ServerSocket server) throws Exception {
		List<Socket> connections = new ArrayList<>();
		for (int slot = 0; slot < 2; slot++) {
			Socket connection = server.accept();
			connection.setSoTimeout(60_000);
			connection.getOutputStream().write((slot + "\r\n").getBytes(StandardCharsets.US_ASCII));
			connections.add(connection);
		}
		return connections;
	}

	private static Socket connect(int port) throws Exception {
		Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
		socket.setSoTimeout(60_000);
		return socket;
	}

	private static String readLine(Socket socket) throws Exception {
		return new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII)).readLine();
	}

	/**
	 * Return a free port that the system does not assign to a client while the server is
	 * restarted. The ports of the starter's tests are above this range.
	 */
	private static int freePort() {
		while (true) {
			int port = ThreadLocalRandom.current().nextInt(20_000, 21_000);
			try (ServerSocket socket = new ServerSocket(port, 1, InetAddress.getLoopbackAddress())) {
				return socket.getLocalPort();
			}
			catch (IOException ex) {
				// In use, so try another one
			}
		}
	}

	/**
	 * The sample with the developer tools, in a process of its own.
	 */
	private final class Sample implements AutoCloseable {

		private final Path log = DevToolsIntegrationTests.this.folder.resolve("log");

		private final Path watched;

		private final Process process;

		Sample(String... arguments) throws IOException {
			this.watched = Files.createDirectory(DevToolsIntegrationTests.this.folder.resolve("watched"));
			List<String> command = new ArrayList<>(List.of(
					Path.of(System.getProperty("java.home"), "bin", "java").toString(),
					// The process does not live long enough for C2 to pay off
					"-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path"),
					SampleApplication.class.getName(), "--server.port=0", "--spring.devtools.livereload.enabled=false",
					"--spring.devtools.restart.additional-paths=" + this.watched,
					"--spring.devtools.restart.poll-interval=200ms", "--spring.devtools.restart.quiet-period=100ms"));
			command.addAll(List.of(arguments));
			this.process = new ProcessBuilder(command).redirectErrorStream(true)
				.redirectOutput(this.log.toFile())
				.start();
		}

		void awaitStarts(int count) {
			Awaitility.await("start " + count).atMost(Duration.ofMinutes(2)).untilAsserted(() -> {
				String text = Files.readString(this.log);
				assertThat(this.process.isAlive()).as(text).isTrue();
				assertThat(text.split("Started SampleApplication", -1)).as(text).hasSize(count + 1);
			});
		}

		void restart() throws IOException {
			// In one step, so that it is a single change
			Files.move(Files.writeString(DevToolsIntegrationTests.this.folder.resolve("Changed.class"), "now"),
					this.watched.resolve("Changed.class"), StandardCopyOption.ATOMIC_MOVE);
		}

		@Override
		public void close() {
			this.process.destroyForcibly().onExit().join();
		}

	}

}
