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

import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SplittableRandom;

import org.junit.jupiter.api.Test;

import io.callosum.client.SimulatedClient.SimulatedLease;
import io.callosum.client.SimulatedServer.Mode;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Runs pools through random lives, and compares each step with a model of what callers
 * may expect.
 */
class PoolModelTests {

	private static final int LIVES = Integer.getInteger("callosum.test.lives", 3000);

	private static final int STEPS = 100;

	private static final Duration BUDGET = Duration.ofSeconds(Integer.getInteger("callosum.test.seconds", 15));

	@Test
	void whateverHappensInWhateverOrderThePoolKeepsItsPromises() {
		long seed = Long.getLong("callosum.test.seed", System.nanoTime());
		System.out.println("PoolModelTests: seed " + seed);
		long end = System.nanoTime() + BUDGET.toNanos();
		int lives = 0;
		for (; lives < LIVES && System.nanoTime() < end; lives++) {
			long life = seed + lives;
			try {
				new Life(life).run();
			}
			catch (AssertionError | RuntimeException ex) {
				throw new AssertionError("Repeat with -Dcallosum.test.seed=" + life + " -Dcallosum.test.lives=1", ex);
			}
		}
		System.out.println("PoolModelTests: " + lives + " lives");
	}

	private static final class Life {

		private final SplittableRandom random;

		private final List<SimulatedServer> servers = new ArrayList<>();

		private final SimulatedClient client;

		private final int poolSize;

		/**
		 * Acquires that wait, in order.
		 */
		private final List<Waiting> waiting = new ArrayList<>();

		/**
		 * Leases that are held.
		 */
		private final List<SimulatedLease> held = new ArrayList<>();

		private List<SimulatedServer> listed;

		Life(long seed) {
			this.random = new SplittableRandom(seed);
			this.poolSize = this.random.nextInt(1, 6);
			int number = this.random.nextInt(1, 5);
			for (int i = 0; i < number; i++) {
				this.servers.add(new SimulatedServer(i));
			}
			Rules rules = Rules.DEFAULT.withSpread(this.random.nextBoolean() ? Rules.Spread.SOFT : Rules.Spread.OFF)
				.withReturning(this.random.nextInt(4) > 0);
			PoolSettings.Ejection ejection = this.random.nextBoolean()
					? new PoolSettings.Ejection(3, seconds(1), seconds(120), 50) : null;
			this.client = new SimulatedClient(new PoolSettings("orders", this.poolSize, this.random.nextInt(1, 5),
					seconds(this.random.nextInt(1, 6)), 20,
					this.random.nextBoolean() ? LeasePolicy.LOWEST_SLOT : LeasePolicy.BALANCED, ejection,
					this.random.nextInt(3) == 0 ? seconds(20) : 0, rules), new VirtualTimers(), seed);
			this.client.initializes = this.random.nextInt(3) == 0;
			this.listed = this.servers;
		}

		private static long seconds(int seconds) {
			return Duration.ofSeconds(seconds).toNanos();
		}

		void run() {
			this.client.start(this.servers.toArray(SimulatedServer[]::new));
			for (int step = 0; step < STEPS; step++) {
				step();
				settle();
				verify();
			}
			recover();
			boolean atOnce = this.random.nextBoolean();
			List<SimulatedLease> leases = new ArrayList<>(this.held);
			this.client.pool.stop(atOnce);
			settle();
			assertThat(this.waiting).isEmpty();
			if (!atOnce) {
				assertThat(leases).allMatch((lease) -> lease.connection().isOpen());
				leases.forEach(SimulatedLease::release);
			}
			this.client.verifyStopped();
			assertThat(this.client.connections()).isEmpty();
			verifyNews();
		}

