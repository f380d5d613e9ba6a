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

package io.callosum.server.faults;

import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

import io.callosum.server.LowestSlotAllocator;
import io.callosum.server.SlotAllocator;
import io.callosum.server.SlotRequest;

/**
 * The slots of an application that lets its server allocate most of them, and assigns
 * some itself. Counts the slots that are taken and returned, and the events about them.
 */
final class CountingSlots implements SlotAllocator {

	private final LowestSlotAllocator delegate = new LowestSlotAllocator();

	private final Set<Integer> inUse = ConcurrentHashMap.newKeySet();

	/**
	 * The slots that the application has assigned, by connection.
	 */
	private final Map<String, Integer> assigned = new ConcurrentHashMap<>();

	/**
	 * The connections that were reported, and whose slot is not free.
	 */
	private final Set<String> open = ConcurrentHashMap.newKeySet();

	private final AtomicInteger unfreed = new AtomicInteger();

	private final AtomicInteger errors = new AtomicInteger();

	@Override
	public int allocate(SlotRequest request) {
		return take(request);
	}

	@Override
	public void release(int slot) {
		// Before the delegate may allocate it again
		if (!this.inUse.remove(slot)) {
			this.errors.incrementAndGet();
		}
		this.delegate.release(slot);
	}

	/**
	 * Take a slot in order to assign it. {@link #free} returns it.
	 */
	int assign(SlotRequest request) {
		int slot = take(request);
		this.assigned.put(request.connectionId(), slot);
		return slot;
	}

	void connected(String connectionId) {
		if (!this.open.add(connectionId)) {
			this.errors.incrementAndGet();
		}
	}

	void free(String connectionId) {
		this.open.remove(connectionId);
		this.unfreed.decrementAndGet();
		Integer slot = this.assigned.remove(connectionId);
		if (slot != null) {
			release(slot);
		}
	}

	int inUse() {
		return this.inUse.size();
	}

	int open() {
		return this.open.size();
	}

	/**
	 * Return how many more slots were taken than were reported as free.
	 */
	int unfreed() {
		return this.unfreed.get();
	}

	/**
	 * Return how often a slot was taken or returned twice, or a connection was reported
	 * twice.
	 */
	int errors() {
		return this.errors.get();
	}

	private int take(SlotRequest request) {
		int slot = this.delegate.allocate(null);
		this.unfreed.incrementAndGet();
		if (!this.inUse.add(slot)) {
			this.errors.incrementAndGet();
		}
		return slot;
	}

}
