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
import java.util.SplittableRandom;

/**
 * The mean of the results of several seeds, and the bootstrapped 95 % interval of that
 * mean.
 *
 * @param mean the mean
 * @param low the lower bound of the interval
 * @param high the upper bound of the interval
 * @param least the least value
 * @param greatest the greatest value
 * @author The Callosum authors
 */
record Interval(double mean, double low, double high, double least, double greatest) {

	private static final int RESAMPLES = 2000;

	static Interval of(double... values) {
		int count = values.length;
		double[] means = new double[RESAMPLES];
		SplittableRandom chance = new SplittableRandom(95);
		for (int i = 0; i < RESAMPLES; i++) {
			double sum = 0;
			for (int j = 0; j < count; j++) {
				sum += values[chance.nextInt(count)];
			}
			means[i] = sum / count;
		}
		Arrays.sort(means);
		return new Interval(Arrays.stream(values).average().orElse(Double.NaN), means[(int) (RESAMPLES * 0.025)],
				means[(int) (RESAMPLES * 0.975)], Arrays.stream(values).min().orElse(Double.NaN),
				Arrays.stream(values).max().orElse(Double.NaN));
	}

}
