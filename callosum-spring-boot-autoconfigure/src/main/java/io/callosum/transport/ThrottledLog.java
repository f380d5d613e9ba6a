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

package io.callosum.transport;

import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiConsumer;
import java.util.function.LongSupplier;

import org.jspecify.annotations.Nullable;

/**
 * Logs at most one message per minute, with the number of messages omitted since the last
 * one, so that peers cannot flood the log.
 */
public final class ThrottledLog {

	private static final long INTERVAL_NANOS = Duration.ofMinutes(1).toNanos();

	private final BiConsumer<String, @Nullable Throwable> log;

	private final AtomicLong leftOut = new AtomicLong();

	private final LongSupplier nanoTime;

	private final AtomicLong next;

	/**
	 * Create a new log.
	 * @param log takes a message and an exception whose stack trace is logged, if any
	 */
	public ThrottledLog(BiConsumer<String, @Nullable Throwable> log) {
		this(log, System::nanoTime);
	}

	ThrottledLog(BiConsumer<String, @Nullable Throwable> log, LongSupplier nanoTime) {
		this.log = log;
		this.nanoTime = nanoTime;
		this.next = new AtomicLong(nanoTime.getAsLong());
	}

	/**
	 * Log a message, unless there has been one within the last minute. Any thread.
	 * @param message the message
	 * @param stackTrace an exception whose stack trace is logged, if any
	 */
	public void log(String message, @Nullable Throwable stackTrace) {
		long now = this.nanoTime.getAsLong();
		long next = this.next.get();
		if ((now - next < 0) || !this.next.compareAndSet(next, now + INTERVAL_NANOS)) {
			this.leftOut.incrementAndGet();
			return;
		}
		long leftOut = this.leftOut.getAndSet(0);
		this.log.accept((leftOut > 0) ? message + " (and " + leftOut + " similar since the last message)" : message,
				stackTrace);
	}

}
