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

import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.stream.IntStream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import reactor.core.Disposable;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for races in the pool, on several threads and without a network.
 */
@Timeout(value = 10, unit = TimeUnit.MINUTES)
class PoolRaceTests {

	private static final int RACES = Integer.getInteger("callosum.test.races", 100_000);

	private static final int BATCH = 256;

	@Test
	void nothingIsLostWhenACancelRacesWithTheHandOver() throws Exception {
		AtomicInteger handedOver = new AtomicInteger();
		AtomicInteger canceled = new AtomicInteger();
		race(RACES, 1, Race::holdAndWait, (race) -> race.holder.release(), (race) -> {
			if (race.pool.cancel(race.waiter)) {
				race.waiter.canceled = true;
			}
		}, (race) -> {
			if (race.waiter.member != null) {
				handedOver.incrementAndGet();
				assertThat(race.waiter.canceled).isFalse();
				race.waiter.release();
			}
			else {
				canceled.incrementAndGet();
				assertThat(race.waiter.canceled).isTrue();
			}
		});
		assertThat(handedOver).hasPositiveValue();
		assertThat(canceled).hasPositiveValue();
	}

	@Test
	void nothingIsLostWhenATimeoutRacesWithTheHandOver() throws Exception {
		AtomicInteger handedOver = new AtomicInteger();
		AtomicInteger timedOut = new AtomicInteger();
		race(RACES, 1, Race::holdAndWait, (race) -> race.holder.release(),
				(race) -> race.network.elapse(Race.TIMEOUT.toNanos()), (race) -> {
					assertThat((race.waiter.member != null) ^ (race.waiter.failure != null)).isTrue();
					if (race.waiter.member != null) {
						handedOver.incrementAndGet();
						race.waiter.release();
					}
					else {
						timedOut.incrementAndGet();
					}
				});
		assertThat(handedOver).hasPositiveValue();
		assertThat(timedOut).hasPositiveValue();
	}

	@Test
	void releaseDiscardAndCloseInAnyOrderAndNumberCountOnce() throws Exception {
		race(RACES, 1, Race::hold, (race) -> {
			race.holder.member.released();
			race.holder.member.released();
			race.holder.connection().close(CloseReason.PEER_RESET);
		}, (race) -> {
			if (ThreadLocalRandom.current().nextBoolean()) {
				race.holder.connection().close(CloseReason.PEER_CLOSED);
			}
			else {
				race.holder.member.discarded(null);
				race.holder.connection().close(CloseReason.DISCARDED);
			}
			race.holder.member.released();
		}, (race) -> {
			assertThat(race.pool.open()).isZero();
			assertThat(race.network.open).isEmpty();
		});
	}

	@Test
	void connectionsThatDieAtAnyMomentLeaveAFullPoolAndNothingElse() throws Exception {
		race(RACES, 3, Race::hold, (race) -> {
			ThreadLocalRandom random = ThreadLocalRandom.current();
			for (ManualConnection connection : race.network.open) {
				if (random.nextInt(4) > 0) {
					connection.close(random.nextBoolean() ? CloseReason.PEER_RESET : CloseReason.UNSOLICITED);
				}
			}
			race.network.elapse(Duration.ofMillis(random.nextInt(1000)).toNanos());
		}, (race) -> {
			if (ThreadLocalRandom.current().nextBoolean()) {
				race.network.connectAll();
			}
			race.holder.release();
			assertThat(race.members()).isLessThanOrEqualTo(3);
			race.network.connectAll();
		}, (race) -> {
		});
	}

	@Test
	void serversThatComeAndGoWhileDialledLeaveNoConnectionOutsideThePool() throws Exception {
		race(RACES, 3, (race) -> {
		}, (race) -> {
			ThreadLocalRandom random = ThreadLocalRandom.current();
			List<InetSocketAddress> some = new ArrayList<>(Race.ADDRESSES);
			some.removeIf((address) -> random.nextBoolean());
			race.pool.servers(ServerList.of(some));
		}, (race) -> race.network.connectAll(),
				(race) -> assertThat(race.network.open.size()).isEqualTo(race.pool.open()));
	}

