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

package io.callosum.server.autoconfigure;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

/**
 * Tests for an application in a process of its own.
 *
 * @author The Callosum authors
 */
class ApplicationProcessIntegrationTests {

	private static final Duration TIMEOUT = Duration.ofMinutes(2);

	private static final Pattern PORT = Pattern.compile("^PORT ([0-9]+)$", Pattern.MULTILINE);

	@TempDir
	private Path directory;

	private Process process;

	@AfterEach
	void endProcess() throws InterruptedException {
		if (this.process != null) {
			this.process.destroyForcibly().waitFor();
		}
	}

	@ParameterizedTest
	@ValueSource(booleans = { true, false })
	void anApplicationWithoutAWebServerStaysUpUntilItsContextCloses(boolean nativeTransport) throws Exception {
		start(List.of(), "--callosum.server.native-transport=" + nativeTransport, "--callosum.server.host=127.0.0.1",
				"--callosum.server.port=0");
		int port = awaitPort();
		// The thread of main is done then, and no thread of the server but one is left
		Awaitility.await().atMost(TIMEOUT).until(() -> output().contains("Started StandaloneApplication"));
		assertThat(this.process.waitFor(1, TimeUnit.SECONDS)).isFalse();
		try (SlotClient client = new SlotClient(port)) {
			assertThat(client.readLine()).isEqualTo("0");
			this.process.getOutputStream().close();
			assertThat(client.isAtEnd()).isTrue();
		}
		assertThat(this.process.waitFor(TIMEOUT.toSeconds(), TimeUnit.SECONDS)).isTrue();
		assertThat(this.process.exitValue()).isZero();
		assertThat(output()).contains("FREE 0");
	}

	@ParameterizedTest
	@ValueSource(booleans = { true, false })
	void anApplicationThatIsToldToEndStopsItsServerBefore(boolean nativeTransport) throws Exception {
		start(List.of(), "--callosum.server.native-transport=" + nativeTransport, "--callosum.server.host=127.0.0.1",
				"--callosum.server.port=0");
		try (SlotClient client = new SlotClient(awaitPort())) {
			assertThat(client.readLine()).isEqualTo("0");
			this.process.destroy();
			assertThat(client.isAtEnd()).isTrue();
		}
		assertThat(this.process.waitFor(TIMEOUT.toSeconds(), TimeUnit.SECONDS)).isTrue();
		assertThat(output()).contains("FREE 0", "Callosum server stopped");
	}

	@ParameterizedTest
	@ValueSource(booleans = { true, false })
	void aServerWithoutFileDescriptorsLeftSaysSoAndGoesOnWhenThereAreSomeAgain(boolean nativeTransport)
			throws Exception {
		assumeThat(Path.of("/usr/bin/prlimit")).as("a way to limit file descriptors").exists();
		start(List.of("/usr/bin/prlimit", "--nofile=200:200"), "--callosum.server.native-transport=" + nativeTransport,
				"--callosum.server.host=127.0.0.1", "--callosum.server.port=0");
		int port = awaitPort();
		List<SlotClient> clients = new ArrayList<>();
		try {
			for (int i = 0; i < 300; i++) {
				clients.add(new SlotClient(port));
			}
			Awaitility.await().atMost(TIMEOUT).until(() -> output().contains("Cannot accept connections"));
			clients.subList(0, 290).forEach(SlotClient::close);
			assertThat(clients.get(299).readLine()).as("slot of the last client").matches("[0-9]+");
		}
		finally {
			clients.forEach(SlotClient::close);
		}
		Awaitility.await().atMost(TIMEOUT).untilAsserted(() -> {
			try (SlotClient client = new SlotClient(port)) {
				assertThat(client.readLine()).isEqualTo("0");
			}
		});
		assertThat(output().split("Cannot accept connections", -1)).as("messages").hasSize(2);
	}

	@ParameterizedTest
	@ValueSource(booleans = { true, false })
	void aPortThatNeedsPrivilegesIsNamedWithItsKeyAndTheRemedy(boolean nativeTransport) throws Exception {
		int port = 1;
		Path limit = Path.of("/proc/sys/net/ipv4/ip_unprivileged_port_start");
		assumeThat(limit).as("a system that reserves ports").exists();
		// By lines, with a buffer: such a file can be read in one piece only
		assumeThat(Integer.parseInt(Files.readAllLines(limit).get(0))).as("first port for everybody")
			.isGreaterThan(port);
		List<String> withoutPrivileges = List.of();
		if ("root".equals(System.getProperty("user.name"))) {
			assumeThat(Path.of("/usr/bin/setpriv")).as("a way for root to give up privileges").exists();
			withoutPrivileges = List.of("/usr/bin/setpriv", "--inh-caps=-net_bind_service",
					"--bounding-set=-net_bind_service");
		}
		start(withoutPrivileges, "--callosum.server.native-transport=" + nativeTransport,
				"--callosum.server.host=127.0.0.1", "--callosum.server.port=" + port);
		assertThat(this.process.waitFor(TIMEOUT.toSeconds(), TimeUnit.SECONDS)).isTrue();
		assumeThat(output()).as("permission to give up privileges").doesNotContain("setpriv: ");
		assertThat(this.process.exitValue()).isNotZero();
		assertThat(output())
			.contains("APPLICATION FAILED TO START", "127.0.0.1:1: this process has no permission to use port 1",
					"callosum.server.port")
			.doesNotContain("\tat ");
	}

	private void start(List<String> prefix, String... arguments) throws IOException {
		List<String> command = new ArrayList<>(prefix);
		command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
		command.addAll(List.of("-Xmx256m", "-cp", System.getProperty("java.class.path")));
		command.add(StandaloneApplication.class.getName());
		command.addAll(List.of(arguments));
		this.process = new ProcessBuilder(command).redirectErrorStream(true)
			.redirectOutput(outputFile().toFile())
			.start();
	}

	private int awaitPort() {
		return Awaitility.await().atMost(TIMEOUT).until(() -> {
			assertThat(this.process.isAlive()).as(output()).isTrue();
			Matcher matcher = PORT.matcher(output());
			return matcher.find() ? Integer.parseInt(matcher.group(1)) : 0;
		}, (port) -> port > 0);
	}

	private String output() throws IOException {
		return Files.readString(outputFile(), StandardCharsets.UTF_8);
	}

	private Path outputFile() {
		return this.directory.resolve("output");
	}

}
