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
 * leave single rules out, for those who measure what each is good for.
 *
 * @param spread how hard to spread over the servers
 * @param returning whether a server that could not be reached, or closed a connection, is
 * dialled again by itself
 * @param joining whether a server that is new in the list is dialled by itself
 * @param following whether a dial that found a place is followed by another
 * @param settling whether random servers are dialled after connections have moved
 * @param joinFactor a new server is dialled so many times the share of it
 * @param joinNanos within what time a new server is dialled
 * @param settleFactor so many random servers are dialled for each dial to a new server,
 * within twice the time for those and after it
 * @param followNanos the longest time between two dials that follow each other; the
 * shortest is two fifths of it
 * @param minBackoffNanos how long a server is left alone after the first failure
 * @param maxBackoffNanos how long a server is left alone at most
 * @param growth by what the time grows from failure to failure, that of an ejection too
 * @param jitter by what part each delay is longer or shorter by chance
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
	 * How hard to spread the connections of a client over the servers.
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
