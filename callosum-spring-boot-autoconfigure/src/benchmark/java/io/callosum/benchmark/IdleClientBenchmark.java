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
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What a client with unused connections costs: bytes of the heap for each connection, and
 * processor time.
 *
 * @author The Callosum authors
 */
final class IdleClientBenchmark {

	private static final int WARMUP = 500;

	private static final int POOL_SIZE = 10;

	private final Settings settings;

	private final Report report;

	IdleClientBenchmark(Settings settings, Report report) {
		this.settings = settings;
		this.report = report;
	}

	void run() {
		List<Map<String, Object>> results = new ArrayList<>();
		for (Transport transport : this.settings.transports()) {
			heap(transport, results);
			processorTime(transport, results);
		}
		this.report.json("exchange-idle", results);
	}

	private void heap(Transport transport, List<Map<String, Object>> results) {
		List<Integer> sizes = this.settings.exchangeConnections();
		Map<Integer, Map<ExchangeRival, List<Double>>> bytes = new LinkedHashMap<>();
		sizes.forEach((size) -> bytes.put(size, new EnumMap<>(ExchangeRival.class)));
		for (int round = 0; round < this.settings.idleRounds(); round++) {
			for (ExchangeRival rival : ExchangeRival.values()) {
				try (ChildProcess server = Servers.startPeer(this.settings);
						ChildProcess client = Servers.startClient(this.settings, rival, transport, server.answer(),
								IdleBenchmark.JVM_OPTIONS)) {
					// Warm up, so that one-time costs do not count
					open(client, server, WARMUP);
					open(client, server, 0);
					double heap = Double.parseDouble(client.ask("heap"));
					for (int size : sizes) {
						open(client, server, size);
						double used = Double.parseDouble(client.ask("heap")) - heap;
						bytes.get(size).computeIfAbsent(rival, (absent) -> new ArrayList<>()).add(used / size);
						checkOpen(server, size);
					}
				}
			}
		}
		List<List<String>> rows = new ArrayList<>();
		rows.add(List.of("client", "connections", "heap bytes/connection", "x Reactor Netty", "x reactor-pool"));
		bytes.forEach((size, rivals) -> rivals.forEach((rival, own) -> {
			Map<String, Object> result = result(transport, rival, size);
			rows.add(List.of(rival.title, String.valueOf(size),
					Summary.add(result, "heapBytes", own, (value) -> value, 0),
					Summary.addRatio(result, "heapRatioToReactorNetty", own, rivals.get(ExchangeRival.REACTOR_NETTY),
							(value) -> value),
					Summary.addRatio(result, "heapRatioToReactorPool", own, rivals.get(ExchangeRival.REACTOR_POOL),
							(value) -> value)));
			results.add(result);
		}));
		this.report.table("Idle connections of a client: " + transport.name().toLowerCase(Locale.ROOT) + ", "
				+ this.settings.idleRounds() + " rounds, median (min .. max)", rows);
	}

	/**
	 * Measure processor time. All processes are idle at the same time, so that conditions
	 * are the same for each.
	 */
	private void processorTime(Transport transport, List<Map<String, Object>> results) {
		Map<ExchangeRival, ChildProcess> clients = new EnumMap<>(ExchangeRival.class);
		Map<ExchangeRival, List<Double>> percent = new EnumMap<>(ExchangeRival.class);
		List<Double> dials = new ArrayList<>();
		try (ChildProcess server = Servers.startPeer(this.settings)) {
			String port = server.answer();
			for (ExchangeRival rival : ExchangeRival.values()) {
				clients.put(rival,
						Servers.startClient(this.settings, rival, transport, port, ConnectBenchmark.JVM_OPTIONS));
				clients.get(rival).ask("open " + POOL_SIZE);
				clients.get(rival).ask("exchange " + POOL_SIZE + " 1000");
				percent.put(rival, new ArrayList<>());
			}
			// Let the compilers finish, and let Callosum dial
			sleep(7);
			for (int round = 0; round < this.settings.idleRounds(); round++) {
				Map<ExchangeRival, Long> before = new EnumMap<>(ExchangeRival.class);
				long taken = slots(server)[0];
				long start = System.nanoTime();
				clients.forEach((rival, client) -> before.put(rival, client.cpuTime().all()));
				sleep(this.settings.exchangeIdleSeconds());
				double elapsed = System.nanoTime() - start;
				clients.forEach((rival, client) -> percent.get(rival)
					.add(100 * (client.cpuTime().all() - before.get(rival)) / elapsed));
				dials.add((double) (slots(server)[0] - taken));
			}
		}
		finally {
			clients.values().forEach(ChildProcess::close);
		}
		List<List<String>> rows = new ArrayList<>();
		rows.add(List.of("client", "% of a core"));
		percent.forEach((rival, own) -> {
			Map<String, Object> result = result(transport, rival, POOL_SIZE);
			rows.add(List.of(rival.title, Summary.add(result, "corePercent", own, (value) -> value, 3)));
			results.add(result);
		});
		this.report.table(
				"A client with " + POOL_SIZE + " idle connections: " + transport.name().toLowerCase(Locale.ROOT) + ", "
						+ this.settings.idleRounds() + " rounds of " + this.settings.exchangeIdleSeconds()
						+ " s, median (min .. max); Callosum dialled " + Summary.of(dials).format(0) + " times in each",
				rows);
	}

	private static Map<String, Object> result(Transport transport, ExchangeRival rival, int connections) {
		Map<String, Object> result = new LinkedHashMap<>();
		result.put("transport", transport.toString());
		result.put("client", rival.toString());
		result.put("connections", connections);
		return result;
	}

	private static void open(ChildProcess client, ChildProcess server, int connections) {
		client.ask("open " + connections);
		checkOpen(server, connections);
		if (connections > 0) {
			// Use each connection, now that all are open
			client.ask("exchange " + connections + " " + connections);
		}
	}

	/**
	 * Wait until a server has this many connections. Fails if the client has fewer, or
	 * connects for each exchange.
	 */
	static void checkOpen(ChildProcess server, long connections) {
		long[] slots = slots(server);
		for (int i = 0; i < 100 && slots[0] - slots[1] != connections; i++) {
			sleep(0.1);
			slots = slots(server);
		}
		if (slots[0] - slots[1] != connections) {
			throw new IllegalStateException("Instead of " + connections + " connections, the slots taken and freed are "
					+ slots[0] + " " + slots[1]);
		}
	}

	private static long[] slots(ChildProcess server) {
		String[] slots = server.ask("slots").split(" ");
		return new long[] { Long.parseLong(slots[0]), Long.parseLong(slots[1]) };
	}

	private static void sleep(double seconds) {
		try {
			Thread.sleep(Math.round(1000 * seconds));
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
		}
	}

}
