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

import java.util.Arrays;

import org.jspecify.annotations.Nullable;

/**
 * The clock of a simulation and its scheduled tasks. Of two tasks that are due at the
 * same moment, the one that was scheduled first runs first. Confined to one thread.
 *
 * @author The Callosum authors
 */
public final class VirtualTime {

	/** A heap with four children per node, in parallel arrays: no object per task. */
	private long[] times = new long[1024];

	private long[] sequences = new long[1024];

	private @Nullable Runnable[] tasks = new @Nullable Runnable[1024];

	private int size;

	private long sequence;

	private long now;

	/**
	 * Return the time.
	 * @return nanoseconds since the start of the simulation
	 */
	public long now() {
		return this.now;
	}

	/**
	 * Run a task later, unless it is cancelled before then.
	 * @param delay nanoseconds, 0 or more
	 * @param task the task
	 * @return the timer
	 */
	public Timer schedule(long delay, Runnable task) {
		Timer timer = new Timer(task);
		run(delay, timer);
		return timer;
	}

	/**
	 * Run a task later. It cannot be cancelled.
	 * @param delay nanoseconds, 0 or more
	 * @param task the task
	 */
	void run(long delay, Runnable task) {
		if (this.size == this.times.length) {
			int length = this.size * 2;
			this.times = Arrays.copyOf(this.times, length);
			this.sequences = Arrays.copyOf(this.sequences, length);
			this.tasks = Arrays.copyOf(this.tasks, length);
		}
		up(this.size++, this.now + Math.max(delay, 0), this.sequence++, task);
	}

	/**
	 * Let time pass, and run all tasks that become due.
	 * @param end nanoseconds since the start of the simulation
	 */
	public void runUntil(long end) {
		while (this.size > 0 && this.times[0] <= end) {
			this.now = this.times[0];
			Runnable task = this.tasks[0];
			removeFirst();
			if (task != null) {
				task.run();
			}
		}
		this.now = end;
	}

	private void up(int from, long time, long sequence, Runnable task) {
		int index = from;
		while (index > 0) {
			int parent = (index - 1) >> 2;
			if (this.times[parent] <= time) {
				break;
			}
			move(parent, index);
			index = parent;
		}
		put(index, time, sequence, task);
	}

	private void removeFirst() {
		int last = --this.size;
		long time = this.times[last];
		long order = this.sequences[last];
		Runnable task = this.tasks[last];
		this.tasks[last] = null;
		int index = 0;
		while (true) {
			int child = (index << 2) + 1;
			if (child >= last) {
				break;
			}
			int least = child;
			for (int other = child + 1; other < Math.min(child + 4, last); other++) {
				if (isBefore(this.times[other], this.sequences[other], this.times[least], this.sequences[least])) {
					least = other;
				}
			}
			if (!isBefore(this.times[least], this.sequences[least], time, order)) {
				break;
			}
			move(least, index);
			index = least;
		}
		if (last > 0) {
			put(index, time, order, task);
		}
	}

	private static boolean isBefore(long time, long sequence, long otherTime, long otherSequence) {
		return time < otherTime || (time == otherTime && sequence < otherSequence);
	}

	private void move(int from, int to) {
		put(to, this.times[from], this.sequences[from], this.tasks[from]);
	}

	private void put(int index, long time, long sequence, @Nullable Runnable task) {
		this.times[index] = time;
		this.sequences[index] = sequence;
		this.tasks[index] = task;
	}

	/**
	 * A task that can be cancelled.
	 */
	public static final class Timer implements Runnable {

		private @Nullable Runnable task;

		Timer(Runnable task) {
			this.task = task;
		}

		/**
		 * Cancel the task, if it has not run yet.
		 */
		public void cancel() {
			this.task = null;
		}

		@Override
		public void run() {
			Runnable due = this.task;
			this.task = null;
			if (due != null) {
				due.run();
			}
		}

	}

}