		private void step() {
			switch (this.random.nextInt(14)) {
				case 0, 1, 2 -> acquire();
				case 3, 4 -> {
					if (!this.held.isEmpty()) {
						lease().release();
					}
				}
				case 5 -> {
					if (!this.held.isEmpty()) {
						lease().discard(this.random.nextBoolean() ? new RuntimeException("Nonsense") : null);
					}
				}
				case 6 -> {
					if (!this.waiting.isEmpty()) {
						Waiting canceled = this.waiting.remove(this.random.nextInt(this.waiting.size()));
						canceled.lease.cancel();
					}
				}
				case 7 -> closeByPeer();
				case 8 -> this.servers.get(this.random.nextInt(this.servers.size())).mode = Mode.values()[this.random
					.nextInt(3)];
				case 9 -> {
					SimulatedServer server = this.servers.get(this.random.nextInt(this.servers.size()));
					server.says = this.random.nextBoolean() ? -1 : this.random.nextInt(10);
				}
				case 10 -> {
					List<SimulatedServer> list = new ArrayList<>(this.servers);
					list.removeIf((server) -> this.random.nextInt(3) == 0);
					this.listed = list.isEmpty() ? this.listed : list;
					this.client.servers(list);
				}
				case 11 -> initialize();
				default -> this.client.advance(Duration.ofMillis(this.random.nextInt(4000)));
			}
		}

		private SimulatedLease lease() {
			return this.held.get(this.random.nextInt(this.held.size()));
		}

		private void acquire() {
			int pending = this.client.snapshot().pending();
			boolean idle = idle() > 0;
			Integer lowest = this.client.snapshot()
				.members()
				.stream()
				.filter((member) -> !member.leased())
				.map(ClientSnapshot.Member::slot)
				.findFirst()
				.orElse(null);
			Duration timeout = Duration.ofMillis(this.random.nextInt(5) * 700);
			SimulatedLease lease = this.client.acquire(timeout);
			if (idle) {
				assertThat(lease.member).isNotNull();
				if (this.client.pool.snapshot().poolSize() == 1) {
					assertThat(lease.member.slot).isEqualTo(lowest);
				}
			}
			else if (timeout.isZero()) {
				assertThat(lease.failure.getReason()).isIn(LeaseUnavailableException.Reason.TIMEOUT);
			}
			else if (pending >= 20) {
				assertThat(lease.failure.getReason()).isEqualTo(LeaseUnavailableException.Reason.TOO_MANY_PENDING);
			}
			else {
				assertThat(lease.member).isNull();
				assertThat(lease.failure).isNull();
				this.waiting.add(new Waiting(lease, this.client.timers.nanoTime() + timeout.toNanos()));
			}
		}

		private void closeByPeer() {
			List<SimulatedConnection> connections = this.client.connections();
			if (connections.isEmpty()) {
				return;
			}
			SimulatedConnection connection = connections.get(this.random.nextInt(connections.size()));
			boolean leased = this.held.stream().anyMatch((lease) -> lease.connection() == connection);
			connection.answered = leased && this.random.nextBoolean();
			if (!leased && this.random.nextInt(3) == 0) {
				connection.close(CloseReason.UNSOLICITED, null);
			}
			else {
				connection.peerCloses(this.random.nextBoolean() ? CloseReason.PEER_CLOSED : CloseReason.PEER_RESET);
			}
		}

		private void initialize() {
			for (SimulatedConnection connection : this.client.connections()) {
				if (connection.initializes && this.random.nextBoolean()) {
					if (this.random.nextInt(4) == 0 && !leased(connection)) {
						connection.close(CloseReason.INITIALIZER_FAILED, new RuntimeException("Denied"));
					}
					else {
						connection.member.initialized();
					}
				}
			}
		}

		private boolean leased(SimulatedConnection connection) {
			return this.held.stream().anyMatch((lease) -> lease.connection() == connection);
		}

