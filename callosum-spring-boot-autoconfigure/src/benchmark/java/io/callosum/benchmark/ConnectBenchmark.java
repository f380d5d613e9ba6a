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

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

import io.callosum.benchmark.ChildProcess.CpuTime;

/**
 * What a connection costs: connect, read the slot line, close.
 *
 * @author The Callosum authors
 */
final class ConnectBenchmark {

	/**
	 * Options of a process whose processor time is measured.
	 */
	static final List<String> JVM_OPTIONS = List.of("-Xms512m", "-Xmx512m", "-XX:+AlwaysPreTouch");

	private final Settings settings;

	private final Report report;

	ConnectBenchmark(Settings settings, Report report) {
		this.settings = settings;
		this.report = report;
	}

	void run() {
		List<Map<String, Object>> results = new ArrayList<>();
		for (Transport transport : this.settings.transports()) {
			Map<Rival, List<Round>> rounds = new EnumMap<>(Rival.class);
			this.settings.rivals().forEach((rival) -> rounds.put(rival, new ArrayList<>()));
			for (int fork = 0; fork < this.settings.forks(); fork++) {
				runFork(transport, rounds);
			}
			report(transport, rounds, results);
		}
		this.report.json("connect", results);
	}

	private void runFork(Transport transport, Map<Rival, List<Round>> rounds) {
		Map<Rival, ChildProcess> servers = new EnumMap<>(Rival.class);
		Map<Rival, String> ports = new EnumMap<>(Rival.class);
		try (ChildProcess client = Servers.startClient(this.settings)) {
			List<Rival> rivals = new ArrayList<>(this.settings.rivals());
			for (Rival rival : rivals) {
				servers.put(rival, Servers.startServer(this.settings, rival, transport, JVM_OPTIONS));
				ports.put(rival, servers.get(rival).answer());
			}
			for (Rival rival : rivals) {
				connect(client, ports.get(rival), this.settings.warmupConnections());
			}
			for (int round = 0; round < this.settings.rounds(); round++) {
				for (Rival rival : rivals) {
					rounds.get(rival).add(measure(client, servers.get(rival), ports.get(rival)));
				}
				// So that no rival always runs after the same other one
				Collections.shuffle(rivals);
			}
			long connections = this.settings.warmupConnections()
					+ (long) this.settings.rounds() * this.settings.connections();
			servers.forEach((rival, server) -> checkSlots(rival.title, server, connections));
		}
		finally {
			servers.values().forEach(ChildProcess::close);
		}
	}

	private Round measure(ChildProcess client, ChildProcess server, String port) {
		int connections = this.settings.connections();
		CpuTime serverBefore = server.cpuTime();
		CpuTime clientBefore = client.cpuTime();
		long[] answer = connect(client, port, connections);
		CpuTime serverCpu = server.cpuTime().minus(serverBefore);
		CpuTime clientCpu = client.cpuTime().minus(clientBefore);
		double elapsed = answer[0];
		return new Round(connections * 1e9 / elapsed, serverCpu.all() / 1e3 / connections,
				serverCpu.compilers() / 1e3 / connections, serverCpu.all() / elapsed, clientCpu.all() / elapsed,
				answer[1] / 1e3, answer[2] / 1e3, answer[3] / 1e3);
	}

	private long[] connect(ChildProcess client, String port, int connections) {
		String answer = client.ask("connect " + port + " " + connections + " " + this.settings.inFlight());
		return Arrays.stream(answer.split(" ")).mapToLong(Long::parseLong).toArray();
	}

	/**
	 * Check that all slots were taken and freed. A server that loses slots, or does not
	 * notice that its peers leave, is cheap but useless.
	 */
	static void checkSlots(String title, ChildProcess server, long connections) {
		String expected = connections + " " + connections;
		String slots = server.ask("slots");
		for (int i = 0; i < 50 && !slots.equals(expected); i++) {
			try {
				Thread.sleep(100);
			}
			catch (InterruptedException ex) {
				Thread.currentThread().interrupt();
			}
			slots = server.ask("slots");
		}
		if (!slots.equals(expected)) {
			throw new IllegalStateException(
					title + ": after " + connections + " connections, the slots taken and freed are " + slots);
		}
	}

	private void report(Transport transport, Map<Rival, List<Round>> rounds, List<Map<String, Object>> results) {
		List<List<String>> costs = new ArrayList<>();
		costs.add(List.of("server", "CPU us/connection", "of it JIT", "x Netty", "x Reactor Netty"));
		List<List<String>> times = new ArrayList<>();
		times.add(List.of("server", "connections/s", "x Netty", "p50 us", "p99 us", "p99.9 us", "server's core",
				"client's core"));
		rounds.forEach((rival, own) -> {
			Map<String, Object> result = new LinkedHashMap<>();
			result.put("transport", transport.toString());
			result.put("server", rival.toString());
			result.put("rounds", own.size());
			List<Round> netty = rounds.get(Rival.NETTY);
			List<Round> reactorNetty = rounds.get(Rival.REACTOR_NETTY);
			costs.add(List.of(rival.title, Summary.add(result, "cpuMicros", own, Round::cpuMicros, 1),
					Summary.add(result, "compilerMicros", own, Round::compilerMicros, 1),
					Summary.addRatio(result, "cpuRatioToNetty", own, netty, Round::cpuMicros),
					Summary.addRatio(result, "cpuRatioToReactorNetty", own, reactorNetty, Round::cpuMicros)));
			times.add(List.of(rival.title,
					Summary.add(result, "connectionsPerSecond", own, Round::connectionsPerSecond, 0),
					Summary.addRatio(result, "connectionsPerSecondRatioToNetty", own, netty,
							Round::connectionsPerSecond),
					Summary.add(result, "p50Micros", own, Round::p50Micros, 0),
					Summary.add(result, "p99Micros", own, Round::p99Micros, 0),
					Summary.add(result, "p999Micros", own, Round::p999Micros, 0),
					Summary.add(result, "serverLoad", own, Round::serverLoad, 2),
					Summary.add(result, "clientLoad", own, Round::clientLoad, 2)));
			results.add(result);
		});
		String title = "Connect, read the slot, close: " + transport.name().toLowerCase(Locale.ROOT) + ", "
				+ this.settings.inFlight() + " in flight, " + this.settings.forks() + " x " + this.settings.rounds()
				+ " rounds of " + this.settings.connections() + " connections, median (min .. max)";
		this.report.table(title, costs);
		this.report.table(title, times);
	}

	/**
	 * What was measured in one round.
	 *
	 * @param connectionsPerSecond how many connections were served per second
	 * @param cpuMicros the server's processor time for each connection
	 * @param compilerMicros how much of that was just-in-time compilation
	 * @param serverLoad the share of its processor that the server used
	 * @param clientLoad the share of its processor that the client used
	 * @param p50Micros the median of the time from the connect to the slot line
	 * @param p99Micros the 99th percentile of that time
	 * @param p999Micros the 99.9th percentile of that time
	 */
	private record Round(double connectionsPerSecond, double cpuMicros, double compilerMicros, double serverLoad,
			double clientLoad, double p50Micros, double p99Micros, double p999Micros) {

	}

}
