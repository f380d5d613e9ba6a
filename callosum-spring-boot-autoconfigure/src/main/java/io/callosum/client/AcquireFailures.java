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

import io.callosum.client.LeaseUnavailableException.Reason;

/**
 * Describes why there is no lease, with the numbers of the pool. Guarded by the pool's
 * lock.
 */
final class AcquireFailures {

	private final PoolSettings settings;

	private final Members members;

	private final Waiters waiters;

	private final Rover rover;

	AcquireFailures(PoolSettings settings, Members members, Waiters waiters, Rover rover) {
		this.settings = settings;
		this.members = members;
		this.waiters = waiters;
		this.rover = rover;
	}

	static LeaseUnavailableException notStarted(ClientSettings settings) {
		return new LeaseUnavailableException(Reason.NOT_RUNNING, settings.name() + ": the client is not running", null);
	}

	LeaseUnavailableException notRunning() {
		return create(Reason.NOT_RUNNING, "the client is not running");
	}

	LeaseUnavailableException tooManyPending() {
		return create(Reason.TOO_MANY_PENDING, "no idle connection, and the maximum number of acquires is pending");
	}

	LeaseUnavailableException timeout(long timeoutNanos) {
		String within = " within " + timeoutNanos / 1_000_000 + " ms";
		return (this.rover.servers().list().size() > 0) ? create(Reason.TIMEOUT, "no connection" + within)
				: create(Reason.NO_SERVER, "no server found" + within);
	}

	private LeaseUnavailableException create(Reason reason, String what) {
		Servers servers = this.rover.servers();
		return new LeaseUnavailableException(reason,
				"%s: %s (pool %d, leased %d, idle %d, pending %d; %d of %d servers reachable)".formatted(
						this.settings.name(), what, this.settings.poolSize(), this.members.leased(),
						this.members.idle(), this.waiters.size(), servers.available(), servers.list().size()),
				this.rover.lastFailure());
	}

}
