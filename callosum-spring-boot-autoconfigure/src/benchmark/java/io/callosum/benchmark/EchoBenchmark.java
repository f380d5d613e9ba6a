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
 * What it costs a server to receive a message and send it back.
 *
 * @author The Callosum authors
 */
final class EchoBenchmark {

	private static final int WARMUP_ROUNDS = 4;

	private final Settings settings;

	private final Report report;

	EchoBenchmark(Settings settings, Report report) {
		this.settings = settings;
		this.report = report;
	}

	void run() {
		List<Map<String, Object>> results = new ArrayList<>();
		for (Transport transport : this.settings.transports()) {
			Map<Size, Map<EchoRival, List<Round>>> rounds = new EnumMap<>(Size.class);
			for (Size size : Size.values()) {
				rounds.put(size, new EnumMap<>(EchoRival.class));
				for (EchoRival rival : EchoRival.values()) {
					rounds.get(size).put(rival, new ArrayList<>());
				}
			}
			for (int fork = 0; fork < this.settings.forks(); fork++) {
				runFork(transport, rounds);
			}
			rounds.forEach((size, own) -> report(transport, size, own, results));
		}
		this.report.json("echo", results);
	}

	private void runFork(Transport transport, Map<Size, Map<EchoRival, List<Round>>> rounds) {
		Map<EchoRival, ChildProcess> servers = new EnumMap<>(EchoRival.class);
		Map<EchoRival, String> ports = new EnumMap<>(EchoRival.class);
		try (ChildProcess client = Servers.startClient(this.settings)) {
			List<EchoRival> rivals = new ArrayList<>(List.of(EchoRival.values()));
			for (EchoRival rival : rivals) {
				servers.put(rival, Servers.startServer(this.settings, rival, transport, ConnectBenchmark.JVM_OPTIONS));
				ports.put(rival, servers.get(rival).answer());
			}
			for (EchoRival rival : rivals) {
				for (Size size : Size.values()) {
					echo(client, ports.get(rival), size, WARMUP_ROUNDS * messages(size));
				}
			}
			for (int round = 0; round < this.settings.rounds(); round++) {
				for (Size size : Size.values()) {
					for (EchoRival rival : rivals) {
						rounds.get(size).get(rival).add(measure(client, servers.get(rival), ports.get(rival), size));
					}
				}
				// So that no rival always runs after the same other one
				Collections.shuffle(rivals);
			}
			long connections = (1L + this.settings.rounds())
					* Arrays.stream(Size.values()).mapToInt((size) -> size.connections).sum();
			servers.forEach((rival, server) -> ConnectBenchmark.checkSlots(rival.title, server, connections));
		}
		finally {
			servers.values().forEach(ChildProcess::close);
		}
	}

	private Round measure(ChildProcess client, ChildProcess server, String port, Size size) {
		int messages = messages(size);
		CpuTime serverBefore = server.cpuTime();
		CpuTime clientBefore = client.cpuTime();
		double elapsed = echo(client, port, size, messages);
		CpuTime serverCpu = server.cpuTime().minus(serverBefore);
		CpuTime clientCpu = client.cpuTime().minus(clientBefore);
		return new Round(messages * 1e9 / elapsed, serverCpu.all() / 1e3 / messages,
				serverCpu.compilers() / 1e3 / messages, serverCpu.all() / elapsed, clientCpu.all() / elapsed);
	}

	private static long echo(ChildProcess client, String port, Size size, int messages) {
		return Long.parseLong(client.ask("echo " + port + " " + size.connections + " " + size.bytes + " " + messages));
	}

	private int messages(Size size) {
		return (size == Size.SMALL) ? this.settings.echoMessages() : this.settings.echoMegabytes();
	}

	private void report(Transport transport, Size size, Map<EchoRival, List<Round>> rounds,
			List<Map<String, Object>> results) {
		List<List<String>> rows = new ArrayList<>();
		rows.add(List.of("server", "CPU us/message", "of it JIT", "x Reactor Netty", "messages/s", "x Reactor Netty",
				"server's core", "client's core"));
		List<Round> reactorNetty = rounds.get(EchoRival.REACTOR_NETTY);
		rounds.forEach((rival, own) -> {
			Map<String, Object> result = new LinkedHashMap<>();
			result.put("transport", transport.toString());
			result.put("bytes", size.bytes);
			result.put("server", rival.toString());
			result.put("rounds", own.size());
			rows.add(List.of(rival.title, Summary.add(result, "cpuMicros", own, Round::cpuMicros, 1),
					Summary.add(result, "compilerMicros", own, Round::compilerMicros, 1),
					Summary.addRatio(result, "cpuRatioToReactorNetty", own, reactorNetty, Round::warmMicros),
					Summary.add(result, "messagesPerSecond", own, Round::messagesPerSecond, 0),
					Summary.addRatio(result, "messagesPerSecondRatioToReactorNetty", own, reactorNetty,
							Round::messagesPerSecond),
					Summary.add(result, "serverLoad", own, Round::serverLoad, 2),
					Summary.add(result, "clientLoad", own, Round::clientLoad, 2)));
			results.add(result);
		});
		this.report.table(
				"Echo of " + size.title + ": " + transport.name().toLowerCase(Locale.ROOT) + ", " + size.connections
						+ " connections with one message each at a time, " + this.settings.forks() + " x "
						+ this.settings.rounds() + " rounds of " + messages(size) + " messages, median (min .. max)",
				rows);
	}

	/**
	 * The size of the messages, and the number of connections.
	 */
	private enum Size {

		SMALL("64 B", 64, 50), LARGE("1 MB", 1_000_000, 8);

		private final String title;

		private final int bytes;

		private final int connections;

		Size(String title, int bytes, int connections) {
			this.title = title;
			this.bytes = bytes;
			this.connections = connections;
		}

	}

	/**
	 * What was measured in one round.
	 *
	 * @param messagesPerSecond how many messages came back per second
	 * @param cpuMicros the server's processor time for each message
	 * @param compilerMicros how much of that was just-in-time compilation
	 * @param serverLoad the share of its processor that the server used
	 * @param clientLoad the share of its processor that the client used
	 */
	private record Round(double messagesPerSecond, double cpuMicros, double compilerMicros, double serverLoad,
			double clientLoad) {

		double warmMicros() {
			return this.cpuMicros - this.compilerMicros;
		}

	}

}
