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
import java.util.function.Consumer;

import io.callosum.simulation.RequestLoad.Distribution;

/**
 * Scenarios with requests, on a fleet that has settled.
 *
 * @author The Callosum authors
 */
final class RequestScenarios {

	private static final Duration SETTLING_OF_LOAD = Duration.ofSeconds(5);

	private static final Duration BEFORE_FAULT = Duration.ofSeconds(2);

	private static final Duration DOWN = Duration.ofSeconds(5);

	private static final Duration PAUSE = Duration.ofSeconds(2);

	private static final Duration PAUSE_INTERVAL = Duration.ofSeconds(20);

	private final int seconds;

	/**
	 * Create the scenarios.
	 * @param seconds for how long requests are measured
	 */
	RequestScenarios(int seconds) {
		this.seconds = seconds;
	}

	List<Scenario> all() {
		return List.of(load("load-70", 0.7, Distribution.EQUAL), load("load-90", 0.9, Distribution.EQUAL),
				load("unequal-clients", 0.7, Distribution.ZIPF), load("bursts", 0.7, Distribution.BURSTS),
				new Scenario("slow", this::slow), fault("pause", this::pauseNowAndThen),
				fault("fail-fast", (fleet) -> fleet.servers.get(0).mode = SimulatedServer.Mode.FAILING),
				fault("silent", RequestScenarios::fallSilent), fault("restart-under-load", RequestScenarios::restart));
	}

	private Scenario load(String name, double load, Distribution distribution) {
		return new Scenario(name, (fleet, metrics) -> {
			RequestLoad requests = begin(fleet, load, distribution);
			requests.measure(this.seconds);
			requests.report(metrics);
		});
	}

	private RequestLoad begin(Fleet fleet, double load, Distribution distribution) {
		ConnectionScenarios.settle(fleet);
		RequestLoad requests = new RequestLoad(fleet, load, distribution);
		requests.start();
		fleet.run(SETTLING_OF_LOAD);
		return requests;
	}

	private void slow(Fleet fleet, Metrics metrics) {
		fleet.servers.get(0).slowness = 3;
		RequestLoad requests = begin(fleet, 0.7, Distribution.EQUAL);
		requests.measure(this.seconds);
		requests.report(metrics);
	}

	private Scenario fault(String name, Consumer<Fleet> fault) {
		return new Scenario(name, (fleet, metrics) -> {
			RequestLoad requests = begin(fleet, 0.7, Distribution.EQUAL);
			requests.measure(this.seconds);
			fleet.run(BEFORE_FAULT);
			fault.accept(fleet);
			requests.report(metrics);
		});
	}

	private void pauseNowAndThen(Fleet fleet) {
		fleet.servers.get(0).pause(PAUSE.toNanos());
		fleet.time.run(PAUSE_INTERVAL.toNanos(), () -> pauseNowAndThen(fleet));
	}

	private static void fallSilent(Fleet fleet) {
		SimulatedServer server = fleet.servers.get(0);
		server.stop();
		server.start();
		server.mode = SimulatedServer.Mode.SILENT;
	}

	private static void restart(Fleet fleet) {
		SimulatedServer server = fleet.servers.get(0);
		server.stop();
		fleet.time.run(DOWN.toNanos(), server::start);
	}

}
