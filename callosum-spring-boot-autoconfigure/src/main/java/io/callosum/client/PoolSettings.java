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

package io.callosum.client;

import java.time.Duration;

import org.jspecify.annotations.Nullable;

/**
 * The settings of a pool.
 *
 * @param name the name of the client, for messages
 * @param maxAgeNanos the maximum age of a connection, or 0 for no limit
 */
record PoolSettings(String name, int poolSize, int fillConcurrency, long rovingNanos, int maxPendingAcquires,
		LeasePolicy leasePolicy, @Nullable Ejection ejection, long maxAgeNanos, Rules rules) {

	static PoolSettings of(ClientSettings settings) {
		ClientSettings.Ejection ejection = settings.ejection();
		Duration maxAge = settings.maxAge();
		return new PoolSettings(settings.name(), settings.poolSize(), settings.fillConcurrency(),
				nanos(settings.rovingInterval()), settings.maxPendingAcquires(), settings.leasePolicy(),
				(ejection != null) ? new Ejection(ejection.failures(), nanos(ejection.minTime()),
						nanos(ejection.maxTime()), ejection.maxPercent()) : null,
				(maxAge != null) ? nanos(maxAge) : 0,
				Rules.DEFAULT.withSpread(settings.spread() ? Rules.Spread.SOFT : Rules.Spread.OFF));
	}

	/**
	 * Return the nanoseconds of a duration, limited to a hundred years so that sums do
	 * not overflow.
	 */
	static long nanos(Duration duration) {
		Duration longest = Duration.ofDays(36525);
		return ((duration.compareTo(longest) < 0) ? duration : longest).toNanos();
	}

	/**
	 * When a server is ejected.
	 */
	record Ejection(int failures, long minNanos, long maxNanos, int maxPercent) {
	}

}
