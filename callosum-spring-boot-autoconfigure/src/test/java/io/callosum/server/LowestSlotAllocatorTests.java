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

import java.lang.management.ManagementFactory;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.stream.IntStream;

import com.sun.management.ThreadMXBean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

/**
 * Tests for {@link LowestSlotAllocator}.
 *
 * @author The Callosum authors
 */
class LowestSlotAllocatorTests {

	private static final int THREADS = 8;

	private static final SlotRequest REQUEST = new SlotRequest("1", InetSocketAddress.createUnresolved("peer", 1),
			InetSocketAddress.createUnresolved("server", 4040));

	@Test
	void givesTheSlotsInOrderFromZero() {
		LowestSlotAllocator allocator = new LowestSlotAllocator();
		assertThat(allocate(allocator, 200)).isEqualTo(IntStream.range(0, 200).toArray());
	}

	@Test
	void givesReleasedSlotsAgainLowestFirst() {
		LowestSlotAllocator allocator = new LowestSlotAllocator();
		allocate(allocator, 10);
		release(allocator, 5, 1, 3);
		assertThat(allocate(allocator, 4)).containsExactly(1, 3, 5, 10);
	}

	@Test
	void givesReleasedSlotsLowestFirstInWhateverOrderTheyCome() {
		LowestSlotAllocator allocator = new LowestSlotAllocator();
		allocate(allocator, 10);
		release(allocator, 5, 3, 8);
		assertThat(allocator.allocate(REQUEST)).isEqualTo(3);
		release(allocator, 9, 4);
		for (int slot : new int[] { 4, 5, 8, 9, 10 }) {
			assertThat(allocator.allocate(REQUEST)).isEqualTo(slot);
		}
	}

	@Test
	void givesASlotAgainThatIsReleasedWhileAHigherOneIsFree() {
		LowestSlotAllocator allocator = new LowestSlotAllocator();
		allocate(allocator, 5000);
		release(allocator, 4500, 70);
		assertThat(allocate(allocator, 1)).containsExactly(70);
		release(allocator, 0);
		assertThat(allocate(allocator, 3)).containsExactly(0, 4500, 5000);
	}

	@ParameterizedTest
	@ValueSource(ints = { 64, 64 * 64, 64 * 64 * 64 })
	void growsBeyondEachLevelOfTheTree(int boundary) {
		LowestSlotAllocator allocator = new LowestSlotAllocator();
		assertThat(allocate(allocator, boundary + 1)).isEqualTo(IntStream.rangeClosed(0, boundary).toArray());
		release(allocator, boundary, 0, boundary - 1, boundary / 2);
		assertThat(allocate(allocator, 5)).containsExactly(0, boundary / 2, boundary - 1, boundary, boundary + 1);
	}

	@ParameterizedTest
	@ValueSource(ints = { 1, 2, 63, 64, 65, 4095, 4096, 4097, 100_000 })
	void givesNoMoreThanTheMaximum(int maxSlots) {
		LowestSlotAllocator allocator = new LowestSlotAllocator(maxSlots);
		assertThat(allocate(allocator, maxSlots)).isEqualTo(IntStream.range(0, maxSlots).toArray());
		assertRefused(allocator, maxSlots);
		release(allocator, maxSlots - 1);
		assertThat(allocate(allocator, 1)).containsExactly(maxSlots - 1);
		assertRefused(allocator, maxSlots);
		assertNotInUse(allocator, maxSlots);
		release(allocator, IntStream.range(0, maxSlots).toArray());
		assertThat(allocate(allocator, maxSlots)).isEqualTo(IntStream.range(0, maxSlots).toArray());
		assertRefused(allocator, maxSlots);
	}

	@ParameterizedTest
	@ValueSource(ints = { 0, -1, Integer.MIN_VALUE })
	void aMaximumOfLessThanOneIsRejected(int maxSlots) {
		assertThatIllegalArgumentException().isThrownBy(() -> new LowestSlotAllocator(maxSlots))
			.withMessageContaining("maxSlots")
			.withMessageContaining(Integer.toString(maxSlots));
	}

	@ParameterizedTest
	@ValueSource(ints = { 5, 66, 70, 127, 128, 4096, 2_000_000_000, Integer.MAX_VALUE, -1, -64, Integer.MIN_VALUE })
	void releaseOfASlotThatIsNotInUseThrowsAndChangesNothing(int slot) {
		LowestSlotAllocator allocator = new LowestSlotAllocator(72);
		allocate(allocator, 70);
		release(allocator, 5, 66);
		assertNotInUse(allocator, slot);
		assertNotInUse(allocator, slot);
		assertThat(allocate(allocator, 4)).containsExactly(5, 66, 70, 71);
		assertRefused(allocator, 72);
	}

