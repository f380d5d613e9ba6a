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

import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;

import org.jspecify.annotations.Nullable;

/**
 * Notifies an observer of what happened, one event at a time and in order, on one of the
 * threads that caused the events. A slow observer delays the notifications, not the pool.
 */
final class Notifications {

	private final PoolObserver observer;

	private final Queue<Consumer<PoolObserver>> queue = new ConcurrentLinkedQueue<>();

	private final AtomicInteger pending = new AtomicInteger();

	private volatile @Nullable Thread thread;

	Notifications(PoolObserver observer) {
		this.observer = observer;
	}

	/**
	 * Add a notification. Called while the pool is locked, which determines the order.
	 */
	void add(Consumer<PoolObserver> notification) {
		this.queue.add(notification);
	}

	/**
	 * Deliver pending notifications. Never called while the pool is locked.
	 */
	void drain() {
		if (this.queue.isEmpty() || this.pending.getAndIncrement() != 0) {
			return;
		}
		int seen = 1;
		do {
			this.thread = Thread.currentThread();
			Consumer<PoolObserver> notification;
			while ((notification = this.queue.poll()) != null) {
				notification.accept(this.observer);
			}
			this.thread = null;
			seen = this.pending.addAndGet(-seen);
		}
		while (seen != 0);
	}

	/**
	 * Return whether the current thread is notifying the observer.
	 */
	boolean isDraining() {
		return this.thread == Thread.currentThread();
	}

}