	@Test
	void aStopThatRacesWithDialsAndAcquiresLeavesNothing() throws Exception {
		race(RACES / 10, 3, (race) -> {
			race.start(3);
			race.waiter = new TestWaiter();
		}, (race) -> race.pool.stop(true), (race) -> {
			race.pool.acquire(race.waiter, Race.TIMEOUT.toNanos());
			race.network.connectAll();
			if (race.waiter.member != null) {
				race.waiter.release();
			}
		}, (race) -> {
			assertThat((race.waiter.member != null) ^ (race.waiter.failure != null)).isTrue();
			race.verifyStopped();
		});
	}

	/**
	 * Run two actions concurrently, many times, and verify the result afterwards.
	 */
	private static void race(int times, int poolSize, Consumer<Race> prepare, Consumer<Race> one, Consumer<Race> two,
			Consumer<Race> verify) throws Exception {
		List<Race> races = new ArrayList<>();
		for (int i = 0; i < BATCH; i++) {
			Race race = new Race();
			race.start(poolSize);
			race.network.connectAll();
			races.add(race);
		}
		ExecutorService other = Executors.newSingleThreadExecutor();
		try {
			for (int n = 0; n < times; n += BATCH) {
				races.forEach(prepare);
				AtomicInteger ourPosition = new AtomicInteger();
				AtomicInteger theirPosition = new AtomicInteger();
				boolean swap = n / BATCH % 2 == 0;
				Future<?> done = other.submit(() -> run(races, swap ? one : two, theirPosition, ourPosition));
				run(races, swap ? two : one, ourPosition, theirPosition);
				done.get();
				races.forEach(verify);
			}
		}
		finally {
			other.shutdown();
		}
		for (Race race : races) {
			race.verify(poolSize);
		}
	}

	private static void run(List<Race> races, Consumer<Race> action, AtomicInteger position, AtomicInteger others) {
		for (int i = 0; i < races.size(); i++) {
			position.set(i);
			// Wait for the other thread, but not for long: it may not be running
			for (int n = 0; n < 200 && others.get() < i; n++) {
				Thread.onSpinWait();
			}
			action.accept(races.get(i));
		}
		position.set(Integer.MAX_VALUE);
	}

	private static final class Race {

		static final Duration TIMEOUT = Duration.ofMillis(1);

		static final List<InetSocketAddress> ADDRESSES = IntStream.range(0, 4)
			.mapToObj(SimulatedServer::address)
			.toList();

		private ManualNetwork network;

		private ConnectionPool pool;

		private TestWaiter holder;

		private TestWaiter waiter;

		void start(int poolSize) {
			this.network = new ManualNetwork();
			PoolSettings settings = new PoolSettings("orders", poolSize, 4, Duration.ofDays(100).toNanos(), 100_000,
					LeasePolicy.LOWEST_SLOT, null, 0, Rules.DEFAULT);
			this.pool = new ConnectionPool(settings, this.network, this.network, new SplittableRandom(1), this.network);
			this.pool.start();
			this.pool.servers(ServerList.of(ADDRESSES));
		}

		void hold() {
			this.holder = new TestWaiter();
			this.pool.acquire(this.holder, Duration.ofDays(1).toNanos());
			refill();
			assertThat(this.holder.member).isNotNull();
		}

		void holdAndWait() {
			hold();
			this.waiter = new TestWaiter();
			this.pool.acquire(this.waiter, TIMEOUT.toNanos());
		}

		void refill() {
			for (int i = 0; i < 10 && (this.network.connectAll() || this.pool.snapshot().members().isEmpty()); i++) {
				this.network.elapse(Duration.ofSeconds(40).toNanos());
			}
		}

		long members() {
			return this.pool.snapshot().members().stream().filter((member) -> !member.retiring()).count();
		}

		void verify(int poolSize) {
			if (this.pool.snapshot().state() == ClientSnapshot.State.RUNNING) {
				this.pool.servers(ServerList.of(ADDRESSES));
				for (int i = 0; i < 10; i++) {
					this.network.elapse(Duration.ofSeconds(40).toNanos());
					this.network.connectAll();
				}
				ClientSnapshot snapshot = this.pool.snapshot();
				assertThat(snapshot.pending()).isZero();
				assertThat(snapshot.members()).hasSize(poolSize).noneMatch(ClientSnapshot.Member::leased);
				assertThat(this.pool.open()).isEqualTo(poolSize);
				assertThat(this.network.open).hasSize(poolSize);
				this.pool.stop(true);
			}
			verifyStopped();
		}

