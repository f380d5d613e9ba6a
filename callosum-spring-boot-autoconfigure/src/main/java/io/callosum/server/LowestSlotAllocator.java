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

package io.callosum.server;

import java.util.Arrays;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;

/**
 * {@link SlotAllocator} that assigns the lowest free slot. Both methods are linearizable:
 * under concurrency, the assigned slot is the lowest free one at some moment between call
 * and return.
 * <p>
 * The cost of a call hardly depends on the number of slots. A slot takes one bit of
 * memory, so a million slots take about 130 KiB. Memory grows by doubling and never
 * shrinks. A call allocates objects only if it grows the memory, waits for another thread
 * or fails.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public class LowestSlotAllocator implements SlotAllocator {

	private static final long FULL = -1L;

	// The bit of a slot and the summaries above it must change in one step, or a slot
	// that is not the lowest could be assigned. Without a lock, every operation would
	// have to write a version: as contended as a lock, with retries, and hard to get
	// right. This lock is held only for a few reads and writes of longs. A monitor proved
	// slower without contention and several times slower with it, and before Java 24 a
	// virtual thread that waits for a monitor pins its carrier.
	private final Lock lock = new ReentrantLock();

	private final int maxSlots;

	/**
	 * A 64-way tree of bitmaps. At level 0, a set bit means that the slot is in use or
	 * spare; above, it means that the word below is full. New words, all zero, are
	 * therefore correct. The topmost level is always a single word.
	 */
	private long[][] levels = { new long[1] };

	/**
	 * A free slot that is lower than every free slot of the tree, or -1. The tree still
	 * marks it as in use. If connections come as others go, as on most servers, the next
	 * connection takes it, and the tree is neither written nor searched.
	 */
	private int spare = -1;

	/**
	 * No slot below this one is free in the tree, so a lower one that is released may
	 * become the spare. A lower value would still be correct, only slower.
	 */
	private int bound;

	private int inUse;

	/**
	 * Create an allocator without a limit.
	 */
	public LowestSlotAllocator() {
		this(Integer.MAX_VALUE);
	}

	/**
	 * Create an allocator for the slots from 0 to {@code maxSlots - 1}.
	 * @param maxSlots the number of slots, 1 or more
	 * @throws IllegalArgumentException if {@code maxSlots} is less than 1
	 */
	public LowestSlotAllocator(int maxSlots) {
		if (maxSlots < 1) {
			throw new IllegalArgumentException("maxSlots must be 1 or more, but is " + maxSlots);
		}
		this.maxSlots = maxSlots;
	}

	/**
	 * Allocate the lowest free slot.
	 * @param request the connection that asks for a slot; ignored
	 * @return the slot
	 * @throws NoSlotAvailableException if all slots are in use
	 */
	@Override
	public int allocate(SlotRequest request) {
		int slot = takeLowest();
		if (slot < 0) {
			throw new NoSlotAvailableException("All " + this.maxSlots + " slots are in use");
		}
		return slot;
	}

	/**
	 * Release a slot. It can be allocated again as soon as this method returns.
	 * @param slot the slot
	 * @throws IllegalArgumentException if the slot is not in use: already released, never
	 * allocated, or negative; nothing is changed in that case
	 */
	@Override
	public void release(int slot) {
		if (!giveBack(slot)) {
			throw new IllegalArgumentException("Slot " + slot + " is not in use");
		}
	}

	private int takeLowest() {
		this.lock.lock();
		try {
			// The lowest free slot is never higher than the number of slots in use, so
			// this keeps every index within the maximum and within an int
			if (this.inUse == this.maxSlots) {
				return -1;
			}
			int slot = (this.spare >= 0) ? takeSpare() : takeLowestOfTree();
			this.inUse++;
			return slot;
		}
		finally {
			this.lock.unlock();
		}
	}

	private boolean giveBack(int slot) {
		this.lock.lock();
		try {
			if (!isInUse(slot)) {
				return false;
			}
			if (slot >= this.bound) {
				markFree(slot);
			}
			else if (this.spare < 0) {
				this.spare = slot;
			}
			else {
				int higher = Math.max(slot, this.spare);
				this.spare = Math.min(slot, this.spare);
				markFree(higher);
				this.bound = higher;
			}
			this.inUse--;
			return true;
		}
		finally {
			this.lock.unlock();
		}
	}

	private int takeSpare() {
		int slot = this.spare;
		this.spare = -1;
		return slot;
	}

	private int takeLowestOfTree() {
		int slot = findLowest();
		markInUse(slot);
		this.bound = slot + 1;
		return slot;
	}

	/**
	 * Find the lowest free slot of the tree, and make room for it. Changes no bit, so
	 * nothing is lost if there is not enough memory to grow.
	 */
	private int findLowest() {
		if (this.levels[this.levels.length - 1][0] == FULL) {
			addLevel();
		}
		int index = 0;
		for (int level = this.levels.length - 1; level >= 0; level--) {
			long[] words = this.levels[level];
			if (index == words.length) {
				words = Arrays.copyOf(words, words.length * 2);
				this.levels[level] = words;
			}
			index = (index << 6) | Long.numberOfTrailingZeros(~words[index]);
		}
		return index;
	}

	private void addLevel() {
		long[][] grown = Arrays.copyOf(this.levels, this.levels.length + 1);
		grown[this.levels.length] = new long[] { 1 };
		this.levels = grown;
	}

	private boolean isInUse(int slot) {
		long[] words = this.levels[0];
		return slot >= 0 && slot != this.spare && (slot >>> 6) < words.length
				&& (words[slot >>> 6] & (1L << slot)) != 0;
	}

	private void markInUse(int slot) {
		int index = slot;
		for (long[] words : this.levels) {
			long bit = 1L << index;
			index >>>= 6;
			words[index] |= bit;
			if (words[index] != FULL) {
				return;
			}
		}
	}

	private void markFree(int slot) {
		int index = slot;
		for (long[] words : this.levels) {
			long bit = 1L << index;
			index >>>= 6;
			long before = words[index];
			words[index] = before & ~bit;
			if (before != FULL) {
				return;
			}
		}
	}

}
