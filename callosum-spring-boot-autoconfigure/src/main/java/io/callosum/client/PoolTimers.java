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

import java.util.HashSet;
import java.util.Iterator;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Predicate;

import org.jspecify.annotations.Nullable;
import reactor.core.Disposable;

/**
 * The deferred actions of a pool. Guarded by the pool's lock.
 */
final class PoolTimers {

	private final PoolLock lock;

	private final Timers timers;

	private final Consumer<PoolTimer> action;

	private final Set<PoolTimer> scheduled = new HashSet<>(4);

	/**
	 * Create timers.
	 * @param lock the lock of the pool
	 * @param timers the timers to use
	 * @param action called with each timer that has elapsed, under the lock
	 */
	PoolTimers(PoolLock lock, Timers timers, Consumer<PoolTimer> action) {
		this.lock = lock;
		this.timers = timers;
		this.action = action;
	}

	PoolTimer schedule(PoolTimer.Kind kind, @Nullable PoolServer server, @Nullable Member member, long delayNanos) {
		assert this.lock.isHeld();
		PoolTimer timer = new PoolTimer(this, kind, server, member);
		this.scheduled.add(timer);
		timer.scheduled = this.timers.schedule(timer, Math.max(delayNanos, 0));
		return timer;
	}

	void cancelIf(Predicate<PoolTimer> condition) {
		assert this.lock.isHeld();
		for (Iterator<PoolTimer> iterator = this.scheduled.iterator(); iterator.hasNext();) {
			PoolTimer timer = iterator.next();
			if (condition.test(timer)) {
				iterator.remove();
				Disposable scheduled = timer.scheduled;
				if (scheduled != null) {
					scheduled.dispose();
				}
			}
		}
	}

	boolean isScheduled(Predicate<PoolTimer> condition) {
		for (PoolTimer timer : this.scheduled) {
			if (condition.test(timer)) {
				return true;
			}
		}
		return false;
	}

	int size() {
		return this.scheduled.size();
	}

	void elapsed(PoolTimer timer) {
		this.lock.lock();
		try {
			if (this.scheduled.remove(timer)) {
				this.action.accept(timer);
			}
		}
		finally {
			this.lock.unlock();
		}
	}

}
