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

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.function.Supplier;

import org.jspecify.annotations.Nullable;

/**
 * The lock of a pool, and the actions to run once it is unlocked.
 */
final class PoolLock {

	private final ReentrantLock lock = new ReentrantLock();

	private final Notifications notifications;

	private @Nullable List<Runnable> effects;

	PoolLock(Notifications notifications) {
		this.notifications = notifications;
	}

	void lock() {
		this.lock.lock();
		assert this.lock.getHoldCount() == 1;
	}

	/**
	 * Unlock, and then run the collected actions.
	 */
	void unlock() {
		List<Runnable> effects = this.effects;
		this.effects = null;
		this.lock.unlock();
		if (effects != null) {
			for (int i = 0; i < effects.size(); i++) {
				effects.get(i).run();
			}
		}
		this.notifications.drain();
	}

	/**
	 * Return something that is looked up under the lock.
	 */
	<T> T get(Supplier<T> lookup) {
		lock();
		try {
			return lookup.get();
		}
		finally {
			unlock();
		}
	}

	/**
	 * Run an action after unlocking, on the same thread.
	 */
	void afterwards(Runnable effect) {
		assert isHeld();
		if (this.effects == null) {
			this.effects = new ArrayList<>(4);
		}
		this.effects.add(effect);
	}

	/**
	 * Notify the observer after unlocking, in order.
	 */
	void tell(Consumer<PoolObserver> notification) {
		assert isHeld();
		this.notifications.add(notification);
	}

	boolean isHeld() {
		return this.lock.isHeldByCurrentThread();
	}

}
