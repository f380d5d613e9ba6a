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

/**
 * What happens to a fleet, and what is measured meanwhile.
 *
 * @param name the name, as in the results
 * @param script what happens
 * @author The Callosum authors
 */
record Scenario(String name, Script script) {

	Metrics run(Cell cell, Arm arm, long seed) {
		Metrics metrics = new Metrics();
		this.script.play(new Fleet(cell, arm, seed), metrics);
		return metrics;
	}

	@Override
	public String toString() {
		return this.name;
	}

	/**
	 * What happens.
	 */
	@FunctionalInterface
	interface Script {

		void play(Fleet fleet, Metrics metrics);

	}

}
