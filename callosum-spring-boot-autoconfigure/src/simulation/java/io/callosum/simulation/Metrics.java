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

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What one run has measured, by name.
 *
 * @author The Callosum authors
 */
final class Metrics {

	private final Map<String, Double> values = new LinkedHashMap<>();

	void put(String name, double value) {
		this.values.put(name, value);
	}

	double get(String name) {
		Double value = this.values.get(name);
		return (value != null) ? value : Double.NaN;
	}

	Map<String, Double> values() {
		return this.values;
	}

}
