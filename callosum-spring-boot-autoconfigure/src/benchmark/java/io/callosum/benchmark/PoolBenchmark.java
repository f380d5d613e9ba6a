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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import io.callosum.client.LeaseBenchmark;

/**
 * What it costs to acquire and release a connection, measured by JMH.
 *
 * @author The Callosum authors
 */
final class PoolBenchmark {

	private static final int[] THREADS = { 1, 4, 16 };

	private static final Map<String, String> POOLS = new LinkedHashMap<>();

	static {
		POOLS.put("callosum", "Callosum");
		POOLS.put("callosumCore", "Callosum, without a publisher");
		POOLS.put("reactorPool", "reactor-pool");
		POOLS.put("fixedChannelPool", "Netty's FixedChannelPool");
	}

	private final Settings settings;

	private final Report report;

	private final Map<String, List<Double>> operations = new LinkedHashMap<>();

	private final Map<String, List<Double>> bytes = new LinkedHashMap<>();

	PoolBenchmark(Settings settings, Report report) {
		this.settings = settings;
		this.report = report;
	}

	void run() {
		// Each round runs a fork of each rival, so that a disturbance affects all
		for (int round = 0; round < this.settings.microRounds(); round++) {
			for (int threads : THREADS) {
				run(threads);
			}
		}
		List<Map<String, Object>> results = new ArrayList<>();
		for (int threads : THREADS) {
			report(threads, results);
		}
		this.report.json("pool", results);
	}

	private void run(int threads) {
		MicroRun.run(this.settings, LeaseBenchmark.class.getName(), threads, (options) -> options).forEach((result) -> {
			String key = key(result.getPrimaryResult().getLabel(), threads);
			this.operations.computeIfAbsent(key, (absent) -> new ArrayList<>()).add(MicroRun.score(result));
			this.bytes.computeIfAbsent(key, (absent) -> new ArrayList<>()).add(MicroRun.bytes(result));
		});
	}

	private static String key(String pool, int threads) {
		return pool + "/" + threads;
	}

	private void report(int threads, List<Map<String, Object>> results) {
		List<List<String>> rows = new ArrayList<>();
		rows.add(List.of("pool", "million acquires and releases/s", "Callosum's is faster by", "bytes each"));
		List<Double> own = this.operations.get(key("callosum", threads));
		POOLS.forEach((pool, title) -> {
			Summary operations = Summary.of(this.operations.get(key(pool, threads)));
			Summary bytes = Summary.of(this.bytes.get(key(pool, threads)));
			Summary ratio = Summary.ofRatios(own, this.operations.get(key(pool, threads)));
			rows.add(List.of(title, operations.dividedBy(1e6).format(2), ratio.format(2), bytes.format(0)));
			Map<String, Object> result = new LinkedHashMap<>();
			result.put("pool", pool);
			result.put("threads", threads);
			result.put("operationsPerSecond", operations.toJson());
			result.put("bytesPerOperation", bytes.toJson());
			result.put("ratioOfCallosum", ratio.toJson());
			results.add(result);
		});
		this.report.table("Acquire and release a connection: " + threads + ((threads == 1) ? " thread, " : " threads, ")
				+ this.settings.microRounds() + " rounds, median (min .. max)", rows);
	}

}
