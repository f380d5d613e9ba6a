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
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;

/**
 * What the starter adds to the time that an application takes to start.
 *
 * @author The Callosum authors
 */
final class StartBenchmark {

	private static final String ANSWER = "STARTED ";

	private final Settings settings;

	private final Report report;

	StartBenchmark(Settings settings, Report report) {
		this.settings = settings;
		this.report = report;
	}

	void run() {
		Map<Variant, List<Double>> millis = new EnumMap<>(Variant.class);
		for (int round = -1; round < this.settings.starts(); round++) {
			for (Variant variant : Variant.values()) {
				double started = start(variant);
				// The first round reads files that are not in the system's cache yet
				if (round >= 0) {
					millis.computeIfAbsent(variant, (absent) -> new ArrayList<>()).add(started);
				}
			}
		}
		List<List<String>> rows = new ArrayList<>();
		List<Map<String, Object>> results = new ArrayList<>();
		rows.add(List.of("application", "ms from the start of the JVM", "ms more than Spring Boot alone",
				"ms more than without auto-configuration", "ms more than with Reactor Netty"));
		millis.forEach((variant, own) -> {
			Summary started = Summary.of(own);
			Summary overSpringBoot = Summary.ofDifferences(own, millis.getOrDefault(Variant.SPRING_BOOT, own));
			Summary overExcluded = Summary.ofDifferences(own, millis.getOrDefault(Variant.EXCLUDED, own));
			Summary overReactorNetty = Summary.ofDifferences(own, millis.getOrDefault(variant.bare(), own));
			rows.add(List.of(variant.title, started.format(0), overSpringBoot.format(0), overExcluded.format(0),
					overReactorNetty.format(0)));
			Map<String, Object> result = new LinkedHashMap<>();
			result.put("application", variant.toString());
			result.put("startedMillis", started.toJson());
			result.put("moreThanSpringBootAloneMillis", overSpringBoot.toJson());
			result.put("moreThanWithoutAutoConfigurationMillis", overExcluded.toJson());
			result.put("moreThanWithReactorNettyMillis", overReactorNetty.toJson());
			results.add(result);
		});
		this.report.table("Start: " + this.settings.starts() + " rounds, median (min .. max)", rows);
		this.report.json("start", results);
	}

	private double start(Variant variant) {
		List<String> options = List.of("-Xmx512m", "-cp", Servers.classPath(variant.classPath));
		try (ChildProcess process = ChildProcess.start(Servers.log(this.settings, "start-" + variant),
				ChildProcess.java(-1, options, StartMain.class, variant.arguments))) {
			String answer = process.answer();
			while (!answer.startsWith(ANSWER)) {
				answer = process.answer();
			}
			return Double.parseDouble(answer.substring(ANSWER.length()));
		}
	}

	/**
	 * The applications that are started.
	 */
	private enum Variant {

		SPRING_BOOT("Spring Boot alone", Servers.SPRING_BOOT),

		EXCLUDED("the starter, its auto-configuration excluded", Servers.STARTER,
				"--spring.autoconfigure.exclude=io.callosum.server.autoconfigure.CallosumServerAutoConfiguration"),

		REACTOR_NETTY("the same, and a bean that is a bare Reactor Netty server", Servers.STARTER,
				"--spring.autoconfigure.exclude=io.callosum.server.autoconfigure.CallosumServerAutoConfiguration",
				"--benchmark.reactor-netty=true"),

		STARTER("the starter", Servers.STARTER, "--callosum.server.port=0"),

		REACTOR_NETTY_CLIENT("no server, and a bean that is a bare Reactor Netty client", Servers.STARTER,
				"--callosum.server.enabled=false", "--benchmark.reactor-netty-client=true"),

		CLIENT("no server, and the starter's client", Servers.STARTER, "--callosum.server.enabled=false",
				"--callosum.client.servers=localhost:1");

		private final String title;

		private final Pattern classPath;

		private final String[] arguments;

		Variant(String title, Pattern classPath, String... arguments) {
			this.title = title;
			this.classPath = classPath;
			this.arguments = arguments;
		}

		/**
		 * Return the minimal application that does the same.
		 */
		private Variant bare() {
			return (this == CLIENT || this == REACTOR_NETTY_CLIENT) ? REACTOR_NETTY_CLIENT : REACTOR_NETTY;
		}

	}

}
