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

import java.time.Duration;

/**
 * Runs the benchmarks, see the README beside them.
 *
 * @author The Callosum authors
 */
final class Benchmark {

	private Benchmark() {
	}

	public static void main(String[] args) {
		exitAfter(Duration.ofHours(1));
		Settings settings = Settings.fromSystemProperties();
		Report report = new Report(settings.directory());
		for (String part : settings.parts()) {
			switch (part) {
				case "micro" -> new MicroBenchmark(settings, report).run();
				case "pool" -> new PoolBenchmark(settings, report).run();
				case "connect" -> new ConnectBenchmark(settings, report).run();
				case "echo" -> new EchoBenchmark(settings, report).run();
				case "exchange" -> {
					new ExchangeBenchmark(settings, report).run();
					new IdleClientBenchmark(settings, report).run();
				}
				case "idle" -> new IdleBenchmark(settings, report).run();
				case "start" -> new StartBenchmark(settings, report).run();
				case "fleet" -> new FleetBenchmark(settings, report).run();
				case "handler" -> new HandlerBenchmark(settings, report).run();
				default -> throw new IllegalArgumentException("There is no part '" + part + "'");
			}
		}
	}

	private static void exitAfter(Duration timeout) {
		Thread thread = new Thread(() -> {
			try {
				Thread.sleep(timeout.toMillis());
				System.err.println("The benchmarks have not ended after " + timeout);
				System.exit(1);
			}
			catch (InterruptedException ex) {
				Thread.currentThread().interrupt();
			}
		}, "timeout");
		thread.setDaemon(true);
		thread.start();
	}

}
