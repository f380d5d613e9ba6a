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
import java.util.Comparator;
import java.util.PriorityQueue;

import reactor.core.Disposable;

/**
 * A clock that stands still, and timers that elapse when it is advanced.
 */
final class VirtualTimers implements Timers {

	private final PriorityQueue<Task> tasks = new PriorityQueue<>(
			Comparator.<Task>comparingLong((task) -> task.at).thenComparingLong((task) -> task.number));

	// As with System.nanoTime(), the sign has no meaning
	private long now = -1_000_000_000L;

	private long number;

	@Override
	public synchronized long nanoTime() {
		return this.now;
	}

	@Override
	public synchronized Disposable schedule(Runnable task, long delayNanos) {
		if (delayNanos < 0) {
			throw new IllegalArgumentException("Negative delay");
		}
		Task scheduled = new Task(this.now + delayNanos, this.number++, task);
		this.tasks.add(scheduled);
		return () -> remove(scheduled);
	}

	private synchronized void remove(Task task) {
		this.tasks.remove(task);
	}

	/**
	 * Return the number of scheduled tasks.
	 */
	synchronized int size() {
		return this.tasks.size();
	}

	/**
	 * Let time pass, and run all tasks that are due.
	 */
	void advance(Duration duration) {
		advance(duration.toNanos());
	}

	void advance(long nanos) {
		long end = nanoTime() + nanos;
		Runnable task;
		while ((task = next(end)) != null) {
			task.run();
		}
		synchronized (this) {
			this.now = end;
		}
	}

	private synchronized Runnable next(long end) {
		Task task = this.tasks.peek();
		if (task == null || task.at > end) {
			return null;
		}
		this.tasks.remove();
		this.now = task.at;
		return task.task;
	}

	private record Task(long at, long number, Runnable task) {
	}

}
