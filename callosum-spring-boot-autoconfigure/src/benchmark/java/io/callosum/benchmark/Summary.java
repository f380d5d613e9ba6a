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

import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.DoubleBinaryOperator;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

import org.jspecify.annotations.Nullable;

/**
 * The median and the range of repeated measurements.
 *
 * @param median the median
 * @param min the minimum
 * @param max the maximum
 */
record Summary(double median, double min, double max) {

	static Summary of(Collection<Double> values) {
		double[] sorted = values.stream().mapToDouble(Double::doubleValue).sorted().toArray();
		int middle = sorted.length / 2;
		double median = (sorted.length % 2 == 1) ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
		return new Summary(median, sorted[0], sorted[sorted.length - 1]);
	}

	/**
	 * Summarize the ratio of each round, so that a disturbance of a round affects both
	 * values.
	 */
	static Summary ofRatios(List<Double> values, List<Double> others) {
		return of(pairs(values, others, (value, other) -> value / other));
	}

	/**
	 * Summarize the difference of each round.
	 */
	static Summary ofDifferences(List<Double> values, List<Double> others) {
		return of(pairs(values, others, (value, other) -> value - other));
	}

	private static List<Double> pairs(List<Double> values, List<Double> others, DoubleBinaryOperator operator) {
		return IntStream.range(0, values.size())
			.mapToObj((i) -> operator.applyAsDouble(values.get(i), others.get(i)))
			.toList();
	}

	/**
	 * Add a figure of all rounds to a result.
	 * @return the figure as text
	 */
	static <R> String add(Map<String, Object> result, String name, List<R> rounds, ToDoubleFunction<R> figure,
			int decimals) {
		Summary summary = of(figures(rounds, figure));
		result.put(name, summary.toJson());
		return summary.format(decimals);
	}

	/**
	 * Add the ratio of a figure to that of another, if there is one, to a result.
	 * @return the ratio as text
	 */
	static <R> String addRatio(Map<String, Object> result, String name, List<R> rounds, @Nullable List<R> others,
			ToDoubleFunction<R> figure) {
		if (others == null) {
			return "";
		}
		Summary summary = ofRatios(figures(rounds, figure), figures(others, figure));
		result.put(name, summary.toJson());
		return summary.format(2);
	}

	private static <R> List<Double> figures(List<R> rounds, ToDoubleFunction<R> figure) {
		return rounds.stream().map(figure::applyAsDouble).toList();
	}

	Summary dividedBy(double divisor) {
		return new Summary(this.median / divisor, this.min / divisor, this.max / divisor);
	}

	Map<String, Object> toJson() {
		Map<String, Object> json = new LinkedHashMap<>();
		json.put("median", this.median);
		json.put("min", this.min);
		json.put("max", this.max);
		return json;
	}

	String format(int decimals) {
		String number = "%,." + decimals + "f";
		return String.format(Locale.ROOT, number + " (" + number + " .. " + number + ")", this.median, this.min,
				this.max);
	}

}
