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

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

import org.springframework.boot.json.JsonWriter;

/**
 * Prints tables and writes JSON.
 *
 * @author The Callosum authors
 */
final class Report {

	private final Path directory;

	private final StringBuilder text = new StringBuilder();

	Report(Path directory) {
		this.directory = directory;
	}

	/**
	 * Add a table.
	 * @param title what it shows
	 * @param rows the rows, the first of which is the header
	 */
	void table(String title, List<List<String>> rows) {
		StringBuilder table = new StringBuilder("\n" + title + "\n\n");
		int[] widths = new int[rows.get(0).size()];
		for (List<String> row : rows) {
			for (int i = 0; i < widths.length; i++) {
				widths[i] = Math.max(widths[i], row.get(i).length());
			}
		}
		List<List<String>> lines = new ArrayList<>(rows);
		List<String> rule = new ArrayList<>();
		for (int i = 0; i < widths.length; i++) {
			rule.add("-".repeat((i > 0) ? widths[i] - 1 : widths[i]) + ((i > 0) ? ":" : ""));
		}
		lines.add(1, rule);
		for (List<String> line : lines) {
			for (int i = 0; i < widths.length; i++) {
				String padding = " ".repeat(widths[i] - line.get(i).length());
				table.append("| ").append((i > 0) ? padding + line.get(i) : line.get(i) + padding).append(' ');
			}
			table.append("|\n");
		}
		note(table.toString());
	}

	/**
	 * Add a paragraph.
	 * @param text the text
	 */
	void note(String text) {
		System.out.println(text);
		this.text.append(text).append('\n');
		write("report.md", this.text.toString());
	}

	/**
	 * Write the results of a part.
	 * @param part the part
	 * @param results what was measured
	 */
	void json(String part, List<Map<String, Object>> results) {
		write(part + ".json", JsonWriter.standard().writeToString(results));
	}

	private void write(String name, String content) {
		try {
			Files.createDirectories(this.directory);
			Files.writeString(this.directory.resolve(name), content);
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

}
