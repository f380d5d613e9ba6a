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

import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

import com.sun.management.UnixOperatingSystemMXBean;

/**
 * What an open and idle connection costs: bytes of the heap after garbage collections,
 * and of the resident set.
 *
 * @author The Callosum authors
 */
final class IdleBenchmark {

	private static final int WARMUP = 500;

	/**
	 * Let every collection collect everything, including softly reachable objects that
	 * are left from the startup, and garbage among old objects that is not worth
	 * compacting.
	 */
	static final List<String> JVM_OPTIONS = List.of("-Xmx512m", "-XX:SoftRefLRUPolicyMSPerMB=0",
			"-XX:MarkSweepAlwaysCompactCount=1", "-XX:MarkSweepDeadRatio=0");

	private final Settings settings;

	private final Report report;

	IdleBenchmark(Settings settings, Report report) {
		this.settings = settings;
		this.report = report;
	}

	void run() {
		List<Integer> sizes = new ArrayList<>(this.settings.idleConnections());
		long descriptors = ((UnixOperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
			.getMaxFileDescriptorCount();
		if (sizes.removeIf((size) -> size > descriptors - 1000)) {
			this.report.note("A process may have " + descriptors + " file descriptors, so only " + sizes
					+ " idle connections are measured");
		}
		List<Map<String, Object>> results = new ArrayList<>();
		for (Transport transport : this.settings.transports()) {
			Map<Case, Measured> measured = new LinkedHashMap<>();
			for (int round = 0; round < this.settings.idleRounds(); round++) {
				for (Rival rival : this.settings.rivals()) {
					measure(transport, rival, sizes, measured);
				}
			}
			report(transport, sizes, measured, results);
		}
		this.report.json("idle", results);
	}

	private void measure(Transport transport, Rival rival, List<Integer> sizes, Map<Case, Measured> measured) {
		try (ChildProcess client = Servers.startClient(this.settings);
				ChildProcess server = Servers.startServer(this.settings, rival, transport, JVM_OPTIONS)) {
			String port = server.answer();
			// Warm up, so that one-time costs do not count
			client.ask("hold " + port + " " + WARMUP);
			client.ask("hold " + port + " 0");
			ConnectBenchmark.checkSlots(rival.title, server, WARMUP);
			double heap = heap(server);
			double residentSet = server.residentSetSize();
			for (int size : sizes) {
				client.ask("hold " + port + " " + size);
				Measured figures = measured.computeIfAbsent(new Case(rival, size), (absent) -> new Measured());
				figures.heap.add((heap(server) - heap) / size);
				figures.residentSet.add((server.residentSetSize() - residentSet) / size);
			}
			client.ask("hold " + port + " 0");
			ConnectBenchmark.checkSlots(rival.title, server, WARMUP + sizes.get(sizes.size() - 1));
		}
	}

	private static double heap(ChildProcess server) {
		return Double.parseDouble(server.ask("heap"));
	}

	private void report(Transport transport, List<Integer> sizes, Map<Case, Measured> measured,
			List<Map<String, Object>> results) {
		List<List<String>> rows = new ArrayList<>();
		rows.add(List.of("server", "connections", "heap bytes/connection", "x Netty", "x Reactor Netty",
				"RSS bytes/connection"));
		for (int size : sizes) {
			for (Rival rival : this.settings.rivals()) {
				Measured figures = measured.getOrDefault(new Case(rival, size), new Measured());
				Summary heap = Summary.of(figures.heap);
				Summary residentSet = Summary.of(figures.residentSet);
				Map<String, Object> result = new LinkedHashMap<>();
				result.put("transport", transport.toString());
				result.put("server", rival.toString());
				result.put("connections", size);
				result.put("heapBytes", heap.toJson());
				result.put("residentSetBytes", residentSet.toJson());
				List<String> row = new ArrayList<>();
				row.add(rival.title);
				row.add(String.valueOf(size));
				row.add(heap.format(0));
				for (Rival other : List.of(Rival.NETTY, Rival.REACTOR_NETTY)) {
					Measured others = measured.get(new Case(other, size));
					if (others == null) {
						row.add("");
						continue;
					}
					Summary ratio = Summary.ofRatios(figures.heap, others.heap);
					result.put((other == Rival.NETTY) ? "heapRatioToNetty" : "heapRatioToReactorNetty", ratio.toJson());
					row.add(ratio.format(2));
				}
				row.add(residentSet.format(0));
				rows.add(row);
				results.add(result);
			}
		}
		this.report.table("Idle connections: " + transport.name().toLowerCase(Locale.ROOT) + ", "
				+ this.settings.idleRounds() + " rounds, median (min .. max)", rows);
	}

	/**
	 * What was measured.
	 *
	 * @param rival the server
	 * @param connections the number of connections
	 */
	private record Case(Rival rival, int connections) {

	}

	/**
	 * The figures of each round.
	 *
	 * @param heap the bytes of the heap for each connection
	 * @param residentSet the bytes of the resident set for each connection
	 */
	private record Measured(List<Double> heap, List<Double> residentSet) {

		Measured() {
			this(new ArrayList<>(), new ArrayList<>());
		}

	}

}
