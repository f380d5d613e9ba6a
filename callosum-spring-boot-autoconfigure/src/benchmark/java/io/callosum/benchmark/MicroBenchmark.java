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

/**
 * What the allocator costs, measured by JMH.
 *
 * @author The Callosum authors
 */
final class MicroBenchmark {

	private static final String[] SIZES = { "1000", "100000", "1000000" };

	private final Settings settings;

	private final Report report;

	private final Map<Case, Measured> measured = new LinkedHashMap<>();

	MicroBenchmark(Settings settings, Report report) {
		this.settings = settings;
		this.report = report;
	}

	void run() {
		// Each round runs a fork of each rival, so that a disturbance affects all
		for (int round = 0; round < this.settings.microRounds(); round++) {
			run("oneByOne", 1, SIZES);
			run("oneByOne", 4, SIZES);
			run("inBursts", 1, SIZES[1]);
		}
		List<Map<String, Object>> results = new ArrayList<>();
		report("oneByOne", 1, SIZES, results);
		report("oneByOne", 4, SIZES, results);
		report("inBursts", 1, new String[] { SIZES[1] }, results);
		reportGrowth();
		this.report.json("micro", results);
	}

	private void run(String method, int threads, String... sizes) {
		String include = AllocatorBenchmark.class.getName() + "." + method + "$";
		MicroRun.run(this.settings, include, threads, (options) -> options.param("held", sizes)).forEach((result) -> {
			Case key = new Case(method, threads, result.getParams().getParam("held"),
					AllocatorRival.valueOf(result.getParams().getParam("allocator")));
			Measured figures = this.measured.computeIfAbsent(key, (absent) -> new Measured());
			figures.operations.add(MicroRun.score(result));
			figures.bytes.add(MicroRun.bytes(result));
		});
	}

	private void report(String method, int threads, String[] sizes, List<Map<String, Object>> results) {
		List<List<String>> rows = new ArrayList<>();
		rows.add(List.of("allocator", "slots held", "million operations/s", "Callosum's is faster by",
				"bytes/operation"));
		for (String size : sizes) {
			for (AllocatorRival rival : AllocatorRival.values()) {
				Measured figures = figures(method, threads, size, rival);
				Measured own = figures(method, threads, size, AllocatorRival.LOWEST_SLOT_ALLOCATOR);
				Summary operations = Summary.of(figures.operations);
				Summary bytes = Summary.of(figures.bytes);
				Summary ratio = Summary.ofRatios(own.operations, figures.operations);
				rows.add(List.of(rival.title, size, operations.dividedBy(1e6).format(2), ratio.format(2),
						bytes.format(1)));
				Map<String, Object> result = new LinkedHashMap<>();
				result.put("benchmark", method);
				result.put("threads", threads);
				result.put("held", Integer.parseInt(size));
				result.put("allocator", rival.toString());
				result.put("operationsPerSecond", operations.toJson());
				result.put("bytesPerOperation", bytes.toJson());
				result.put("ratioOfLowestSlotAllocator", ratio.toJson());
				results.add(result);
			}
		}
		String title = method.equals("oneByOne") ? "Release a random slot, allocate the lowest"
				: "Release 64 random slots, then allocate the lowest 64 (an operation is one of each)";
		this.report.table(title + ": " + threads + ((threads == 1) ? " thread, " : " threads, ")
				+ this.settings.microRounds() + " rounds, median (min .. max)", rows);
	}

	private void reportGrowth() {
		List<List<String>> rows = new ArrayList<>();
		rows.add(List.of("allocator", "1,000,000 held are slower than 1,000 by"));
		for (AllocatorRival rival : AllocatorRival.values()) {
			rows.add(List.of(rival.title,
					Summary
						.ofRatios(figures("oneByOne", 1, SIZES[0], rival).operations,
								figures("oneByOne", 1, SIZES[2], rival).operations)
						.format(2)));
		}
		this.report.table("How the cost grows: 1 thread, median (min .. max)", rows);
	}

	private Measured figures(String method, int threads, String size, AllocatorRival rival) {
		return this.measured.getOrDefault(new Case(method, threads, size, rival), new Measured());
	}

	/**
	 * What was measured.
	 *
	 * @param method the method of {@link AllocatorBenchmark}
	 * @param threads the number of threads
	 * @param held the number of slots held
	 * @param allocator the allocator
	 */
	private record Case(String method, int threads, String held, AllocatorRival allocator) {

	}

	/**
	 * The figures of each round.
	 *
	 * @param operations the operations per second
	 * @param bytes the bytes allocated for each operation
	 */
	private record Measured(List<Double> operations, List<Double> bytes) {

		Measured() {
			this(new ArrayList<>(), new ArrayList<>());
		}

	}

}
