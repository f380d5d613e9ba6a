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

import java.util.Iterator;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

import io.netty.util.concurrent.GlobalEventExecutor;

/**
 * Limits the memory that is held for bytes that have not been requested: per connection,
 * and for all connections together. Thread-safe.
 */
public final class ReadAheadBudget {

	/**
	 * How long to wait before more waiting handlers may read, so that what the previous
	 * ones read has been counted by then.
	 */
	private static final long RESUME_MILLIS = 10;

	private final long perConnection;

	private final long total;

	private final AtomicLong held = new AtomicLong();

	/**
	 * The handlers that do not read because the budget was used up.
	 */
	private final Set<ReadAheadHandler> waiting = ConcurrentHashMap.newKeySet();

	private final AtomicBoolean resuming = new AtomicBoolean();

	/**
	 * Create a new budget.
	 * @param perConnection the number of held bytes at which a connection stops reading
	 * ahead
	 * @param total the same for all connections together
	 */
	public ReadAheadBudget(long perConnection, long total) {
		this.perConnection = perConnection;
		this.total = total;
	}

	/**
	 * Return how much is held for all connections together.
	 * @return the number of bytes
	 */
	public long held() {
		return this.held.get();
	}

	long perConnection() {
		return this.perConnection;
	}

	boolean isUsedUp() {
		return this.held.get() >= this.total;
	}

	/**
	 * Return the error of a connection for which no more can be held.
	 */
	static OutOfMemoryError usedUp() {
		return new OutOfMemoryError("The read-ahead budget is used up");
	}

	void add(long bytes) {
		this.held.addAndGet(bytes);
	}

	void remove(long bytes) {
		this.held.addAndGet(-bytes);
		resume();
	}

	/**
	 * Let a handler read when there is room again.
	 */
	void await(ReadAheadHandler handler) {
		this.waiting.add(handler);
		// There may be room by now
		resume();
	}

	/**
	 * Remove a handler from those that wait for room.
	 */
	void forget(ReadAheadHandler handler) {
		if (!this.waiting.isEmpty()) {
			this.waiting.remove(handler);
		}
	}

	private void resume() {
		if (!this.waiting.isEmpty() && !isUsedUp() && this.resuming.compareAndSet(false, true)) {
			resumeSome();
		}
	}

	/**
	 * Let as many handlers read as there is room for, and check again a little later if
	 * more are waiting. The check does not run on one of their event loops, which may be
	 * blocked.
	 */
	private void resumeSome() {
		long room = this.total - this.held.get();
		Iterator<ReadAheadHandler> handlers = this.waiting.iterator();
		boolean resumed = false;
		while (room > 0 && handlers.hasNext()) {
			ReadAheadHandler handler = handlers.next();
			handlers.remove();
			room -= ReceiveBuffers.SMALL;
			handler.resume();
			resumed = true;
		}
		if (resumed && !this.waiting.isEmpty()) {
			GlobalEventExecutor.INSTANCE.schedule(this::resumeSome, RESUME_MILLIS, TimeUnit.MILLISECONDS);
			return;
		}
		this.resuming.set(false);
		resume();
	}

}
