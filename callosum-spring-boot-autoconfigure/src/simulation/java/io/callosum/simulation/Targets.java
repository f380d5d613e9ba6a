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

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.DoublePredicate;
import java.util.stream.Stream;

/**
 * The targets that the client has to meet, next to what was measured.
 *
 * @author The Callosum authors
 */
final class Targets {

	private static final String OURS = "callosum";

	private static final String BALANCED = "callosum-balanced";

	private static final String TWO_CHOICES = "mesh-two-choices";

	private final List<Result> results;

	private final StringBuilder table = new StringBuilder(
			"| target | cell | measured | worst seed | met |\n|---|---|---|---|---|\n");

	Targets(List<Result> results) {
		this.results = results;
	}

	/**
	 * Compare the results with the targets.
	 * @return a table, without lines for what was not simulated
	 */
	String compare() {
		for (Cell cell : this.results.stream().map(Result::cell).distinct().toList()) {
			atMost("rest: max - min", cell, "rest", OURS, "max_minus_min", 2, true);
			atMost("rest without spread: max - min", cell, "rest", "callosum-without-spread", "max_minus_min", 1, true);
			atMost("restart: seconds to within 10 %", cell, "restart", OURS, "seconds_to_within_10_percent", 10, true);
			check("restart: roving only shows at least 30 s", cell,
					values(cell, "restart", "callosum-roving-only", "seconds_to_within_10_percent"),
					(value) -> value >= 30, false);
			roll(cell);
			if (cell.connectionsPerServer() >= 10) {
				atMost("25 % added: seconds to within 10 %", cell, "scale-up", OURS, "seconds_to_within_10_percent", 60,
						true);
			}
			double interval = cell.interval().toSeconds();
			atMost("rest: dials per client, in 1/T", cell, "rest", OURS, "dials_per_client_per_second", 1.02, interval,
					false);
			requests(cell);
		}
		return this.table.toString();
	}

	private void roll(Cell cell) {
		double mean = (cell.servers() > cell.clients() / 5) ? 1.08 : 1.03;
		double worst = (mean > 1.05) ? 1.20 : 1.10;
		if (cell.servers() >= 50) {
			atMost("roll: mean of max/mean", cell, "roll", OURS, "max_over_mean", mean, false);
			atMost("roll: worst max/mean", cell, "roll", OURS, "worst_max_over_mean", worst, false);
			atMost("roll: dials per client, in 1/T", cell, "roll", OURS, "dials_per_client_per_second", 1.5,
					cell.interval().toSeconds(), false);
		}
		if (ConnectionScenarios.restarts(cell) == cell.servers()) {
			check("roll: sticky shows at least 1.7", cell, values(cell, "roll", "sticky", "max_over_mean"),
					(value) -> value >= 1.7, false);
		}
		check("roll: max-age shows at least 1.2", cell, values(cell, "roll", "max-age", "max_over_mean"),
				(value) -> value >= 1.2, false);
	}

	private void requests(Cell cell) {
		String ratio = "request_max_over_mean";
		if (cell.connectionsPerServer() >= 16) {
			// With fewer, a single extra connection exceeds the limit
			atMost("load 0.7: balanced, requests max/mean", cell, "load-70", BALANCED, ratio, 1.05, false);
			ratio("load 0.7: balanced / mesh of two choices, requests max/mean", cell, "load-70", BALANCED, TWO_CHOICES,
					ratio, 1.02);
		}
		check("load 0.7: random subset of 8 shows at least 1.25", cell,
				values(cell, "load-70", "subset-8-random", ratio), (value) -> value >= 1.25, false);
		ratio("load 0.9: lowest slot / mesh of two choices, p99", cell, "load-90", OURS, TWO_CHOICES, "latency_p99_ms",
				1);
		ratio("one slow server: balanced / mesh of peak EWMA, p99", cell, "slow", BALANCED, "mesh-peak-ewma",
				"latency_p99_ms", 1.1);
		for (String scenario : this.results.stream().map(Result::scenario).distinct().toList()) {
			for (String arm : List.of(OURS, BALANCED)) {
				atMost(scenario + ": leases cut by " + arm, cell, scenario, arm, "connections_cut_while_leased", 0,
						true);
			}
		}
	}

	private void atMost(String what, Cell cell, String scenario, String arm, String metric, double limit,
			boolean everySeed) {
		atMost(what, cell, scenario, arm, metric, limit, 1, everySeed);
	}

	private void atMost(String what, Cell cell, String scenario, String arm, String metric, double limit, double factor,
			boolean everySeed) {
		double[] values = Stream.of(values(cell, scenario, arm, metric))
			.flatMapToDouble(Arrays::stream)
			.map((value) -> value * factor)
			.toArray();
		check(what + " <= " + limit, cell, values, (value) -> value <= limit, everySeed);
	}

	private void ratio(String what, Cell cell, String scenario, String arm, String rival, String metric, double limit) {
		double[] values = values(cell, scenario, arm, metric);
		double[] others = values(cell, scenario, rival, metric);
		if (values.length != others.length) {
			return;
		}
		for (int i = 0; i < values.length; i++) {
			values[i] /= others[i];
		}
		check(what + " <= " + limit, cell, values, (value) -> value <= limit, false);
	}

	private void check(String what, Cell cell, double[] values, DoublePredicate condition, boolean everySeed) {
		if (values.length == 0) {
			return;
		}
		Interval interval = Interval.of(values);
		double worst = condition.test(interval.least()) ? interval.greatest() : interval.least();
		boolean met = everySeed ? Arrays.stream(values).allMatch(condition) : condition.test(interval.mean());
		this.table.append(String.format(Locale.ROOT, "| %s%s | %s | %.3f [%.3f, %.3f] | %.3f | %s |\n", what,
				everySeed ? ", every seed" : "", cell, interval.mean(), interval.low(), interval.high(), worst,
				met ? "yes" : "**no**"));
	}

	private double[] values(Cell cell, String scenario, String arm, String metric) {
		return this.results.stream()
			.filter((result) -> result.cell().equals(cell) && result.scenario().equals(scenario)
					&& result.arm().equals(arm) && result.values().containsKey(metric))
			.mapToDouble((result) -> result.values().getOrDefault(metric, Double.NaN))
			.toArray();
	}

}
