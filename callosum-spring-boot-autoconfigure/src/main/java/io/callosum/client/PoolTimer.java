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

import java.util.Objects;

import org.jspecify.annotations.Nullable;
import reactor.core.Disposable;

/**
 * A deferred action of a pool. Guarded by the pool's lock, except for {@link #run()}.
 */
final class PoolTimer implements Runnable {

	final Kind kind;

	/**
	 * The server that the timer concerns, or {@code null}.
	 */
	final @Nullable PoolServer server;

	/**
	 * The member that the timer concerns, or {@code null}.
	 */
	final @Nullable Member member;

	@Nullable Disposable scheduled;

	private final PoolTimers timers;

	PoolTimer(PoolTimers timers, Kind kind, @Nullable PoolServer server, @Nullable Member member) {
		this.timers = timers;
		this.kind = kind;
		this.server = server;
		this.member = member;
	}

	PoolServer server() {
		return Objects.requireNonNull(this.server);
	}

	Member member() {
		return Objects.requireNonNull(this.member);
	}

	@Override
	public void run() {
		this.timers.elapsed(this);
	}

	enum Kind {

		/**
		 * Dial a random server.
		 */
		ROVE,

		/**
		 * Dial a random server, because connections have moved.
		 */
		SETTLE,

		/**
		 * Check whether a server may be dialled again.
		 */
		FILL,

		/**
		 * Dial a server that went away.
		 */
		RETURN,

		/**
		 * Dial a new server.
		 */
		JOIN,

		/**
		 * Dial a server again that has just assigned a better slot.
		 */
		FOLLOW,

		/**
		 * End an ejection.
		 */
		RESTORE,

		/**
		 * Replace a member that is too old.
		 */
		AGE

	}

}
