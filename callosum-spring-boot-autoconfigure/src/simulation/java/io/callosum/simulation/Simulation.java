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

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;

/**
 * Runs the simulations, see the README beside them.
 *
 * @author The Callosum authors
 */
final class Simulation {

	private final Settings settings;

	private final List<Run> runs = new ArrayList<>();

	private Simulation(Settings settings) {
		this.settings = settings;
	}

	public static void main(String[] args) throws Exception {
		Settings settings = Settings.fromSystemProperties();
		Report report = new Report(settings.directory());
		for (String part : settings.parts()) {
			long begin = System.nanoTime();
			List<Result> results = new Simulation(settings).simulate(part);
			report.add(part, results);
			System.err.printf("%s: %d runs in %d s%n", part, results.size(),
					(System.nanoTime() - begin) / 1_000_000_000);
		}
		report.write();
		new Plots(settings.directory()).draw(settings.cellOfPlots(), Arms.ofPlots());
	}

	/** Add the noise floor: the balance of a random assignment. */
	private List<Result> withNoiseFloor(List<Result> results) {
		List<Result> all = new ArrayList<>(results);
		Set<String> done = new HashSet<>();
		for (Result result : results) {
			Cell cell = result.cell();
			if (!done.add(result.scenario() + cell)) {
				continue;
			}
			Metrics metrics = new Metrics();
			Double rate = result.values().get("requests_per_second");
			if (rate != null) {
				metrics.put("request_max_over_mean", Theory
					.maxOverMeanOfRandomAssignment(Math.round(rate * this.settings.requestSeconds()), cell.servers()));
				metrics.put("request_max_over_mean_per_second",
						Theory.maxOverMeanOfRandomAssignment(Math.round(rate), cell.servers()));
			}
			else if (result.values().containsKey("max_over_mean")) {
				long connections = (long) cell.clients() * cell.poolSize();
				metrics.put("max_over_mean", Theory.maxOverMeanOfRandomAssignment(connections, cell.servers()));
				if (result.scenario().equals("roll")) {
					metrics.put("worst_max_over_mean", Theory.worstMaxOverMeanOfRoll(connections, cell.servers(),
							ConnectionScenarios.restarts(cell)));
				}
			}
			if (!metrics.values().isEmpty()) {
				all.add(new Result(result.scenario(), "random-assignment", cell, 0, metrics.values()));
			}
		}
		return all;
	}

	private List<Result> simulate(String part) throws InterruptedException, ExecutionException {
		switch (part) {
			case "sanity" -> {
				return Sanity.results();
			}
			case "connections" ->
				plan(ConnectionScenarios.all(), this.settings.cells(), Arms::ofConnections, this.settings.seeds());
			case "requests" -> plan(new RequestScenarios(this.settings.requestSeconds()).all(),
					this.settings.requestCells(), Arms::ofRequests, this.settings.seedsOfRequests());
			case "largest" -> plan(ConnectionScenarios.ofLargest(), this.settings.largestCells(),
					(scenario) -> Arms.ofLargest(), this.settings.seedsOfLargest());
			default -> throw new IllegalArgumentException("There is no part '" + part + "'");
		}
		return withNoiseFloor(execute());
	}

	private void plan(List<Scenario> scenarios, List<Cell> cells, Function<String, List<Arm>> arms, List<Long> seeds) {
		for (Scenario scenario : this.settings.selectedScenarios(scenarios)) {
			for (Cell cell : cells) {
				for (Arm arm : this.settings.selectedArms(arms.apply(scenario.name()))) {
					for (long seed : seeds) {
						this.runs.add(new Run(scenario, arm, cell, seed));
					}
				}
			}
		}
	}

	/**
	 * Runs are independent of each other, and their results are in the order of the plan.
	 */
	private List<Result> execute() throws InterruptedException, ExecutionException {
		ExecutorService executor = Executors.newFixedThreadPool(Runtime.getRuntime().availableProcessors());
		try {
			List<Future<Result>> futures = new ArrayList<>();
			for (Run run : this.runs) {
				futures.add(executor.submit(run::execute));
			}
			List<Result> results = new ArrayList<>();
			for (Future<Result> future : futures) {
				results.add(future.get());
			}
			return results;
		}
		finally {
			executor.shutdownNow();
		}
	}

	private record Run(Scenario scenario, Arm arm, Cell cell, long seed) {

		Result execute() {
			return new Result(this.scenario.name(), this.arm.name(), this.cell, this.seed,
					this.scenario.run(this.cell, this.arm, this.seed).values());
		}

	}

}
