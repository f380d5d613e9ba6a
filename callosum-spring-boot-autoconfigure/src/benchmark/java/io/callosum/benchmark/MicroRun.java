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
import java.util.function.UnaryOperator;

import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/**
 * A run of JMH in a fork.
 */
final class MicroRun {

	private MicroRun() {
	}

	/**
	 * Run benchmarks, and count what they allocate.
	 * @param include a regular expression for their names
	 */
	static Collection<RunResult> run(Settings settings, String include, int threads,
			UnaryOperator<ChainedOptionsBuilder> customizer) {
		ChainedOptionsBuilder options = new OptionsBuilder().include(include)
			.threads(threads)
			.forks(1)
			.warmupIterations(4)
			.warmupTime(TimeValue.milliseconds(settings.microIterationMillis()))
			.measurementIterations(4)
			.measurementTime(TimeValue.milliseconds(settings.microIterationMillis()))
			.jvmArgs("-Xms1g", "-Xmx1g", "-XX:+UseParallelGC")
			.addProfiler(GCProfiler.class)
			.verbosity(VerboseMode.SILENT)
			.shouldFailOnError(true)
			.timeout(TimeValue.minutes(2));
		try {
			return new Runner(customizer.apply(options).build()).run();
		}
		catch (RunnerException ex) {
			throw new IllegalStateException(ex);
		}
	}

	static double score(RunResult result) {
		return result.getPrimaryResult().getScore();
	}

	static double bytes(RunResult result) {
		return result.getSecondaryResults().get("gc.alloc.rate.norm").getScore();
	}

}
