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

import java.io.IOException;
import java.io.PrintStream;
import java.math.BigDecimal;
import java.math.MathContext;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * Prints the measurements, and writes them to files. The same results produce the same
 * bytes.
 *
 * @author The Callosum authors
 */
final class Report {

	private static final String HEADER = "scenario,arm,clients,servers,pool,interval,seed,metric,value";

	private final Path directory;

	private final List<Result> results = new ArrayList<>();

	private final StringBuilder tables = new StringBuilder();

	Report(Path directory) {
		this.directory = directory;
	}

	void add(String part, List<Result> results) {
		this.results.addAll(results);
		Map<String, Table> tables = new LinkedHashMap<>();
		for (Result result : results) {
			String title = result.scenario() + ", " + result.cell() + ", T = " + result.cell().interval().toSeconds()
					+ " s";
			tables.computeIfAbsent(title, (key) -> new Table()).add(result);
		}
		StringBuilder text = new StringBuilder();
		tables.forEach((title, table) -> text.append("### ").append(title).append("\n\n").append(table).append("\n"));
		this.tables.append("## ").append(part).append("\n\n").append(text);
		System.out.println(text);
	}

	void write() throws IOException {
		Files.createDirectories(this.directory);
		try (PrintStream csv = new PrintStream(Files.newOutputStream(this.directory.resolve("results.csv")), false,
				StandardCharsets.UTF_8)) {
			csv.print(HEADER + "\n");
			for (Result result : this.results) {
				result.values().forEach((metric, value) -> csv.print(line(result, metric, value)));
			}
		}
		String targets = "## targets\n\n" + new Targets(this.results).compare();
		System.out.println(targets);
		Files.writeString(this.directory.resolve("report.md"), this.tables + targets);
	}

	static String line(Result result, String metric, double value) {
		Cell cell = result.cell();
		return result.scenario() + ',' + result.arm() + ',' + cell.clients() + ',' + cell.servers() + ','
				+ cell.poolSize() + ',' + cell.interval().toSeconds() + ',' + result.seed() + ',' + metric + ','
				+ format(value) + '\n';
	}

	static String format(double value) {
		if (Double.isNaN(value) || Double.isInfinite(value)) {
			return "NaN";
		}
		return new BigDecimal(value).round(new MathContext(6)).stripTrailingZeros().toPlainString();
	}

	/**
	 * One line for each arm, one column for each metric.
	 */
	private static final class Table {

		private final Map<String, Map<String, List<Double>>> arms = new LinkedHashMap<>();

		private final Set<String> metrics = new LinkedHashSet<>();

		void add(Result result) {
			Map<String, List<Double>> values = this.arms.computeIfAbsent(result.arm(), (arm) -> new LinkedHashMap<>());
			result.values().forEach((metric, value) -> {
				this.metrics.add(metric);
				values.computeIfAbsent(metric, (name) -> new ArrayList<>()).add(value);
			});
		}

		@Override
		public String toString() {
			StringBuilder table = new StringBuilder("| arm |");
			this.metrics.forEach((metric) -> table.append(' ').append(metric.replace('_', ' ')).append(" |"));
			table.append("\n|---|").append("---|".repeat(this.metrics.size())).append('\n');
			this.arms.forEach((arm, values) -> {
				table.append("| ").append(arm).append(" |");
				for (String metric : this.metrics) {
					List<Double> found = values.get(metric);
					table.append(' ').append((found != null) ? cell(found) : "").append(" |");
				}
				table.append('\n');
			});
			return table.toString();
		}

		private static String cell(List<Double> values) {
			Interval interval = Interval.of(values.stream().mapToDouble(Double::doubleValue).toArray());
			if (interval.low() == interval.high()) {
				return number(interval.mean());
			}
			return number(interval.mean()) + " [" + number(interval.low()) + ", " + number(interval.high()) + "]";
		}

		private static String number(double value) {
			double size = Math.abs(value);
			int decimals = (size >= 100) ? 0 : (size >= 10) ? 1 : (size >= 1 || size == 0) ? 3 : 4;
			return String.format(Locale.ROOT, "%." + decimals + "f", value);
		}

	}

}
