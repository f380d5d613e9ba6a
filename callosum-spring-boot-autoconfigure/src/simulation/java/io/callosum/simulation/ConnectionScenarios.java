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

package io.callosum.simulation;

import java.time.Duration;
import java.util.List;

/**
 * Scenarios without requests: only the numbers of connections count.
 *
 * @author The Callosum authors
 */
final class ConnectionScenarios {

	private static final Duration DOWN = Duration.ofSeconds(5);

	private static final Duration ROLL_INTERVAL = Duration.ofSeconds(20);

	/** The time within which every client has looked up the servers again. */
	private static final Duration LOOKUP = Duration.ofSeconds(5);

	private static final Duration WARM_UP = Duration.ofSeconds(60);

	private static final double[] WEIGHTS = { 1, 2, 4 };

	/** Restarting thousands of servers would take hours. */
	private static final int MOST_RESTARTS = 100;

	private ConnectionScenarios() {
	}

	static List<Scenario> all() {
		return List.of(new Scenario("cold-start", (fleet, metrics) -> start(fleet, metrics, Duration.ofSeconds(10))),
				new Scenario("instant-start", (fleet, metrics) -> start(fleet, metrics, Duration.ZERO)),
				new Scenario("rest", ConnectionScenarios::rest), new Scenario("restart", ConnectionScenarios::restart),
				new Scenario("roll", ConnectionScenarios::roll), new Scenario("scale-up", ConnectionScenarios::scaleUp),
				new Scenario("scale-down", ConnectionScenarios::scaleDown),
				new Scenario("leave", ConnectionScenarios::leave),
				new Scenario("weights", ConnectionScenarios::weights),
				new Scenario("warm-up", ConnectionScenarios::warmUp));
	}

	/** The scenarios for the largest fleet, which are fewer. */
	static List<Scenario> ofLargest() {
		List<String> names = List.of("cold-start", "rest", "restart", "roll", "scale-up");
		return all().stream().filter((scenario) -> names.contains(scenario.name())).toList();
	}

	private static Duration patience(Fleet fleet) {
		Duration sixtyIntervals = fleet.cell.interval().multipliedBy(60);
		Duration fiveMinutes = Duration.ofMinutes(5);
		return (sixtyIntervals.compareTo(fiveMinutes) > 0) ? sixtyIntervals : fiveMinutes;
	}

	private static void start(Fleet fleet, Metrics metrics, Duration within) {
		BalanceProbe probe = new BalanceProbe(fleet, fleet.servers);
		fleet.startClients(within);
		probe.observe(Duration.ofSeconds(30));
		probe.reportDials(metrics);
		probe.observeUntilEven(patience(fleet)).reportTimes(metrics);
	}

	static void settle(Fleet fleet) {
		fleet.startClients(Duration.ofSeconds(10));
		fleet.run(Duration.ofSeconds(10).plus(fleet.cell.settling()));
	}

	private static void rest(Fleet fleet, Metrics metrics) {
		settle(fleet);
		if (!fleet.arm().spreads()) {
			fleet.run(fleet.cell.settlingWithoutSpread());
		}
		BalanceProbe probe = new BalanceProbe(fleet, fleet.servers);
		probe.observe(fleet.cell.interval().multipliedBy(20));
		probe.reportBalance(metrics);
		probe.reportDials(metrics);
	}

	private static void restart(Fleet fleet, Metrics metrics) {
		settle(fleet);
		SimulatedServer server = fleet.servers.get(fleet.stream("restart", 0).nextInt(fleet.servers.size()));
		server.stop();
		fleet.run(DOWN);
		server.start();
		BalanceProbe probe = new BalanceProbe(fleet, fleet.servers);
		probe.observe(Duration.ofSeconds(20));
		probe.reportDials(metrics);
		probe.observeUntilEven(patience(fleet)).reportTimes(metrics);
	}