	@Test
	void releaseBeforeAnyAllocationThrowsAndChangesNothing() {
		LowestSlotAllocator allocator = new LowestSlotAllocator(1);
		assertNotInUse(allocator, 0);
		assertThat(allocate(allocator, 1)).containsExactly(0);
		assertRefused(allocator, 1);
	}

	@Test
	void releaseOfASlotThatIsNotInUseTakesNoMemory() {
		LowestSlotAllocator allocator = new LowestSlotAllocator();
		assertNotInUse(allocator, 2_000_000_000);
		long before = allocatedBytes();
		for (int i = 0; i < 10; i++) {
			assertNotInUse(allocator, 2_000_000_000);
		}
		// One bit for each slot up to that one would take 250 MB
		assertThat(allocatedBytes() - before).isLessThan(1_000_000);
	}

	@ParameterizedTest
	@ValueSource(ints = { 1, 100, 5000, Integer.MAX_VALUE })
	void behavesAsASortedSetOfFreeSlots(int maxSlots) {
		long seed = System.nanoTime();
		assertThatCode(() -> compareWithModel(new LowestSlotAllocator(maxSlots), maxSlots, new Random(seed)))
			.as("seed %d", seed)
			.doesNotThrowAnyException();
	}

	private void compareWithModel(LowestSlotAllocator allocator, int maxSlots, Random random) {
		TreeSet<Integer> free = new TreeSet<>();
		List<Integer> held = new ArrayList<>();
		int neverGiven = 0;
		for (int i = 0; i < 200_000; i++) {
			// Alternates between growing and shrinking, so that every fill level is
			// reached
			boolean growing = (i / 25_000) % 2 == 0;
			int choice = random.nextInt(100);
			if (choice < 2) {
				int slot = random.nextInt(neverGiven + 200) - 50;
				if (slot < 0 || slot >= neverGiven || free.contains(slot)) {
					assertNotInUse(allocator, slot);
				}
			}
			else if (choice < (growing ? 70 : 30)) {
				if (free.isEmpty() && neverGiven == maxSlots) {
					assertRefused(allocator, maxSlots);
					continue;
				}
				int expected = free.isEmpty() ? neverGiven++ : free.pollFirst();
				assertThat(allocator.allocate(REQUEST)).isEqualTo(expected);
				held.add(expected);
			}
			else if (!held.isEmpty()) {
				Collections.swap(held, random.nextInt(held.size()), held.size() - 1);
				int slot = held.remove(held.size() - 1);
				allocator.release(slot);
				free.add(slot);
			}
		}
	}

	@Test
	void aMillionSlotsReleasedInRandomOrderLeaveItEmpty() {
		int slots = 1_000_000;
		LowestSlotAllocator allocator = new LowestSlotAllocator(slots);
		long seed = System.nanoTime();
		for (int round = 0; round < 2; round++) {
			assertThat(allocate(allocator, slots)).isEqualTo(IntStream.range(0, slots).toArray());
			release(allocator, shuffled(slots, new Random(seed + round)));
		}
		assertThat(allocator.allocate(REQUEST)).as("seed %d", seed).isZero();
		assertNotInUse(allocator, 1);
	}

	@Test
	void aSlotTakesABitAndNotAnObject() {
		int slots = 1_000_000;
		long before = allocatedBytes();
		LowestSlotAllocator allocator = new LowestSlotAllocator();
		for (int i = 0; i < slots; i++) {
			allocator.allocate(REQUEST);
		}
		// Two bits, because growth by doubling discards as much as it keeps; the rest is
		// for what the JVM does on this thread
		assertThat(allocatedBytes() - before).isLessThan(slots * 2 / 8 + 100_000);
	}

	@Test
	void allocatesNoMemoryInSteadyState() {
		int slots = 5000;
		LowestSlotAllocator allocator = new LowestSlotAllocator();
		allocate(allocator, slots);
		int[] order = shuffled(slots, new Random(1));
		releaseAndAllocateAgain(allocator, order, 100_000);
		long before = allocatedBytes();
		releaseAndAllocateAgain(allocator, order, 100_000);
		assertThat(allocatedBytes() - before).isLessThan(4096);
	}

