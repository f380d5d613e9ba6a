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

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;

/**
 * How requests are spread over servers, with real processes, connections and signals.
 *
 * @author The Callosum authors
 */
final class FleetBenchmark {

	private static final Duration LIMIT = Duration.ofMinutes(15);

	private static final int WORK_MICROS = 20_000;

	private static final double LOAD = 0.6;

	private static final int COMPUTED_MICROS = 200;

	private static final int COMPUTED_REQUESTS_PER_SECOND = 600;

	private static final Duration RESTART_INTERVAL = Duration.ofSeconds(3);

	private static final Duration SETTLING = Duration.ofSeconds(5);

	private final Settings settings;

	private final Report report;

	private final List<List<String>> costs = new ArrayList<>(
			List.of(List.of("", "client, µs per request", "servers, µs per request", "errors")));

	private final Map<String, List<List<String>>> tables = new LinkedHashMap<>();

	private final List<Map<String, Object>> results = new ArrayList<>();

	FleetBenchmark(Settings settings, Report report) {
		this.settings = settings;
		this.report = report;
	}

	void run() {
		long begin = System.nanoTime();
		long longest = 0;
		for (FleetArm arm : this.settings.fleetArms()) {
			long armBegin = System.nanoTime();
			if (armBegin - begin + longest > LIMIT.toNanos()) {
				this.report.note("No time is left for " + arm.title);
				continue;
			}
			try (FleetProcesses fleet = new FleetProcesses(this.settings, arm, this.settings.fleetServers(),
					this.settings.fleetClients())) {
				measure(arm, fleet);
			}
			longest = Math.max(longest, System.nanoTime() - armBegin);
			System.err.printf("%s: %d s%n", arm.title, (System.nanoTime() - armBegin) / 1_000_000_000);
		}
		this.tables.forEach((scenario, rows) -> this.report.table("Fleet: " + scenario, rows));
		this.report.table("Fleet: processor time", this.costs);
		this.report.json("fleet", this.results);
	}

	private void measure(FleetArm arm, FleetProcesses fleet) {
		List<Integer> servers = IntStream.range(0, this.settings.fleetServers()).boxed().toList();
		List<Integer> others = servers.subList(0, servers.size() - 1);
		// Processes that have just started could not keep up
		load(fleet, 0.2 * LOAD);
		sleep(SETTLING);
		load(fleet, LOAD);
		sleep(SETTLING);
		fleet.mark();
		watch();
		report("rest", arm, fleet, servers, System.nanoTime());
		cost(arm, fleet);
		load(fleet, LOAD);
		sleep(SETTLING);
		fleet.mark();
		report("rolling restart, SIGTERM", arm, fleet, servers, roll(fleet, false));
		report("rolling restart, kill -9", arm, fleet, servers, roll(fleet, true));
		fleet.freeze(others.size(), watchTime());
		watch();
		report("one server frozen", arm, fleet, others, System.nanoTime());
		watch();
		report("and thawed", arm, fleet, servers, System.nanoTime() - watchTime().toNanos());
		long added = System.nanoTime();
		fleet.add();
		watch();
		watch();
		report("one server added", arm, fleet, IntStream.rangeClosed(0, servers.size()).boxed().toList(), added);
	}

	private void load(FleetProcesses fleet, double load) {
		double capacity = FleetWork.WORKERS * this.settings.fleetServers() * 1e6 / WORK_MICROS;
		fleet.load(FleetWork.SLEEP, WORK_MICROS, (int) (load * capacity));
	}

	/**
	 * Measure processor time. All arms do the same work, so any extra time is their own.
	 */
	private void cost(FleetArm arm, FleetProcesses fleet) {
		fleet.load(FleetWork.COMPUTE, COMPUTED_MICROS, COMPUTED_REQUESTS_PER_SECOND);
		sleep(SETTLING);
		fleet.mark();
		long client = fleet.clientCpuNanos();
		long servers = fleet.serversCpuNanos();
		watch();
		client = fleet.clientCpuNanos() - client;
		servers = fleet.serversCpuNanos() - servers;
		FleetWindow window = fleet.mark();
		double requests = window.answered() * 1e3;
		this.costs.add(List.of(arm.title, format(client / requests, 0), format(servers / requests, 0),
				String.valueOf(window.failed())));
		Map<String, Object> result = result("cost", arm, window);
		result.put("clientMicrosPerRequest", client / requests);
		result.put("serversMicrosPerRequest", servers / requests);
	}

	/**
	 * Restart one server after another.
	 * @return when the last one was up
	 */
	private long roll(FleetProcesses fleet, boolean kill) {
		long up = 0;
		for (int server = 0; server < this.settings.fleetServers(); server++) {
			long begin = System.nanoTime();
			fleet.restart(server, kill);
			up = System.nanoTime();
			sleep(RESTART_INTERVAL.minusNanos(up - begin));
		}
		watch();
		return up;
	}

	private void report(String scenario, FleetArm arm, FleetProcesses fleet, List<Integer> servers, long moment) {
		List<Integer> connections = fleet.connections();
		FleetWindow window = fleet.mark();
		double whole = window.maxOverMean(servers, Integer.MAX_VALUE);
		double end = window.maxOverMean(servers, (int) (SETTLING.toNanos() / FleetWindow.SLICE_NANOS));
		double even = window.secondsToEven(servers, moment);
		double connectionsMean = connections.stream().mapToInt(Integer::intValue).average().orElse(0);
		double connectionsMax = connections.stream().mapToInt(Integer::intValue).max().orElse(0);
		this.tables
			.computeIfAbsent(scenario,
					(absent) -> new ArrayList<>(List.of(List.of("", "requests max/mean", "at the end", "even after s",
							"p50 ms", "p99 ms", "p99.9 ms", "requests", "errors", "connections max/mean"))))
			.add(List.of(arm.title, format(whole, 2), format(end, 2), Double.isNaN(even) ? "never" : format(even, 1),
					format(window.p50() / 1e6, 1), format(window.p99() / 1e6, 1), format(window.p999() / 1e6, 1),
					String.valueOf(window.answered() + window.failed()), String.valueOf(window.failed()),
					format(connectionsMax / connectionsMean, 2)));
		Map<String, Object> result = result(scenario, arm, window);
		result.put("maxOverMean", whole);
		result.put("maxOverMeanAtTheEnd", end);
		if (!Double.isNaN(even)) {
			result.put("secondsToEven", even);
		}
		result.put("connections", connections);
	}

	private Map<String, Object> result(String scenario, FleetArm arm, FleetWindow window) {
		Map<String, Object> result = new LinkedHashMap<>();
		result.put("scenario", scenario);
		result.put("arm", arm.toString());
		result.put("p50Nanos", window.p50());
		result.put("p99Nanos", window.p99());
		result.put("p999Nanos", window.p999());
		result.put("answered", window.answered());
		result.put("failed", window.failed());
		result.put("failures", window.failures());
		this.results.add(result);
		return result;
	}

	private Duration watchTime() {
		return Duration.ofSeconds(this.settings.fleetSeconds());
	}

	private void watch() {
		sleep(watchTime());
	}

	private static void sleep(Duration duration) {
		try {
			Thread.sleep(Math.max(0, duration.toMillis()));
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
			throw new IllegalStateException(ex);
		}
	}

	private static String format(double value, int decimals) {
		return String.format(Locale.ROOT, "%,." + decimals + "f", value);
	}

}
