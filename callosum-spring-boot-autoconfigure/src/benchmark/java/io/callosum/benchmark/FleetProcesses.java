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

package io.callosum.benchmark;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The processes of a fleet: the servers, and one with all clients. They end at the latest
 * when this object is closed or this process ends.
 *
 * @author The Callosum authors
 */
final class FleetProcesses implements AutoCloseable {

	private static final Pattern CLASS_PATH = Pattern.compile(Servers.STARTER
			+ "|(HdrHistogram|reactor-pool|grpc|guava|failureaccess|perfmark|gson|jsr305)[a-z0-9-]*-[0-9].*\\.jar");

	/** Servers are restarted during the measurement, and must be up soon. */
	private static final List<String> SERVER_OPTIONS = List.of("-Xmx96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
			"-Djava.net.preferIPv4Stack=true");

	private static final List<String> CLIENT_OPTIONS = List.of("-Xms256m", "-Xmx256m", "-XX:+UseSerialGC",
			"-Djava.net.preferIPv4Stack=true");

	private static final Duration TERMINATION = Duration.ofSeconds(10);

	private final Settings settings;

	private final FleetArm arm;

	private final List<Address> addresses = new ArrayList<>();

	private final List<ChildProcess> servers = new ArrayList<>();

	private final ChildProcess client;

	/**
	 * Start the servers, and the process with the clients.
	 */
	FleetProcesses(Settings settings, FleetArm arm, int servers, int clients) {
		this.settings = settings;
		this.arm = arm;
		try {
			IntStream.range(0, servers).forEach((server) -> launch());
			this.servers.forEach(ChildProcess::answer);
			List<String> options = new ArrayList<>(CLIENT_OPTIONS);
			options.addAll(List.of("-cp", Servers.classPath(CLASS_PATH)));
			// One server may be added later
			this.client = ChildProcess.start(log("client"), ChildProcess.java(-1, options, FleetClientMain.class,
					arm.name(), String.valueOf(clients), String.valueOf(servers + 1)));
		}
		catch (RuntimeException ex) {
			this.servers.forEach(ChildProcess::close);
			throw ex;
		}
		publish();
	}

	/**
	 * Start another server, and publish it once it is up.
	 */
	void add() {
		launch().answer();
		publish();
	}

	private ChildProcess launch() {
		// Each has an address of its own, so that nothing takes its port while it is down
		this.addresses.add(Address.of("127.0.1." + (this.addresses.size() + 1)));
		ChildProcess process = launch(this.addresses.size() - 1);
		this.servers.add(process);
		return process;
	}

	private ChildProcess launch(int server) {
		Address address = this.addresses.get(server);
		List<String> options = new ArrayList<>(SERVER_OPTIONS);
		options.addAll(this.settings.serverOptions());
		options.addAll(List.of("-cp", Servers.classPath(CLASS_PATH)));
		return ChildProcess.start(log("server-" + server), ChildProcess.java(-1, options, FleetServerMain.class,
				this.arm.protocol.toString(), address.host(), String.valueOf(address.port()), String.valueOf(server)));
	}

	private void publish() {
		this.client.ask("servers " + this.addresses.stream().map(Address::toString).collect(Collectors.joining(" ")));
	}

	void load(String work, int meanMicros, int requestsPerSecond) {
		this.client.ask("load " + work + " " + meanMicros + " " + requestsPerSecond);
	}

	FleetWindow mark() {
		return FleetWindow.parse(this.client.ask("mark"));
	}

	/**
	 * Stop a server, and start it again on the same port. Returns when it is up.
	 * @param kill whether to kill it instead of asking it to end
	 */
	void restart(int server, boolean kill) {
		ChildProcess process = this.servers.get(server);
		if (!kill) {
			process.terminate(TERMINATION);
		}
		process.close();
		ChildProcess next = launch(server);
		this.servers.set(server, next);
		next.answer();
	}

	/**
	 * Freeze a server. A separate process thaws it, in case this process ends in the
	 * meantime, which a frozen process would not notice.
	 */
	void freeze(int server, Duration duration) {
		long pid = this.servers.get(server).pid();
		try {
			new ProcessBuilder("sh", "-c",
					"kill -STOP " + pid + "; sleep " + duration.toSeconds() + "; kill -CONT " + pid)
				.inheritIO()
				.start();
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	/**
	 * Return how many connections each server has according to the operating system.
	 */
	List<Integer> connections() {
		try {
			List<String> lines = Files.readAllLines(Path.of("/proc/net/tcp"));
			return this.addresses.stream()
				.map((address) -> (int) lines.stream().filter(address.isConnection()).count())
				.toList();
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	long clientCpuNanos() {
		ChildProcess.CpuTime time = this.client.cpuTime();
		return time.all() - time.compilers();
	}

	long serversCpuNanos() {
		return this.servers.stream()
			.map(ChildProcess::cpuTime)
			.mapToLong((time) -> time.all() - time.compilers())
			.sum();
	}

	private Path log(String name) {
		return Servers.log(this.settings, "fleet-" + this.arm + "-" + name);
	}

	@Override
	public void close() {
		this.client.close();
		this.servers.forEach(ChildProcess::close);
	}

	/**
	 * The address of a server.
	 *
	 * @param host an address of the loopback interface
	 * @param port a port that was free at first
	 */
	private record Address(String host, int port) {

		static Address of(String host) {
			try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getByName(host))) {
				return new Address(host, socket.getLocalPort());
			}
			catch (IOException ex) {
				throw new UncheckedIOException(ex);
			}
		}

		/**
		 * Return a predicate that matches lines of {@code /proc/net/tcp} for the server's
		 * end of an established connection.
		 */
		Predicate<String> isConnection() {
			String[] parts = this.host.split("\\.");
			String local = String.format(Locale.ROOT, "%02X%02X%02X%02X:%04X", Integer.valueOf(parts[3]),
					Integer.valueOf(parts[2]), Integer.valueOf(parts[1]), Integer.valueOf(parts[0]), this.port);
			return (line) -> {
				String[] columns = line.strip().split(" +");
				return columns[1].equals(local) && columns[3].equals("01");
			};
		}

		@Override
		public String toString() {
			return this.host + ":" + this.port;
		}

	}

}
