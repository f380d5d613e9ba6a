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
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import org.awaitility.Awaitility;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/**
 * Runs the jar of the sample on a Java runtime that has only the modules that Spring Boot
 * and Netty need, and therefore not {@code jdk.net}, which sets keep-alive with NIO.
 * Skipped if {@code jlink} is missing or has nothing to link, which is a failure if the
 * system property {@code callosum.tests.skip-nothing} is set.
 */
class JlinkImageIntegrationTests {

	private static final String MODULES = "java.base,java.desktop,java.instrument,java.logging,java.management,"
			+ "java.naming,java.net.http,java.security.jgss,java.sql,java.xml,jdk.unsupported";

	private static final Pattern STARTED = Pattern
		.compile("Callosum server started on 127\\.0\\.0\\.1:(\\d+) \\((\\w+)\\W");

	private static final Duration TIMEOUT = Duration.ofMinutes(10);

	@TempDir
	private static Path folder;

	private static Path java;

	@BeforeAll
	static void link() throws Exception {
		Path home = Path.of(System.getProperty("java.home"));
		Path command = home.resolve("bin/jlink");
		verifyMet(Files.exists(command), "jlink");
		Path image = folder.resolve("image");
		Path log = folder.resolve("jlink.log");
		Process jlink = new ProcessBuilder(command.toString(), "--add-modules", MODULES, "--output", image.toString())
			.redirectErrorStream(true)
			.redirectOutput(log.toFile())
			.start();
		assertThat(jlink.waitFor(TIMEOUT.toSeconds(), TimeUnit.SECONDS)).as("jlink has ended").isTrue();
		verifyMet(jlink.exitValue() == 0, "a JDK that jlink can link: " + Files.readString(log));
		java = image.resolve("bin/java");
	}

	private static void verifyMet(boolean met, String requirement) {
		String message = "This test needs " + requirement;
		if (Boolean.getBoolean("callosum.tests.skip-nothing")) {
			assertThat(met).as(message).isTrue();
		}
		assumeTrue(met, message);
	}

	@ParameterizedTest
	@CsvSource({ "true, epoll", "false, NIO" })
	void theJarServesWhereTheRuntimeLacksTheModuleOfKeepAlive(boolean nativeTransport, String transport)
			throws Exception {
		String jar = System.getProperty("sample.jar");
		assertThat(jar).as("the system property sample.jar, which the build sets").isNotNull();
		Path log = folder.resolve(transport + ".log");
		// The process does not live long enough for C2 to pay off
		Process process = new ProcessBuilder(java.toString(), "-XX:TieredStopAtLevel=1", "-jar",
				new File(jar).getAbsolutePath(), "--spring.main.web-application-type=none", "--callosum.server.port=0",
				"--callosum.server.native-transport=" + nativeTransport)
			.redirectErrorStream(true)
			.redirectOutput(log.toFile())
			.start();
		try {
			Awaitility.await().atMost(TIMEOUT).untilAsserted(() -> {
				String output = Files.readString(log);
				assertThat(!process.isAlive() || STARTED.matcher(output).find()).as(output).isTrue();
			});
			Matcher started = STARTED.matcher(Files.readString(log));
			assertThat(started.find()).as(Files.readString(log)).isTrue();
			assertThat(started.group(2)).isEqualTo(transport);
			try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), Integer.parseInt(started.group(1)))) {
				socket.setSoTimeout((int) TIMEOUT.toMillis());
				assertThat(new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII))
					.readLine()).isEqualTo("0");
			}
		}
		finally {
			process.destroyForcibly().waitFor();
		}
	}

}
