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

/**
 * The constants of the rules by which a pool chooses its connections, and switches that
 * disable single rules, to measure the effect of each.
 *
 * @param spread how strictly to spread connections over the servers
 * @param returning whether a server that could not be reached, or closed a connection, is
 * dialled again until it sends a slot line
 * @param joining whether a server is dialled because it is new in the list
 * @param following whether a dial whose connection was kept is followed by another
 * @param settling whether random servers are dialled after connections have moved
 * @param joinFactor how often a new server is dialled, as a multiple of its share of the
 * connections
 * @param joinNanos the time within which a new server is dialled
 * @param settleFactor how many random servers are dialled for each dial to a new server,
 * between one and three times {@code joinNanos} after it was listed
 * @param followNanos the maximum delay of a dial that follows another; the minimum is two
 * fifths of it
 * @param minBackoffNanos how long a server is left alone after the first failure
 * @param maxBackoffNanos the maximum time for which a server is left alone
 * @param growth the factor by which that time, and that of an ejection, grows from one
 * failure to the next
 * @param jitter the fraction by which each delay is randomly lengthened or shortened
 */
record Rules(Spread spread, boolean returning, boolean joining, boolean following, boolean settling, double joinFactor,
		long joinNanos, int settleFactor, long followNanos, long minBackoffNanos, long maxBackoffNanos, double growth,
		double jitter) {

	static final Rules DEFAULT = new Rules(Spread.SOFT, true, true, true, true, 2, Duration.ofSeconds(10).toNanos(), 3,
			Duration.ofMillis(500).toNanos(), Duration.ofMillis(500).toNanos(), Duration.ofSeconds(30).toNanos(), 1.6,
			0.2);

	Rules withSpread(Spread spread) {
		return new Rules(spread, this.returning, this.joining, this.following, this.settling, this.joinFactor,
				this.joinNanos, this.settleFactor, this.followNanos, this.minBackoffNanos, this.maxBackoffNanos,
				this.growth, this.jitter);
	}

	Rules withReturning(boolean returning) {
		return new Rules(this.spread, returning, this.joining, this.following, this.settling, this.joinFactor,
				this.joinNanos, this.settleFactor, this.followNanos, this.minBackoffNanos, this.maxBackoffNanos,
				this.growth, this.jitter);
	}

	Rules withJoining(boolean joining) {
		return new Rules(this.spread, this.returning, joining, this.following, this.settling, this.joinFactor,
				this.joinNanos, this.settleFactor, this.followNanos, this.minBackoffNanos, this.maxBackoffNanos,
				this.growth, this.jitter);
	}

	Rules withFollowing(boolean following) {
		return new Rules(this.spread, this.returning, this.joining, following, this.settling, this.joinFactor,
				this.joinNanos, this.settleFactor, this.followNanos, this.minBackoffNanos, this.maxBackoffNanos,
				this.growth, this.jitter);
	}

	Rules withSettling(boolean settling) {
		return new Rules(this.spread, this.returning, this.joining, this.following, settling, this.joinFactor,
				this.joinNanos, this.settleFactor, this.followNanos, this.minBackoffNanos, this.maxBackoffNanos,
				this.growth, this.jitter);
	}

	/**
	 * How strictly to spread the connections of a client over the servers.
	 */
	enum Spread {

		/**
		 * Only slots count.
		 */
		OFF,

		/**
		 * An even share per server is a preference.
		 */
		SOFT,

		/**
		 * An even share per server is a limit, which breaks the balance: for comparison
		 * only.
		 */
		HARD

	}

}
