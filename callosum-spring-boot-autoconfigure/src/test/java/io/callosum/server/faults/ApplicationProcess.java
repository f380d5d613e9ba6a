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

package io.callosum.server.faults;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import org.awaitility.Awaitility;
import org.awaitility.core.ThrowingRunnable;

import io.callosum.server.TestTls;
import io.callosum.server.Transport;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * The {@link StandaloneApplication} in a JVM of its own.
 */
final class ApplicationProcess implements AutoCloseable {

	/**
	 * The keys of {@link #state()} that are 0 when no connection is open: what is held
	 * for connections, and what was begun or counted for them but not ended.
	 */
	static final List<String> NOTHING = List.of("slots", "connections", "leases", "channels", "sslHandlers", "sockets",
			"open", "unfreed", "active", "unaccounted", "errors");

	private static final Duration TIMEOUT = Duration.ofMinutes(2);

	private final Process process;

	private final Path outputFile;

	private final String host;

	private ApplicationProcess(Process process, String host, Path outputFile) {
		this.process = process;
		this.host = host;
		this.outputFile = outputFile;
	}

	static Launcher launcher(Path directory, Transport transport) {
		return new Launcher(directory, transport);
	}

	static void await(String what, ThrowingRunnable assertion) {
		Awaitility.await(what).atMost(TIMEOUT).pollInterval(Duration.ofMillis(20)).untilAsserted(assertion);
	}

	/**
	 * Return the port, once the server has one.
	 */
	int port() {
		return Integer.parseInt(awaitLine(0, "PORT ([0-9]+)").group(1));
	}

	/**
	 * Return the port of its web server.
	 */
	int webPort() {
		return Integer.parseInt(awaitLine(0, "WEB ([0-9]+)").group(1));
	}

	InetSocketAddress address() {
		return new InetSocketAddress(this.host, port());
	}

	String output() {
		return outputFrom(0);
	}

	/**
	 * Return the warnings and errors in the log, except for the one that a busy machine
	 * causes.
	 */
	List<String> warnings() {
		return output().lines()
			.filter((line) -> line.matches("\\S+ +(WARN|ERROR) .*") && !line.contains("held an event loop"))
			.toList();
	}

	long count(String line) {
		return output().lines().filter(line::equals).count();
	}