	private void releaseAndAllocateAgain(LowestSlotAllocator allocator, int[] order, int operations) {
		for (int i = 0; i < operations; i += 2) {
			// Two, because a single one need not involve the tree
			allocator.release(order[i % order.length]);
			allocator.release(order[(i + 1) % order.length]);
			allocator.allocate(REQUEST);
			allocator.allocate(REQUEST);
		}
	}

	@Test
	void noSlotHasTwoHoldersAtOnce() throws Exception {
		int slotsPerThread = 40;
		LowestSlotAllocator allocator = new LowestSlotAllocator();
		// With at most this many in use, a higher slot is never the lowest free one
		AtomicIntegerArray holders = new AtomicIntegerArray(THREADS * slotsPerThread);
		inParallel((thread) -> {
			Random random = new Random(thread);
			int[] held = new int[slotsPerThread];
			int count = 0;
			for (int i = 0; i < 200_000; i++) {
				if (count == 0 || (count < slotsPerThread && random.nextBoolean())) {
					int slot = allocator.allocate(REQUEST);
					assertThat(slot).isLessThan(holders.length());
					assertThat(holders.incrementAndGet(slot)).isOne();
					held[count++] = slot;
				}
				else {
					int index = random.nextInt(count);
					int slot = held[index];
					held[index] = held[--count];
					holders.decrementAndGet(slot);
					allocator.release(slot);
				}
			}
			while (count > 0) {
				holders.decrementAndGet(held[--count]);
				allocator.release(held[count]);
			}
		});
		assertThat(allocate(allocator, 200)).isEqualTo(IntStream.range(0, 200).toArray());
	}

	@Test
	void neverGivesASlotAsHighAsTheNumberOfThoseThatHoldOrAskForOne() throws Exception {
		int below = 60;
		LowestSlotAllocator allocator = new LowestSlotAllocator(below + THREADS);
		allocate(allocator, below);
		inParallel((thread) -> {
			for (int i = 0; i < 200_000; i++) {
				int slot = allocator.allocate(REQUEST);
				assertThat(slot).isBetween(below, below + THREADS - 1);
				allocator.release(slot);
			}
		});
		assertThat(allocate(allocator, 1)).containsExactly(below);
	}

	@ParameterizedTest
	@ValueSource(ints = { 1, 2, 24 })
	void everySlotWasTheLowestFreeOneAtSomeMomentOfTheCall(int slotsPerThread) throws Exception {
		// Close to the end of the first word, so that the calls work on several levels
		int below = 60;
		int rounds = 40_000;
		LowestSlotAllocator allocator = new LowestSlotAllocator();
		History history = new History((below + THREADS * (rounds + slotsPerThread)) * 4);
		for (int i = 0; i < below; i++) {
			history.allocate(allocator);
		}
		inParallel((thread) -> {
			Random random = new Random(thread);
			int[] held = new int[slotsPerThread];
			int count = 0;
			for (int i = 0; i < rounds || count > 0; i++) {
				if (i < rounds && count < slotsPerThread && (count == 0 || random.nextBoolean())) {
					held[count++] = history.allocate(allocator);
				}
				else {
					int index = random.nextInt(count);
					history.release(allocator, held[index]);
					held[index] = held[--count];
				}
			}
		});
		history.verify(below + THREADS * slotsPerThread);
	}

	@Test
	void releasesThatRaceForASlotFreeItOnlyOnce() throws Exception {
		int slots = 70;
		LowestSlotAllocator allocator = new LowestSlotAllocator(slots);
		AtomicInteger inUse = new AtomicInteger();
		inParallel((thread) -> {
			Random random = new Random(thread);
			for (int i = 0; i < 40_000; i++) {
				try {
					if (random.nextBoolean()) {
						allocator.allocate(REQUEST);
						inUse.incrementAndGet();
					}
					else {
						allocator.release(random.nextInt(slots));
						inUse.decrementAndGet();
					}
				}
				catch (NoSlotAvailableException | IllegalArgumentException ex) {
					// None left, or another thread was first
				}
			}
		});
		assertThat(allocate(allocator, slots - inUse.get())).doesNotHaveDuplicates();
		assertRefused(allocator, slots);
		release(allocator, IntStream.range(0, slots).toArray());
		assertThat(allocate(allocator, slots)).isEqualTo(IntStream.range(0, slots).toArray());
	}

