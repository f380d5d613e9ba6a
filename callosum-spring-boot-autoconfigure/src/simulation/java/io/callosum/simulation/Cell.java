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

import java.time.Duration;

/**
 * The size of a fleet.
 *
 * @param clients the number of clients
 * @param servers the number of servers
 * @param poolSize the number of connections that a client keeps
 * @param interval the roving interval
 * @author The Callosum authors
 */
record Cell(int clients, int servers, int poolSize, Duration interval) {

	static Cell of(int clients, int servers, int poolSize, int seconds) {
		return new Cell(clients, servers, poolSize, Duration.ofSeconds(seconds));
	}

	/**
	 * Return the time after which a fleet must be at rest.
	 */
	Duration settling() {
		return this.interval.multipliedBy(6L * this.poolSize);
	}

	/**
	 * Return the time after which a fleet that does not spread must be at rest.
	 */
	Duration settlingWithoutSpread() {
		return this.interval.multipliedBy(8L * Math.max(this.poolSize, this.servers));
	}

	double connectionsPerServer() {
		return this.clients * (double) this.poolSize / this.servers;
	}

	@Override
	public String toString() {
		return this.clients + "/" + this.servers + "/" + this.poolSize;
	}

}
