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
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicLong;

import io.netty.util.concurrent.EventExecutor;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;

/**
 * Measures how long a task waits for an event loop. Each reading submits a task to every
 * loop, and the next reading returns how long they waited. There is no cost without
 * readings. Any thread.
 */
final class EventLoopLag {

	private static final Log logger = LogFactory.getLog(EventLoopLag.class);

	private final List<Probe> probes = new ArrayList<>();

	EventLoopLag(Iterable<EventExecutor> loops) {
		loops.forEach((loop) -> this.probes.add(new Probe(loop)));
	}

	/**
	 * Return the longest wait of the tasks of the last reading, so far if they still
	 * wait.
	 */
	Duration read() {
		long nanos = 0;
		for (Probe probe : this.probes) {
			nanos = Math.max(nanos, probe.read());
		}
		return Duration.ofNanos(nanos);
	}

	private static final class Probe implements Runnable {

		private final EventExecutor loop;

		/**
		 * When the waiting task was submitted, 0 if there is none.
		 */
		private final AtomicLong since = new AtomicLong();

		private volatile long lag;

		private Probe(EventExecutor loop) {
			this.loop = loop;
		}

		private long read() {
			long since = this.since.get();
			if (since != 0) {
				return Math.max(this.lag, System.nanoTime() - since);
			}
			long lag = this.lag;
			if (this.since.compareAndSet(0, Math.max(System.nanoTime(), 1))) {
				try {
					this.loop.execute(this);
				}
				catch (RejectedExecutionException ex) {
					logger.trace("The event loop has ended", ex);
					this.since.set(0);
				}
			}
			return lag;
		}

		@Override
		public void run() {
			this.lag = System.nanoTime() - this.since.getAndSet(0);
		}

	}

}
