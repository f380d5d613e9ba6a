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

import io.callosum.simulation.MeshClient.Policy;

/**
 * Cases whose results are known from theory.
 *
 * @author The Callosum authors
 */
final class Sanity {

	private static final int SEEDS = 10;

	private Sanity() {
	}

	static List<Result> results() {
		List<Result> results = new ArrayList<>();
		for (double load : new double[] { 0.7, 0.9 }) {
			for (long seed = 1; seed <= SEEDS; seed++) {
				results.add(queue(load, seed));
			}
		}
		for (long seed = 1; seed <= SEEDS; seed++) {
			results.add(subset(seed));
		}
		return results;
	}

	/** One server with a queue in front of its workers is an M/M/c system. */
	static Result queue(double load, long seed) {
		Cell cell = Cell.of(1, 1, 1, 5);
		Fleet fleet = new Fleet(cell, Arms.mesh(Policy.RANDOM), seed);
		fleet.startClients(Duration.ZERO);
		fleet.run(Duration.ofSeconds(1));
		RequestLoad requests = new RequestLoad(fleet, load, RequestLoad.Distribution.EQUAL);
		requests.start();
		fleet.run(Duration.ofSeconds(20));
		requests.measure(600);
		Metrics measured = new Metrics();
		requests.report(measured);
		Metrics metrics = new Metrics();
		// Subtract the known network time and the mean work that was drawn
		metrics.put("mean_wait_ms", measured.get("latency_mean_ms") - 2 * fleet.servers.get(0).delayOfFirst() / 1e6
				- requests.meanWork() / 1e6);
		metrics.put("mean_wait_by_theory_ms",
				Theory.meanWait(SimulatedServer.WORKERS, load, RequestLoad.MEAN_WORK / 1e6));
		return new Result("sanity-queue-" + Math.round(load * 100), "mesh-random", cell, seed, metrics.values());
	}

	/**
	 * The number of clients that have a given server in their random subset is binomially
	 * distributed.
	 */
	static Result subset(long seed) {
		Cell cell = Cell.of(1000, 100, 8, 5);
		Metrics metrics = new Metrics();
		Fleet fleet = new Fleet(cell, Arms.subset(Policy.RANDOM), seed);
		fleet.startClients(Duration.ZERO);
		fleet.run(Duration.ofSeconds(1));
		double mean = cell.clients() * 8.0 / cell.servers();
		double variance = fleet.servers.stream()
			.mapToDouble((server) -> (server.kept - mean) * (server.kept - mean))
			.sum() / (cell.servers() - 1);
		metrics.put("variance_of_connections", variance);
		metrics.put("variance_of_connections_by_theory",
				mean * (1 - 8.0 / cell.servers()) * cell.servers() / (cell.servers() - 1));
		return new Result("sanity-subset", "subset-8-random", cell, seed, metrics.values());
	}

}
