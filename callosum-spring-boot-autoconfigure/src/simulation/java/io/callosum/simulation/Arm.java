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

import java.util.function.BiFunction;

/**
 * A kind of client.
 *
 * @param name the name, as in the results
 * @param factory creates the client with a given number
 * @author The Callosum authors
 */
public record Arm(String name, BiFunction<Fleet, Integer, SimulatedClient> factory) {

	SimulatedClient create(Fleet fleet, int index) {
		return this.factory.apply(fleet, index);
	}

	/** Whether it settles within the bound of clients that prefer to spread. */
	boolean spreads() {
		return !this.name.endsWith("-without-spread");
	}

	@Override
	public String toString() {
		return this.name;
	}

}
