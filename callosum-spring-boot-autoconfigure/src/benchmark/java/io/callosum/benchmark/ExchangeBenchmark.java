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
 * What it costs a client to send a request on a connection of its pool and read the
 * answer.
 *
 * @author The Callosum authors
 */
final class ExchangeBenchmark {

	private static final int POOL_SIZE = 8;

	private static final int WARMUP_ROUNDS = 3;

	private static final List<Integer> CALLERS = List.of(1, 8, 32);

	private final Settings settings;

	private final Report report;

	ExchangeBenchmark(Settings settings, Report report) {
		this.settings = settings;
		this.report = report;
	}

	void run() {
		List<Map<String, Object>> results = new ArrayList<>();
		for (Transport transport : this.settings.transports()) {
			Map<Integer, Map<ExchangeRival, List<Round>>> rounds = new LinkedHashMap<>();
			for (int callers : CALLERS) {
				rounds.put(callers, new EnumMap<>(ExchangeRival.class));
				for (ExchangeRival rival : ExchangeRival.values()) {
					rounds.get(callers).put(rival, new ArrayList<>());
				}
			}
			for (int fork = 0; fork < this.settings.forks(); fork++) {
				runFork(transport, rounds);
			}
			rounds.forEach((callers, own) -> report(transport, callers, own, results));
		}
		this.report.json("exchange", results);
	}

	private void runFork(Transport transport, Map<Integer, Map<ExchangeRival, List<Round>>> rounds) {
		Map<ExchangeRival, ChildProcess> clients = new EnumMap<>(ExchangeRival.class);
		try (ChildProcess server = Servers.startPeer(this.settings)) {
			String port = server.answer();
			List<ExchangeRival> rivals = new ArrayList<>(List.of(ExchangeRival.values()));
			for (ExchangeRival rival : rivals) {
				ChildProcess client = Servers.startClient(this.settings, rival, transport, port,
						ConnectBenchmark.JVM_OPTIONS);
				clients.put(rival, client);
				client.ask("open " + POOL_SIZE);
				for (int callers : CALLERS) {
					exchange(client, callers, WARMUP_ROUNDS * this.settings.exchanges());
				}
			}
			for (int round = 0; round < this.settings.rounds(); round++) {
				for (int callers : CALLERS) {
					for (ExchangeRival rival : rivals) {
						rounds.get(callers).get(rival).add(measure(clients.get(rival), server, callers));
					}
				}
				// So that no rival always runs after the same other one
				Collections.shuffle(rivals);
			}
			IdleClientBenchmark.checkOpen(server, rivals.size() * POOL_SIZE);
		}
		finally {
			clients.values().forEach(ChildProcess::close);
		}
	}

	private Round measure(ChildProcess client, ChildProcess server, int callers) {
		// A single caller waits for the other process each time
		int exchanges = (callers == 1) ? this.settings.exchanges() / 2 : this.settings.exchanges();
		exchanges -= exchanges % callers;
		CpuTime clientBefore = client.cpuTime();
		CpuTime serverBefore = server.cpuTime();
		long[] answer = exchange(client, callers, exchanges);
		CpuTime clientCpu = client.cpuTime().minus(clientBefore);
		CpuTime serverCpu = server.cpuTime().minus(serverBefore);
		double elapsed = answer[0];
		return new Round(exchanges * 1e9 / elapsed, clientCpu.all() / 1e3 / exchanges,
				clientCpu.compilers() / 1e3 / exchanges, clientCpu.all() / elapsed, serverCpu.all() / elapsed,
				answer[1] / 1e3, answer[2] / 1e3);
	}

	private static long[] exchange(ChildProcess client, int callers, int exchanges) {
		String answer = client.ask("exchange " + callers + " " + (exchanges - exchanges % callers));
		return Arrays.stream(answer.split(" ")).mapToLong(Long::parseLong).toArray();
	}

	private void report(Transport transport, int callers, Map<ExchangeRival, List<Round>> rounds,
			List<Map<String, Object>> results) {
		List<List<String>> costs = new ArrayList<>();
		costs.add(List.of("client", "CPU us/exchange", "of it JIT", "x Reactor Netty", "x reactor-pool"));
		List<List<String>> times = new ArrayList<>();
		times.add(List.of("client", "exchanges/s", "x Reactor Netty", "p50 us", "p99 us", "client's core",
				"server's core"));
		List<Round> reactorNetty = rounds.get(ExchangeRival.REACTOR_NETTY);
		List<Round> reactorPool = rounds.get(ExchangeRival.REACTOR_POOL);
		rounds.forEach((rival, own) -> {
			Map<String, Object> result = new LinkedHashMap<>();
			result.put("transport", transport.toString());
			result.put("callers", callers);
			result.put("client", rival.toString());
			result.put("rounds", own.size());
			costs.add(List.of(rival.title, Summary.add(result, "cpuMicros", own, Round::cpuMicros, 1),
					Summary.add(result, "compilerMicros", own, Round::compilerMicros, 1),
					Summary.addRatio(result, "cpuRatioToReactorNetty", own, reactorNetty, Round::warmMicros),
					Summary.addRatio(result, "cpuRatioToReactorPool", own, reactorPool, Round::warmMicros)));
			times.add(List.of(rival.title, Summary.add(result, "exchangesPerSecond", own, Round::exchangesPerSecond, 0),
					Summary.addRatio(result, "exchangesPerSecondRatioToReactorNetty", own, reactorNetty,
							Round::exchangesPerSecond),
					Summary.add(result, "p50Micros", own, Round::p50Micros, 0),
					Summary.add(result, "p99Micros", own, Round::p99Micros, 0),
					Summary.add(result, "clientLoad", own, Round::clientLoad, 2),
					Summary.add(result, "serverLoad", own, Round::serverLoad, 2)));
			results.add(result);
		});
		String title = "Exchange on one of " + POOL_SIZE + " connections: " + transport.name().toLowerCase(Locale.ROOT)
				+ ", " + callers + ((callers == 1) ? " caller, " : " callers, ") + this.settings.forks() + " x "
				+ this.settings.rounds() + " rounds, median (min .. max)";
		this.report.table(title, costs);
		this.report.table(title, times);
	}

	/**
	 * What was measured in one round.
	 *
	 * @param exchangesPerSecond how many exchanges ended per second
	 * @param cpuMicros the client's processor time for each exchange
	 * @param compilerMicros how much of that was just-in-time compilation
	 * @param clientLoad the share of its processor that the client used
	 * @param serverLoad the share of its processor that the server used
	 * @param p50Micros the median of the time from the acquire to the answer
	 * @param p99Micros the 99th percentile of that time
	 */
	private record Round(double exchangesPerSecond, double cpuMicros, double compilerMicros, double clientLoad,
			double serverLoad, double p50Micros, double p99Micros) {

		double warmMicros() {
			return this.cpuMicros - this.compilerMicros;
		}

	}

}
