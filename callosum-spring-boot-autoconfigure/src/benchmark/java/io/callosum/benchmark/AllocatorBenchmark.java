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

import java.net.InetSocketAddress;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.TimeUnit;

import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.infra.ThreadParams;

import io.callosum.server.SlotAllocator;
import io.callosum.server.SlotRequest;

/**
 * Releases a slot and allocates the lowest free one. In addition, a tenth as many slots
 * as are held are free, at first at random, so the set of free slots is never empty.
 *
 * @author The Callosum authors
 */
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
public class AllocatorBenchmark {

	private static final int BURST = 64;

	/**
	 * One connection closes, and one opens.
	 * @param slots the slots of this thread
	 * @return the slot allocated
	 */
	@Benchmark
	public int oneByOne(HeldSlots slots) {
		int index = slots.random();
		slots.allocator.release(slots.held[index]);
		int slot = slots.allocator.allocate(slots.request);
		slots.held[index] = slot;
		return slot;
	}

	/**
	 * Many connections close, then as many open.
	 * @param slots the slots of this thread
	 * @return a slot allocated
	 */
	@Benchmark
	@OperationsPerInvocation(BURST)
	public int inBursts(HeldSlots slots) {
		// Neighbours in this array hold unrelated slots
		int index = slots.random();
		int[] held = slots.held;
		for (int i = 0; i < BURST; i++) {
			slots.allocator.release(held[(index + i) % held.length]);
		}
		for (int i = 0; i < BURST; i++) {
			held[(index + i) % held.length] = slots.allocator.allocate(slots.request);
		}
		return held[index];
	}

	/**
	 * The allocator, and all slots that are held.
	 */
	@State(Scope.Benchmark)
	public static class AllocatorState {

		/**
		 * The allocator to measure.
		 */
		@Param
		public AllocatorRival allocator;

		/**
		 * How many slots are held.
		 */
		@Param({ "1000", "100000", "1000000" })
		public int held;

		private SlotAllocator instance;

		private int[] slots;

		/**
		 * Allocate, and release a tenth at random.
		 */
		@Setup
		public void allocate() {
			Random random = new Random(42);
			this.instance = this.allocator.supplier.get();
			int[] all = new int[this.held + this.held / 10];
			for (int i = 0; i < all.length; i++) {
				all[i] = this.instance.allocate(HeldSlots.REQUEST);
			}
			for (int i = all.length - 1; i > 0; i--) {
				int other = random.nextInt(i + 1);
				int slot = all[i];
				all[i] = all[other];
				all[other] = slot;
			}
			for (int i = this.held; i < all.length; i++) {
				this.instance.release(all[i]);
			}
			this.slots = Arrays.copyOf(all, this.held);
		}

	}

	/**
	 * The slots that one thread holds.
	 */
	@State(Scope.Thread)
	public static class HeldSlots {

		private static final SlotRequest REQUEST = new SlotRequest("benchmark", new InetSocketAddress("127.0.0.1", 1),
				new InetSocketAddress("127.0.0.1", 2));

		private final SlotRequest request = REQUEST;

		private SlotAllocator allocator;

		private int[] held;

		private int seed;

		/**
		 * Take this thread's share.
		 * @param state all slots
		 * @param thread this thread
		 */
		@Setup
		public void share(AllocatorState state, ThreadParams thread) {
			int share = state.held / thread.getThreadCount();
			int from = share * thread.getThreadIndex();
			this.allocator = state.instance;
			this.held = Arrays.copyOfRange(state.slots, from, from + share);
			this.seed = 1 + thread.getThreadIndex();
		}

		private int random() {
			int next = this.seed;
			next ^= next << 13;
			next ^= next >>> 17;
			next ^= next << 5;
			this.seed = next;
			return (int) (((next & 0xffffffffL) * this.held.length) >>> 32);
		}

	}

}
