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

import org.jspecify.annotations.Nullable;

/**
 * Acquires that wait, first come, first served. Any of them can be removed in constant
 * time. Guarded by the pool's lock.
 */
final class Waiters {

	private @Nullable Waiter first;

	private @Nullable Waiter last;

	private int size;

	int size() {
		return this.size;
	}

	void add(Waiter waiter) {
		assert !waiter.queued;
		Waiter last = this.last;
		waiter.previous = last;
		if (last != null) {
			last.next = waiter;
		}
		else {
			this.first = waiter;
		}
		this.last = waiter;
		waiter.queued = true;
		this.size++;
	}

	@Nullable Waiter poll() {
		Waiter first = this.first;
		if (first != null) {
			remove(first);
		}
		return first;
	}

	void remove(Waiter waiter) {
		if (!waiter.queued) {
			return;
		}
		Waiter previous = waiter.previous;
		Waiter next = waiter.next;
		if (previous != null) {
			previous.next = next;
		}
		else {
			this.first = next;
		}
		if (next != null) {
			next.previous = previous;
		}
		else {
			this.last = previous;
		}
		waiter.previous = null;
		waiter.next = null;
		waiter.queued = false;
		this.size--;
	}

}