		/**
		 * Update the model with what the pool has reported.
		 */
		private void settle() {
			boolean stillWaits = false;
			for (Waiting waiting : List.copyOf(this.waiting)) {
				SimulatedLease lease = waiting.lease;
				if (lease.member != null) {
					assertThat(stillWaits).as("Overtaken").isFalse();
					this.waiting.remove(waiting);
				}
				else if (lease.failure != null) {
					this.waiting.remove(waiting);
				}
				else {
					stillWaits = true;
					assertThat(this.client.timers.nanoTime()).isLessThan(waiting.deadline);
				}
			}
			this.client.leases.removeIf((lease) -> !lease.connection().isOpen());
			for (SimulatedLease lease : this.held) {
				CloseReason reason = lease.connection().closeReason;
				assertThat(reason).as("A lease was cut")
					.isIn(null, CloseReason.PEER_CLOSED, CloseReason.PEER_RESET, CloseReason.DISCARDED,
							CloseReason.UNSOLICITED, CloseReason.REPLACED, CloseReason.AGED, CloseReason.SERVER_REMOVED,
							CloseReason.SERVER_EJECTED, CloseReason.STOPPED);
				if (this.client.leases.contains(lease)) {
					assertThat(reason).isNull();
				}
			}
			this.held.clear();
			this.held.addAll(this.client.leases);
		}

		private long idle() {
			return this.client.snapshot().members().stream().filter((member) -> !member.leased()).count();
		}

		private void verify() {
			ClientSnapshot snapshot = this.client.snapshot();
			long counting = snapshot.members().stream().filter((member) -> !member.retiring()).count();
			assertThat(counting).isLessThanOrEqualTo(this.poolSize);
			assertThat(snapshot.pending()).isEqualTo(this.waiting.size());
			assertThat(snapshot.pending() == 0 || idle() == 0).as("Somebody waits and something is idle").isTrue();
			assertThat(this.client.connections()).hasSize(this.client.pool.open());
			assertThat(snapshot.members()).hasSize(this.client.pool.open());
			assertThat(snapshot.servers()).hasSize(this.listed.size());
			assertThat(snapshot.servers().stream().mapToInt(ClientSnapshot.Server::connections).sum())
				.isEqualTo((int) counting);
			assertThat(this.client.maxDialsInFlightPerServer).isLessThanOrEqualTo(1);
			Set<String> leased = new HashSet<>();
			for (SimulatedLease lease : this.held) {
				assertThat(leased.add(lease.member.id)).as("Leased twice").isTrue();
			}
			assertThat(snapshot.members()
				.stream()
				.filter((member) -> leased.contains(member.connectionId()))
				.filter(ClientSnapshot.Member::leased)).hasSize(leased.size());
			if (!this.client.initializes) {
				assertThat(snapshot.members().stream().filter(ClientSnapshot.Member::leased)).hasSize(leased.size());
			}
		}

		/**
		 * Verify that the pool is full and no acquire waits once nothing fails any more.
		 */
		private void recover() {
			for (SimulatedServer server : this.servers) {
				server.mode = Mode.UP;
			}
			// As long as an ejection and the backoff after it may last
			for (int i = 0; i < 240; i++) {
				this.client.advance(Duration.ofSeconds(1));
				this.client.connections()
					.stream()
					.filter((connection) -> connection.initializes)
					.forEach((connection) -> connection.member.initialized());
			}
			settle();
			verify();
			assertThat(this.waiting).isEmpty();
			assertThat(this.client.slots()).hasSize(this.poolSize);
		}

		private void verifyNews() {
			Set<String> ready = new HashSet<>();
			Set<String> closed = new HashSet<>();
			for (String line : this.client.news) {
				String[] words = line.split(" ");
				if (words[0].equals("ready")) {
					assertThat(ready.add(words[1])).isTrue();
					assertThat(closed).doesNotContain(words[1]);
				}
				else if (words[0].equals("closed")) {
					assertThat(closed.add(words[1])).isTrue();
				}
			}
			assertThat(closed).containsAll(ready);
		}

	}

	private record Waiting(SimulatedLease lease, long deadline) {
	}

}
