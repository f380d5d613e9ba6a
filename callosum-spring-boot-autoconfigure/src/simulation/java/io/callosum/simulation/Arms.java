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
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

import io.callosum.client.SimulatedPools;
import io.callosum.simulation.MeshClient.Policy;

/**
 * The arms.
 *
 * @author The Callosum authors
 */
final class Arms {

	static final Arm JAVASCRIPT = new Arm("javascript", JavaScriptClient::new);

	static final Arm STICKY = new Arm("sticky", (fleet, index) -> new StickyClient(fleet, index, null));

	static final Arm MAX_AGE = new Arm("max-age",
			(fleet, index) -> new StickyClient(fleet, index, Duration.ofSeconds(150)));

	private static final int SUBSET = 8;

	private Arms() {
	}

	/**
	 * The arms whose connections are compared: all except pools without a rule that the
	 * scenario never needs, which would behave like the complete pool.
	 */
	static List<Arm> ofConnections(String scenario) {
		List<Arm> arms = new ArrayList<>(List.of(SimulatedPools.callosum()));
		List<String> idle = switch (scenario) {
			case "cold-start", "instant-start", "rest", "leave", "weights" ->
				List.of("return", "join", "follow", "settle");
			case "scale-up" -> List.of("return");
			default -> List.of("join");
		};
		SimulatedPools.ablations()
			.stream()
			.filter((arm) -> idle.stream().noneMatch((rule) -> arm.name().endsWith("-without-" + rule)))
			.forEach(arms::add);
		arms.addAll(List.of(JAVASCRIPT, STICKY, MAX_AGE));
		return arms;
	}

	/**
	 * The arms whose requests are compared: all policies at rest and with a slow server,
	 * and only the better ones otherwise.
	 */
	static List<Arm> ofRequests(String scenario) {
		List<Policy> policies = switch (scenario) {
			case "load-70", "load-90", "slow" ->
				List.of(Policy.RANDOM, Policy.ROUND_ROBIN, Policy.TWO_CHOICES, Policy.LEAST_LOADED, Policy.PEAK_EWMA);
			default -> List.of(Policy.TWO_CHOICES, Policy.PEAK_EWMA);
		};
		List<Arm> arms = new ArrayList<>(
				List.of(SimulatedPools.callosum(), SimulatedPools.balanced(), JAVASCRIPT, STICKY, MAX_AGE));
		policies.forEach((policy) -> arms.add(mesh(policy)));
		policies.forEach((policy) -> arms.add(subset(policy)));
		arms.add(new Arm("shortest-queue", (fleet, index) -> new MeshClient(fleet, index, 0, Policy.SHORTEST_QUEUE)));
		return arms;
	}

	/** The arms that are compared in the largest fleet. */
	static List<Arm> ofLargest() {
		return List.of(SimulatedPools.callosum(), STICKY);
	}

	/** The arms that are drawn. */
	static List<Arm> ofPlots() {
		return List.of(SimulatedPools.callosum(), SimulatedPools.rover(), STICKY, MAX_AGE);
	}

	static Arm mesh(Policy policy) {
		return new Arm("mesh-" + name(policy), (fleet, index) -> new MeshClient(fleet, index, 0, policy));
	}

	static Arm subset(Policy policy) {
		return new Arm("subset-" + SUBSET + "-" + name(policy),
				(fleet, index) -> new MeshClient(fleet, index, SUBSET, policy));
	}

	private static String name(Policy policy) {
		return policy.name().toLowerCase(Locale.ROOT).replace('_', '-');
	}

}
