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

import java.util.BitSet;
import java.util.PriorityQueue;
import java.util.TreeSet;
import java.util.concurrent.PriorityBlockingQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;

import io.callosum.server.LowestSlotAllocator;
import io.callosum.server.SlotAllocator;
import io.callosum.server.SlotRequest;

/**
 * The allocators that are measured side by side. The rivals do less than the product:
 * they have no maximum, and do not check that a released slot is in use.
 *
 * @author The Callosum authors
 */
public enum AllocatorRival {

	/**
	 * The product.
	 */
	LOWEST_SLOT_ALLOCATOR("LowestSlotAllocator", LowestSlotAllocator::new),

	/**
	 * A heap of the free slots, and the next slot that was never assigned.
	 */
	PRIORITY_QUEUE("PriorityQueue, locked", LockedPriorityQueue::new),

	/**
	 * The same without a lock around both, so the lowest slot is not always assigned.
	 */
	PRIORITY_BLOCKING_QUEUE("PriorityBlockingQueue, atomic counter", BlockingQueue::new),

	/**
	 * A tree of the free slots, and the next slot that was never assigned.
	 */
	TREE_SET("TreeSet, locked", LockedTreeSet::new),

	/**
	 * A bit for each slot, and a hint below which no slot is free.
	 */
	BIT_SET("BitSet with a hint, locked", LockedBitSet::new);

	final String title;

	final Supplier<SlotAllocator> supplier;

	AllocatorRival(String title, Supplier<SlotAllocator> supplier) {
		this.title = title;
		this.supplier = supplier;
	}

	private static final class LockedPriorityQueue implements SlotAllocator {

		private final Lock lock = new ReentrantLock();

		private final PriorityQueue<Integer> free = new PriorityQueue<>();

		private int next;

		@Override
		public int allocate(SlotRequest request) {
			this.lock.lock();
			try {
				Integer slot = this.free.poll();
				return (slot != null) ? slot : this.next++;
			}
			finally {
				this.lock.unlock();
			}
		}

		@Override
		public void release(int slot) {
			this.lock.lock();
			try {
				this.free.add(slot);
			}
			finally {
				this.lock.unlock();
			}
		}

	}

	private static final class BlockingQueue implements SlotAllocator {

		private final PriorityBlockingQueue<Integer> free = new PriorityBlockingQueue<>();

		private final AtomicInteger next = new AtomicInteger();

		@Override
		public int allocate(SlotRequest request) {
			Integer slot = this.free.poll();
			return (slot != null) ? slot : this.next.getAndIncrement();
		}

		@Override
		public void release(int slot) {
			this.free.add(slot);
		}

	}

	private static final class LockedTreeSet implements SlotAllocator {

		private final Lock lock = new ReentrantLock();

		private final TreeSet<Integer> free = new TreeSet<>();

		private int next;

		@Override
		public int allocate(SlotRequest request) {
			this.lock.lock();
			try {
				Integer slot = this.free.pollFirst();
				return (slot != null) ? slot : this.next++;
			}
			finally {
				this.lock.unlock();
			}
		}

		@Override
		public void release(int slot) {
			this.lock.lock();
			try {
				this.free.add(slot);
			}
			finally {
				this.lock.unlock();
			}
		}

	}

	private static final class LockedBitSet implements SlotAllocator {

		private final Lock lock = new ReentrantLock();

		private final BitSet inUse = new BitSet();

		private int hint;

		@Override
		public int allocate(SlotRequest request) {
			this.lock.lock();
			try {
				int slot = this.inUse.nextClearBit(this.hint);
				this.inUse.set(slot);
				this.hint = slot + 1;
				return slot;
			}
			finally {
				this.lock.unlock();
			}
		}

		@Override
		public void release(int slot) {
			this.lock.lock();
			try {
				this.inUse.clear(slot);
				this.hint = Math.min(this.hint, slot);
			}
			finally {
				this.lock.unlock();
			}
		}

	}

}
