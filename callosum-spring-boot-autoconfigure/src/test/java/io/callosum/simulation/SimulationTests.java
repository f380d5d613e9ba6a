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

import java.util.List;
import java.util.Map;
import java.util.stream.LongStream;
import java.util.stream.Stream;

import io.callosum.client.SimulatedPools;
import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

/**
 * Tests that the results of the simulator can be trusted.
 *
 * @author The Callosum authors
 */
class SimulationTests {

	@Test
	void allScenariosAndArmsWriteTheSameBytesForTheSameSeed() {
		assertThat(csv()).isEqualTo(csv());
	}

	@Test
	void thereIsALineForEachScenarioArmAndMetric() {
		List<String[]> lines = csv().lines().map((line) -> line.split(",")).toList();
		assertThat(lines).allSatisfy((line) -> assertThat(line).hasSize(9));
		assertThat(lines).extracting((line) -> line[0])
			.contains("cold-start", "instant-start", "rest", "restart", "roll", "scale-up", "scale-down", "leave",
					"weights", "warm-up", "slow", "pause", "fail-fast", "silent", "unequal-clients", "bursts");
		assertThat(lines).extracting((line) -> line[1])
			.contains("callosum", "callosum-balanced", "callosum-without-return", "callosum-without-join",
					"callosum-without-follow", "callosum-without-spread", "callosum-hard-spread",
					"callosum-roving-only", "javascript", "sticky", "max-age", "shortest-queue")
			.containsAll(Stream.of("random", "round-robin", "two-choices", "least-loaded", "peak-ewma")
				.flatMap((policy) -> Stream.of("mesh-" + policy, "subset-8-" + policy))
				.toList());
		assertThat(lines).extracting((line) -> line[7])
			.contains("max_over_mean", "max_minus_min", "seconds_to_within_10_percent", "seconds_to_max_minus_min_2",
					"dials_per_client_per_second", "peak_accepts_per_server_per_second", "connections_cut_while_leased",
					"request_max_over_mean", "request_max_over_mean_per_second", "latency_p50_ms", "latency_p99_ms",
					"latency_p99.9_ms", "error_share");
	}

	private static String csv() {
		StringBuilder lines = new StringBuilder();
		ConnectionScenarios.all().forEach((scenario) -> run(scenario, Arms.ofConnections(scenario.name()), lines));
		new RequestScenarios(1).all().forEach((scenario) -> run(scenario, Arms.ofRequests(scenario.name()), lines));
		return lines.toString();
	}

	private static void run(Scenario scenario, List<Arm> arms, StringBuilder lines) {
		Cell cell = Cell.of(6, 3, 2, 5);
		for (Arm arm : arms) {
			Result result = new Result(scenario.name(), arm.name(), cell, 1, scenario.run(cell, arm, 1).values());
			result.values().forEach((metric, value) -> lines.append(Report.line(result, metric, value)));
		}
	}

	@Test
	void anotherSeedGivesOtherResults() {
		Cell cell = Cell.of(30, 3, 5, 5);
		assertThat(scenario("roll").run(cell, Arms.STICKY, 7).values())
			.isNotEqualTo(scenario("roll").run(cell, Arms.STICKY, 8).values());
	}

	@Test
	void aQueueWaitsAsLongAsTheorySays() {
		double mean = LongStream.rangeClosed(1, 2)
			.mapToObj((seed) -> Sanity.queue(0.7, seed))
			.map(Result::values)
			.mapToDouble(SimulationTests::waitOverTheory)
			.average()
			.orElseThrow();
		assertThat(mean).isCloseTo(1, within(0.06));
	}

	private static double waitOverTheory(Map<String, Double> values) {
		return values.getOrDefault("mean_wait_ms", 0.0) / values.getOrDefault("mean_wait_by_theory_ms", 1.0);
	}

	@Test
	void stickyReconnectingIsFarFromEvenInARoll() {
		assertThat(mean("roll", Cell.of(100, 20, 4, 5), Arms.STICKY, "max_over_mean")).isGreaterThan(1.7);
	}

	@Test
	void rovingAloneTakesLongAfterARestart() {
		assertThat(mean("restart", Cell.of(40, 10, 20, 5), Arms.JAVASCRIPT, "seconds_to_within_10_percent"))
			.isGreaterThan(30);
	}

	@Test
	void thePoolSettlesAndIsBackSoonAfterARestart() {
		Cell cell = Cell.of(100, 20, 4, 5);
		Arm pool = SimulatedPools.callosum();
		assertThat(scenario("rest").run(cell, pool, 1).get("max_minus_min")).isLessThanOrEqualTo(2);
		assertThat(mean("restart", cell, pool, "seconds_to_within_10_percent")).isLessThan(10);
		assertThat(mean("restart", cell, SimulatedPools.rover(), "seconds_to_within_10_percent")).isGreaterThan(20);
	}

	@Test
	void thePoolCutsNoLease() {
		Metrics metrics = requestScenario("restart-under-load").run(Cell.of(40, 20, 4, 5), SimulatedPools.balanced(),
				1);
		assertThat(metrics.get("connections_cut_while_leased")).isZero();
		assertThat(metrics.get("error_share")).isLessThan(0.001);
	}

	private static double mean(String scenario, Cell cell, Arm arm, String metric) {
		return LongStream.rangeClosed(1, 3)
			.mapToDouble((seed) -> scenario(scenario).run(cell, arm, seed).get(metric))
			.average()
			.orElseThrow();
	}

	private static Scenario scenario(String name) {
		return ConnectionScenarios.all()
			.stream()
			.filter((scenario) -> scenario.name().equals(name))
			.findFirst()
			.orElseThrow();
	}

	private static Scenario requestScenario(String name) {
		return new RequestScenarios(2).all()
			.stream()
			.filter((scenario) -> scenario.name().equals(name))
			.findFirst()
			.orElseThrow();
	}

}