	private static void inParallel(Task task) throws Exception {
		CyclicBarrier start = new CyclicBarrier(THREADS);
		ExecutorService executor = Executors.newFixedThreadPool(THREADS);
		try {
			List<Callable<Void>> tasks = new ArrayList<>();
			for (int i = 0; i < THREADS; i++) {
				int thread = i;
				tasks.add(() -> {
					start.await();
					task.run(thread);
					return null;
				});
			}
			for (Future<Void> result : executor.invokeAll(tasks, 2, TimeUnit.MINUTES)) {
				result.get();
			}
		}
		finally {
			executor.shutdownNow();
		}
	}

	private static int[] allocate(LowestSlotAllocator allocator, int count) {
		return IntStream.range(0, count).map((i) -> allocator.allocate(REQUEST)).toArray();
	}

	private static void release(LowestSlotAllocator allocator, int... slots) {
		for (int slot : slots) {
			allocator.release(slot);
		}
	}

	private static void assertRefused(LowestSlotAllocator allocator, int maxSlots) {
		assertThatExceptionOfType(NoSlotAvailableException.class).isThrownBy(() -> allocator.allocate(REQUEST))
			.withMessage("All %d slots are in use", maxSlots);
	}

	private static void assertNotInUse(LowestSlotAllocator allocator, int slot) {
		assertThatIllegalArgumentException().isThrownBy(() -> allocator.release(slot))
			.withMessage("Slot %d is not in use", slot);
	}

	private static int[] shuffled(int slots, Random random) {
		List<Integer> order = new ArrayList<>(IntStream.range(0, slots).boxed().toList());
		Collections.shuffle(order, random);
		return order.stream().mapToInt(Integer::intValue).toArray();
	}

	private static long allocatedBytes() {
		return ((ThreadMXBean) ManagementFactory.getThreadMXBean()).getCurrentThreadAllocatedBytes();
	}

	interface Task {

		void run(int thread) throws Exception;

	}

	/**
	 * What several threads did, in ticks of a shared clock. A slot may be in use from the
	 * call of {@code allocate} to the return of {@code release}, and is certainly free
	 * otherwise. So an allocation is correct only if there is a moment during the call at
	 * which no lower slot was certainly free, and at which the release by the previous
	 * holder of the slot, if any, had begun.
	 */
	private static final class History {

		private final AtomicInteger clock = new AtomicInteger();

		// By tick: 1 + the slot returned by the call of allocate that began then, and the
		// tick at which that call had returned
		private final int[] given;

		private final int[] returned;

		// By tick: 1 + the slot whose release began then, or had returned
		private final int[] leaving;

		private final int[] left;

		History(int ticks) {
			this.given = new int[ticks];
			this.returned = new int[ticks];
			this.leaving = new int[ticks];
			this.left = new int[ticks];
		}

		int allocate(LowestSlotAllocator allocator) {
			int called = this.clock.getAndIncrement();
			int slot = allocator.allocate(REQUEST);
			this.returned[called] = this.clock.getAndIncrement();
			this.given[called] = slot + 1;
			return slot;
		}

		void release(LowestSlotAllocator allocator, int slot) {
			this.leaving[this.clock.getAndIncrement()] = slot + 1;
			allocator.release(slot);
			this.left[this.clock.getAndIncrement()] = slot + 1;
		}

		void verify(int slots) {
			int[] lowestFree = lowestFree(slots);
			for (int called = 0; called < this.clock.get(); called++) {
				int slot = this.given[called] - 1;
				if (slot >= 0) {
					boolean right = false;
					for (int tick = called; tick < this.returned[called]; tick++) {
						right = (right && this.leaving[tick] != slot + 1) || lowestFree[tick] > slot;
					}
					assertThat(right)
						.as("slot %d was the lowest free one between %d and %d", slot, called, this.returned[called])
						.isTrue();
				}
			}
		}

		/**
		 * The lowest slot that is certainly free, from each tick to the next. A slot may
		 * be allocated again before its release has returned, so it may have two users
		 * here.
		 */
		private int[] lowestFree(int slots) {
			int[] lowestFree = new int[this.clock.get()];
			int[] users = new int[slots];
			BitSet free = new BitSet();
			free.set(0, slots + 1);
			for (int tick = 0; tick < lowestFree.length; tick++) {
				if (this.given[tick] > 0 && users[this.given[tick] - 1]++ == 0) {
					free.clear(this.given[tick] - 1);
				}
				if (this.left[tick] > 0 && --users[this.left[tick] - 1] == 0) {
					free.set(this.left[tick] - 1);
				}
				lowestFree[tick] = free.nextSetBit(0);
			}
			return lowestFree;
		}

	}

}
