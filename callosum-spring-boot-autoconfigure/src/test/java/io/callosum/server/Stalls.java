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

package io.callosum.server;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/**
 * How late threads of this process have run since a given moment. On a busy machine,
 * lateness need not be a fault of the server.
 */
final class Stalls {

	/**
	 * When one thread is late, several that wait for each other may be.
	 */
	private static final int FACTOR = 10;

	private static final Watch watch = new Watch();

	private final long before = watch.total();

	private Stalls() {
	}

	/**
	 * Start counting now.
	 */
	static Stalls from() {
		return new Stalls();
	}

	/**
	 * Return the longest time that may pass since {@link #from()} for a given promise.
	 */
	Duration allowFor(Duration promise) {
		return promise.plusNanos(FACTOR * (watch.total() - this.before));
	}

	private static final class Watch implements Runnable {

		private static final long PAUSE = Duration.ofMillis(20).toNanos();

		private volatile State state = new State(0, System.nanoTime());

		private Watch() {
			Thread thread = new Thread(this, "stalls");
			thread.setDaemon(true);
			thread.start();
		}

		@Override
		public void run() {
			while (true) {
				LockSupport.parkNanos(PAUSE);
				long now = System.nanoTime();
				this.state = new State(this.state.total(now), now);
			}
		}

		/**
		 * Return the time lost so far in nanoseconds, even if this thread is no longer
		 * late but the watch thread still is.
		 */
		private long total() {
			return this.state.total(System.nanoTime());
		}

		private record State(long lost, long since) {

			private long total(long now) {
				return this.lost + Math.max(0, now - this.since - PAUSE);
			}

		}

	}

}