		void verifyStopped() {
			assertThat(this.pool.snapshot().state()).isEqualTo(ClientSnapshot.State.STOPPED);
			assertThat(this.pool.open()).isZero();
			assertThat(this.pool.pending()).isZero();
			assertThat(this.pool.snapshot().pending()).isZero();
			assertThat(this.network.open).isEmpty();
			assertThat(this.network.tasks).isEmpty();
			assertThat(this.network.terminated).isTrue();
		}

	}

	private static final class TestWaiter extends Waiter {

		volatile Member member;

		volatile LeaseUnavailableException failure;

		volatile boolean canceled;

		@Override
		void acquired(Member member) {
			if (this.member != null || this.failure != null || this.canceled) {
				throw new IllegalStateException("Ended twice");
			}
			this.member = member;
		}

		@Override
		void failed(LeaseUnavailableException failure) {
			if (this.member != null || this.failure != null) {
				throw new IllegalStateException("Ended twice");
			}
			this.failure = failure;
		}

		ManualConnection connection() {
			return (ManualConnection) this.member.connection;
		}

		void release() {
			this.member.released();
		}

	}

	/**
	 * Connects and lets time pass only on request, on the thread of the caller.
	 */
	private static final class ManualNetwork implements Dialler, Timers, PoolObserver {

		private final Queue<ManualDial> dials = new ConcurrentLinkedQueue<>();

		private final Set<ManualConnection> open = ConcurrentHashMap.newKeySet();

		private final Set<Task> tasks = ConcurrentHashMap.newKeySet();

		private final AtomicInteger ids = new AtomicInteger();

		private final AtomicLong now = new AtomicLong();

		private volatile boolean terminated;

		@Override
		public Disposable dial(Dial dial) {
			ManualDial manual = new ManualDial(dial);
			this.dials.add(manual);
			return () -> manual.abandoned = true;
		}

		boolean connectAll() {
			boolean connected = false;
			ManualDial dial;
			while ((dial = this.dials.poll()) != null) {
				if (dial.abandoned) {
					continue;
				}
				connected = true;
				ManualConnection connection = new ManualConnection(this);
				PoolMember member = dial.dial.connected(connection, 3);
				if (member == null) {
					connection.close(CloseReason.REPLACED);
				}
				else {
					connection.kept(member);
				}
			}
			return connected;
		}

		@Override
		public long nanoTime() {
			return this.now.get();
		}

		@Override
		public Disposable schedule(Runnable task, long delayNanos) {
			Task scheduled = new Task(task, this.now.get() + delayNanos);
			this.tasks.add(scheduled);
			return () -> this.tasks.remove(scheduled);
		}

		void elapse(long nanos) {
			long now = this.now.addAndGet(nanos);
			for (Task task : this.tasks) {
				if (task.at <= now && this.tasks.remove(task)) {
					task.task.run();
				}
			}
		}

		@Override
		public void terminated() {
			this.terminated = true;
		}

		private static final class Task {

			private final Runnable task;

			private final long at;

			Task(Runnable task, long at) {
				this.task = task;
				this.at = at;
			}

		}

	}

	private static final class ManualDial {

		private final Dial dial;

		private volatile boolean abandoned;

		ManualDial(Dial dial) {
			this.dial = dial;
		}

	}

	private static final class ManualConnection implements PooledConnection {

		private final ManualNetwork network;

		private final String id;

		private PoolMember member;

		private CloseReason reason;

		private boolean reported;

		ManualConnection(ManualNetwork network) {
			this.network = network;
			this.id = "c" + network.ids.incrementAndGet();
			network.open.add(this);
		}

		@Override
		public String id() {
			return this.id;
		}

		@Override
		public boolean hasAnswered() {
			return false;
		}

		@Override
		public PooledLease lease() {
			throw new UnsupportedOperationException();
		}

		@Override
		public void close(CloseReason reason) {
			synchronized (this) {
				if (this.reason == null) {
					this.reason = reason;
					this.network.open.remove(this);
				}
			}
			report();
		}

		void kept(PoolMember member) {
			synchronized (this) {
				this.member = member;
			}
			member.initialized();
			report();
		}

		private void report() {
			PoolMember member;
			synchronized (this) {
				if (this.member == null || this.reason == null || this.reported) {
					return;
				}
				this.reported = true;
				member = this.member;
			}
			member.closed(this.reason, null);
		}

	}

}