	private static void roll(Fleet fleet, Metrics metrics) {
		settle(fleet);
		BalanceProbe probe = new BalanceProbe(fleet, fleet.servers);
		for (SimulatedServer server : fleet.servers.subList(0, restarts(fleet.cell))) {
			server.stop();
			probe.observe(DOWN);
			server.start();
			probe.observe(ROLL_INTERVAL.minus(DOWN));
		}
		probe.reportBalance(metrics);
		probe.reportDials(metrics);
	}

	/** How many servers are restarted in a roll. */
	static int restarts(Cell cell) {
		return Math.min(cell.servers(), MOST_RESTARTS);
	}

	private static void scaleUp(Fleet fleet, Metrics metrics) {
		settle(fleet);
		addServers(fleet);
		BalanceProbe probe = new BalanceProbe(fleet, fleet.servers);
		probe.observe(Duration.ofSeconds(60));
		probe.reportDials(metrics);
		probe.observeUntilEven(patience(fleet)).reportTimes(metrics);
	}

	static void addServers(Fleet fleet) {
		int added = quarter(fleet);
		for (int i = 0; i < added; i++) {
			fleet.addServer();
		}
		fleet.publish(List.copyOf(fleet.servers), LOOKUP);
	}

	private static void scaleDown(Fleet fleet, Metrics metrics) {
		settle(fleet);
		int left = Math.max(1, fleet.servers.size() - quarter(fleet));
		List<SimulatedServer> servers = List.copyOf(fleet.servers.subList(0, left));
		fleet.publish(servers, LOOKUP);
		fleet.run(LOOKUP);
		fleet.servers.subList(left, fleet.servers.size()).forEach(SimulatedServer::stop);
		BalanceProbe probe = new BalanceProbe(fleet, servers);
		probe.observe(Duration.ofSeconds(60));
		probe.reportDials(metrics);
		probe.observeUntilEven(patience(fleet)).reportTimes(metrics);
	}

	private static int quarter(Fleet fleet) {
		return (fleet.servers.size() + 3) / 4;
	}

	private static void leave(Fleet fleet, Metrics metrics) {
		settle(fleet);
		int leaving = fleet.clients.size() / 2;
		fleet.clients.subList(0, leaving).forEach(SimulatedClient::stop);
		fleet.stopped = leaving;
		BalanceProbe probe = new BalanceProbe(fleet, fleet.servers);
		probe.observe(Duration.ofSeconds(60));
		probe.reportDials(metrics);
		probe.observeUntilEven(patience(fleet)).reportTimes(metrics);
	}

	private static void weights(Fleet fleet, Metrics metrics) {
		for (int i = 0; i < fleet.servers.size(); i++) {
			fleet.servers.get(i).weight = WEIGHTS[i % WEIGHTS.length];
		}
		settle(fleet);
		BalanceProbe probe = new BalanceProbe(fleet, fleet.servers);
		probe.observe(fleet.cell.interval().multipliedBy(20));
		probe.reportBalance(metrics);
		probe.reportDials(metrics);
	}

	private static void warmUp(Fleet fleet, Metrics metrics) {
		settle(fleet);
		SimulatedServer server = fleet.servers.get(0);
		server.stop();
		fleet.run(DOWN);
		server.warmUp = WARM_UP.toNanos();
		server.start();
		BalanceProbe probe = new BalanceProbe(fleet, fleet.servers);
		for (int quarter = 1; quarter <= 4; quarter++) {
			probe.observe(WARM_UP.dividedBy(4));
			double others = (fleet.servers.stream().mapToInt((each) -> each.kept).sum() - server.kept)
					/ (double) (fleet.servers.size() - 1);
			metrics.put("share_after_" + quarter * 25 + "_percent_of_warm_up", server.kept / others);
		}
		probe.reportDials(metrics);
		probe.observeUntilEven(patience(fleet)).reportTimes(metrics);
	}

}