	/**
	 * Send a command, and wait for its answer.
	 */
	Map<String, Long> command(String command) {
		try {
			long offset = Files.size(this.outputFile);
			this.process.getOutputStream().write((command + "\n").getBytes(StandardCharsets.US_ASCII));
			this.process.getOutputStream().flush();
			Map<String, Long> values = new TreeMap<>();
			for (String value : awaitLine(offset, "DONE " + command + "(.*)").group(1).trim().split(" ")) {
				if (!value.isEmpty()) {
					values.put(value.substring(0, value.indexOf('=')),
							Long.valueOf(value.substring(value.indexOf('=') + 1)));
				}
			}
			return values;
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	/**
	 * Return what the process holds. See {@link StandaloneApplication}.
	 */
	Map<String, Long> state() {
		return command("state");
	}

	/**
	 * Wait until the process holds nothing for any connection, and has reported the end
	 * of each.
	 */
	void awaitNothingLeft() {
		await("nothing left", () -> {
			Map<String, Long> state = state();
			assertThat(NOTHING).as(state.toString()).allMatch((key) -> state.get(key) == 0);
		});
	}

	/**
	 * Return the processor time that the process has used.
	 */
	Duration processorTime() {
		return this.process.info().totalCpuDuration().orElseThrow();
	}

	boolean isAlive() {
		return this.process.isAlive();
	}

	/**
	 * Send a signal by its name.
	 */
	void signal(String name) {
		Commands.run("bash", "-c", "kill -" + name + " " + this.process.pid());
	}

	/**
	 * Tell the application to close its context.
	 */
	void closeInput() {
		try {
			this.process.getOutputStream().close();
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	boolean endsWithin(Duration timeout) {
		try {
			return this.process.waitFor(timeout.toMillis(), TimeUnit.MILLISECONDS);
		}
		catch (InterruptedException ex) {
			throw new IllegalStateException(ex);
		}
	}

	/**
	 * Wait until the process ends.
	 * @return the exit value
	 */
	int awaitEnd() {
		assertThat(endsWithin(TIMEOUT)).as("end of the process").isTrue();
		return this.process.exitValue();
	}

	void kill() {
		this.process.descendants().forEach(ProcessHandle::destroyForcibly);
		this.process.destroyForcibly();
		awaitEnd();
	}

	@Override
	public void close() {
		kill();
		assertThat(output()).doesNotContain("LEAK:");
	}

	void awaitOutput(String text) {
		Awaitility.await(text).atMost(TIMEOUT).until(() -> output().contains(text));
	}

	private Matcher awaitLine(long offset, String regex) {
		Pattern pattern = Pattern.compile("^" + regex + "$", Pattern.MULTILINE);
		return Awaitility.await(regex).atMost(TIMEOUT).pollInterval(Duration.ofMillis(10)).until(() -> {
			// Checked before the output is read
			boolean alive = this.process.isAlive();
			String output = outputFrom(offset);
			Matcher matcher = pattern.matcher(output);
			boolean found = matcher.find();
			assertThat(alive || found).as(output).isTrue();
			return found ? matcher : null;
		}, (matcher) -> matcher != null);
	}

	/**
	 * Return the output without the last line while that is incomplete, because the
	 * process is writing it.
	 */
	private String outputFrom(long offset) {
		// Checked before the output is read
		boolean alive = this.process.isAlive();
		try (FileChannel channel = FileChannel.open(this.outputFile)) {
			String output = new String(Channels.newInputStream(channel.position(offset)).readAllBytes(),
					StandardCharsets.UTF_8);
			return alive ? output.substring(0, output.lastIndexOf('\n') + 1) : output;
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	static final class Launcher {

		private final List<String> prefix = new ArrayList<>();

		// For a fast start
		private final List<String> options = new ArrayList<>(List.of("-Xmx256m", "-Dio.netty.maxDirectMemory=214748364",
				"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dio.netty.leakDetection.level=paranoid",
				"-Dlogging.pattern.console=%d{HH:mm:ss.SSS} %5p %m%n"));

		private final List<String> arguments = new ArrayList<>();

		private final Path directory;

		private Launcher(Path directory, Transport transport) {
			this.directory = directory;
			this.arguments.add("--callosum.server.native-transport=" + transport.isNative());
		}

		/**
		 * Let a command start the JVM.
		 */
		Launcher prefix(String... prefix) {
			this.prefix.addAll(List.of(prefix));
			return this;
		}

		Launcher options(String... options) {
			this.options.addAll(List.of(options));
			return this;
		}

		/**
		 * Set properties of the server.
		 */
		Launcher server(String... properties) {
			for (String property : properties) {
				this.arguments.add("--callosum.server." + property);
			}
			return this;
		}

		/**
		 * Let the server use TLS.
		 */
		Launcher tls() {
			this.arguments.addAll(List.of("--callosum.server.ssl.bundle=test",
					"--spring.ssl.bundle.pem.test.keystore.certificate="
							+ file("server.crt", TestTls.SERVER.getCertificatePathPEM()),
					"--spring.ssl.bundle.pem.test.keystore.private-key="
							+ file("server.key", TestTls.SERVER.getPrivateKeyPEM())));
			return this;
		}

		private Path file(String name, String content) {
			try {
				return Files.writeString(this.directory.resolve(name), content);
			}
			catch (IOException ex) {
				throw new UncheckedIOException(ex);
			}
		}

		Launcher arguments(String... arguments) {
			this.arguments.addAll(List.of(arguments));
			return this;
		}

		/**
		 * Start the application on a port of the loopback interface.
		 */
		ApplicationProcess start() {
			return start("127.0.0.1", 0);
		}

		ApplicationProcess start(String host, int port) {
			List<String> command = new ArrayList<>(this.prefix);
			command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
			command.addAll(this.options);
			command.addAll(List.of("-cp", System.getProperty("java.class.path"), StandaloneApplication.class.getName(),
					"--callosum.server.host=" + host, "--callosum.server.port=" + port));
			command.addAll(this.arguments);
			try {
				Path outputFile = Files.createTempFile(this.directory, "output", ".txt");
				return new ApplicationProcess(new ProcessBuilder(command).redirectErrorStream(true)
					.redirectOutput(outputFile.toFile())
					.start(), host, outputFile);
			}
			catch (IOException ex) {
				throw new UncheckedIOException(ex);
			}
		}

	}

}
