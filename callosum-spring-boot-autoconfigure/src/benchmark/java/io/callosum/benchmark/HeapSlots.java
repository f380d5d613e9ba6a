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

package io.callosum.benchmark;

import java.util.PriorityQueue;

/**
 * The slots of an application that manages its own: a heap of the free slots and the next
 * slot that was never assigned, under a lock. Counts slots, so that a run can prove that
 * none was lost.
 *
 * @author The Callosum authors
 */
final class HeapSlots implements SlotCounts {

	private final PriorityQueue<Integer> free = new PriorityQueue<>();

	private int next;

	private long taken;

	private long freed;

	synchronized int take() {
		this.taken++;
		Integer slot = this.free.poll();
		return (slot != null) ? slot : this.next++;
	}

	synchronized void free(int slot) {
		this.freed++;
		this.free.add(slot);
	}

	@Override
	public synchronized long taken() {
		return this.taken;
	}

	@Override
	public synchronized long freed() {
		return this.freed;
	}

}
