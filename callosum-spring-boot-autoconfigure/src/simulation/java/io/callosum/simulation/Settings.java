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

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.LongStream;

/**
 * What to simulate, from the system properties.
 *
 * @param quick whether to run small fleets with few seeds
 * @param directory where to write the results
 * @author The Callosum authors
 */
record Settings(boolean quick, Path directory) {

	private static final List<Cell> CELLS = List.of(Cell.of(30, 3, 5, 5), Cell.of(40, 10, 20, 5),
			Cell.of(100, 20, 4, 5), Cell.of(100, 50, 8, 5), Cell.of(300, 50, 10, 5), Cell.of(1000, 100, 10, 15),
			Cell.of(3, 10, 20, 5));

	private static final List<Cell> QUICK_CELLS = List.of(Cell.of(30, 3, 5, 5), Cell.of(100, 20, 4, 5));

	private static final List<Cell> REQUEST_CELLS = List.of(Cell.of(100, 50, 8, 5));

	private static final List<Cell> QUICK_REQUEST_CELLS = List.of(Cell.of(40, 20, 4, 5));

	private static final List<Cell> LARGEST_CELLS = List.of(Cell.of(10_000, 1000, 10, 15));

	static Settings fromSystemProperties() {
		return new Settings(Boolean.parseBoolean(property("quick", "false")),
				Path.of(property("directory", "target/simulation")));
	}

	List<String> parts() {
		return list("parts", this.quick ? "sanity,connections,requests" : "sanity,connections,requests,largest");
	}

	List<Cell> cells() {
		return selected(this.quick ? QUICK_CELLS : CELLS);
	}

	List<Cell> requestCells() {
		return selected(this.quick ? QUICK_REQUEST_CELLS : REQUEST_CELLS);
	}

	List<Cell> largestCells() {
		return selected(LARGEST_CELLS);
	}

	Cell cellOfPlots() {
		return this.quick ? Cell.of(100, 20, 4, 5) : Cell.of(300, 50, 10, 5);
	}

	private List<Cell> selected(List<Cell> cells) {
		return cells.stream().filter((cell) -> isSelected("cells", cell.toString())).toList();
	}

	List<Arm> selectedArms(List<Arm> arms) {
		return arms.stream().filter((arm) -> isSelected("arms", arm.name())).toList();
	}

	List<Scenario> selectedScenarios(List<Scenario> scenarios) {
		return scenarios.stream().filter((scenario) -> isSelected("scenarios", scenario.name())).toList();
	}

	List<Long> seeds() {
		return seeds(this.quick ? 3 : 10);
	}

	List<Long> seedsOfRequests() {
		return seeds(this.quick ? 2 : 10);
	}

	List<Long> seedsOfLargest() {
		return seeds(2);
	}

	private List<Long> seeds(int usual) {
		return LongStream.rangeClosed(1, Long.parseLong(property("seeds", String.valueOf(usual)))).boxed().toList();
	}

	/** The number of seconds for which requests are measured. */
	int requestSeconds() {
		return this.quick ? 10 : 20;
	}

	private static boolean isSelected(String property, String name) {
		String names = property(property, "");
		return names.isEmpty() || Arrays.asList(names.split(",")).contains(name);
	}

	private static List<String> list(String name, String usual) {
		return List.of(property(name, usual).split(","));
	}

	private static String property(String name, String usual) {
		String value = System.getProperty("simulation." + name, "");
		return value.isBlank() || value.startsWith("${") ? usual : value;
	}

}
