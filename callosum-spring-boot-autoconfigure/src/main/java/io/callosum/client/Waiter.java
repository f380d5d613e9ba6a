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

import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;

import org.jspecify.annotations.Nullable;
import reactor.core.Disposable;

/**
 * An acquire. It ends once, with a connection, a failure or a cancel, and one
 * compare-and-set decides which.
 */
abstract class Waiter {

	private static final AtomicIntegerFieldUpdater<Waiter> ENDED = AtomicIntegerFieldUpdater.newUpdater(Waiter.class,
			"ended");

	/**
	 * The neighbours in the queue, guarded by the pool's lock.
	 */
	@Nullable Waiter previous;

	@Nullable Waiter next;

	boolean queued;

	long startedAt;

	private volatile int ended;

	private volatile @Nullable Disposable timer;

	/**
	 * A connection is leased. Never called while the pool is locked.
	 * @param member the connection, for which {@link PooledConnection#lease()} must be
	 * called now
	 */
	abstract void acquired(Member member);

	/**
	 * There is no connection. Never called while the pool is locked.
	 * @param failure why
	 */
	abstract void failed(LeaseUnavailableException failure);

	/**
	 * End the acquire, unless it has ended.
	 * @return whether this call ended it
	 */
	final boolean end() {
		if (!ENDED.compareAndSet(this, 0, 1)) {
			return false;
		}
		Disposable timer = this.timer;
		if (timer != null) {
			timer.dispose();
		}
		return true;
	}

	final boolean hasEnded() {
		return this.ended != 0;
	}

	final void timer(Disposable timer) {
		this.timer = timer;
		if (this.ended != 0) {
			timer.dispose();
		}
	}

}
