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

import java.util.SplittableRandom;

/**
 * Results that are known without a simulation.
 *
 * @author The Callosum authors
 */
final class Theory {

	private static final int DRAWS = 2000;

	private Theory() {
	}

	/**
	 * Return the mean time in the queue of an M/M/c system, by the Erlang C formula.
	 * @param workers the number of workers
	 * @param load the share of the time that each worker is busy, less than 1
	 * @param meanWork the mean time that a request takes
	 * @return the time, in the unit of {@code meanWork}
	 */
	static double meanWait(int workers, double load, double meanWork) {
		double offered = workers * load;
		double term = 1;
		double sum = 1;
		for (int i = 1; i < workers; i++) {
			term *= offered / i;
			sum += term;
		}
		double last = term * offered / workers / (1 - load);
		double waits = last / (sum + last);
		return waits * meanWork / (workers * (1 - load));
	}

	/**
	 * Return the expected greatest share, relative to the mean share, when things are
	 * assigned at random. This is the noise floor of a comparison.
	 * @param things how many things are assigned
	 * @param places how many places there are
	 * @return 1 or more
	 */
	static double maxOverMeanOfRandomAssignment(long things, int places) {
		SplittableRandom chance = new SplittableRandom(things * 31 + places);
		double mean = things / (double) places;
		double sum = 0;
		for (int draw = 0; draw < DRAWS; draw++) {
			sum += (things > 20_000) ? greatestNormal(chance, places, mean) : greatest(chance, places, things);
		}
		return sum / DRAWS / mean;
	}

	/**
	 * Return the expected greatest share in a rolling restart, relative to the mean
	 * share, when shares are even before each restart and the connections of the server
	 * that is down go to the others at random.
	 * @param connections how many connections there are
	 * @param servers how many servers there are
	 * @param restarts how many of them are restarted
	 * @return 1 or more
	 */
	static double worstMaxOverMeanOfRoll(long connections, int servers, int restarts) {
		SplittableRandom chance = new SplittableRandom(connections * 31 + servers);
		long each = connections / servers;
		double sum = 0;
		for (int draw = 0; draw < DRAWS / 10; draw++) {
			double most = 0;
			for (int restart = 0; restart < restarts; restart++) {
				most = Math.max(most, each + greatest(chance, servers - 1, each));
			}
			sum += most;
		}
		return sum / (DRAWS / 10) / (connections / (servers - 1.0));
	}

	private static double greatest(SplittableRandom chance, int places, long things) {
		int[] counts = new int[places];
		int most = 0;
		for (long i = 0; i < things; i++) {
			most = Math.max(most, ++counts[chance.nextInt(places)]);
		}
		return most;
	}

	private static double greatestNormal(SplittableRandom chance, int places, double mean) {
		double most = 0;
		for (int i = 0; i < places; i++) {
			most = Math.max(most, mean + chance.nextGaussian() * Math.sqrt(mean * (1 - 1.0 / places)));
		}
		return most;
	}

}
