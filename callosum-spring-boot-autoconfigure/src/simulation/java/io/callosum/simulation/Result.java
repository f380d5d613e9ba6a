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

import java.util.Map;

/**
 * What one run has measured.
 *
 * @param scenario the name of the scenario
 * @param arm the name of the arm
 * @param cell the size of the fleet
 * @param seed the seed
 * @param values what was measured, by the name of the metric
 * @author The Callosum authors
 */
record Result(String scenario, String arm, Cell cell, long seed, Map<String, Double> values) {
}
