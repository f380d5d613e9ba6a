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
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import org.awaitility.Awaitility;
import org.awaitility.core.ConditionTimeoutException;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Runs the jar of the sample as its users do, with and without ahead-of-time processing,
 * and with and without a web server.
 */
class SampleJarIntegrationTests {

	private static final Pattern STARTED = Pattern.compile("Callosum server started on 127\\.0\\.0\\.1:(\\d+)\\s");

	private static final Pattern HTTP_STARTED = Pattern.compile("Netty started on port (\\d+)\\s");

	@TempDir
	private Path folder;

	@ParameterizedTest
	@ValueSource(strings = { "-Dspring.aot.enabled=false", "-Dspring.aot.enabled=true",
			"-Dspring.main.web-application-type=none" })
	void theJarServesAndEndsWhenItIsTold(String option) throws Exception {
		Path log = this.folder.resolve("log");
		Process process = start(option, log);
		try {
			int port = awaitPort(process, log, STARTED);
			assertThat(Files.readString(log).contains("Starting AOT-processed"))
				.isEqualTo(option.equals("-Dspring.aot.enabled=true"));
			try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
				socket.setSoTimeout(30_000);
				BufferedReader in = new BufferedReader(
						new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII));
				assertThat(in.readLine()).isEqualTo("0");
				socket.getOutputStream().write("slot\n".getBytes(StandardCharsets.US_ASCII));
				assertThat(in.readLine()).isEqualTo("slot 0");
				if (!option.equals("-Dspring.main.web-application-type=none")) {
					URL page = new URL("http", "127.0.0.1", awaitPort(process, log, HTTP_STARTED), "/");
					try (InputStream html = page.openStream()) {
						assertThat(new String(html.readAllBytes(), StandardCharsets.UTF_8))
							.contains("<h1>Callosum</h1>");
					}
					URL fleet = new URL("http", "127.0.0.1", awaitPort(process, log, HTTP_STARTED),
							"/fleet/stream?format=text");
					try (BufferedReader text = new BufferedReader(
							new InputStreamReader(fleet.openStream(), StandardCharsets.UTF_8))) {
						assertThat(text.lines().anyMatch((line) -> line.contains("3 servers, 12 clients"))).isTrue();
					}
				}
				else {
					assertThat(STARTED.matcher(Files.readString(log)).results()).as("servers without a page")
						.hasSize(1);
				}
				// Without a web server, only the Callosum server keeps the JVM alive
				assertThat(process.isAlive()).isTrue();
				process.destroy();
				assertThat(in.readLine()).as("what comes after the drain").isNull();
			}
			assertThat(process.waitFor(60, TimeUnit.SECONDS)).as("the process has ended").isTrue();
			assertThat(Files.readString(log)).contains("Callosum server stopped").doesNotContain(" ERROR ");
			assertThat(Files.readAllLines(log)).filteredOn((line) -> line.contains(" WARN "))
				// On a busy machine, and in an application that is started without
				// options
				.allMatch((line) -> line.contains("held an event loop") || line.contains("MaxDirectMemorySize"));
		}
		finally {
			process.destroyForcibly();
		}
	}

	private static Process start(String option, Path log) throws IOException {
		String jar = System.getProperty("sample.jar");
		assertThat(jar).as("the system property sample.jar, which the build sets").isNotNull();
		List<String> command = new ArrayList<>();
		command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
		// The process does not live long enough for C2 to pay off
		command.addAll(List.of("-XX:TieredStopAtLevel=1", option));
		command.addAll(List.of("-jar", new File(jar).getAbsolutePath(), "--callosum.server.port=0", "--server.port=0"));
		return new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
	}

	private static int awaitPort(Process process, Path log, Pattern pattern) {
		AtomicReference<String> text = new AtomicReference<>("");
		try {
			return Awaitility.await().atMost(Duration.ofMinutes(4)).until(() -> {
				text.set(Files.readString(log));
				assertThat(process.isAlive()).as(text.get()).isTrue();
				Matcher matcher = pattern.matcher(text.get());
				return matcher.find() ? Integer.parseInt(matcher.group(1)) : null;
			}, (port) -> port != null);
		}
		catch (ConditionTimeoutException ex) {
			throw new AssertionError("The process has not started. Its log:\n" + text.get(), ex);
		}
	}

}
