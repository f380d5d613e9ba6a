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

import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.TimeoutException;
import java.util.random.RandomGenerator;

import reactor.core.Disposable;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * A pool in virtual time, with servers but without a network.
 */
final class SimulatedClient implements Dialler, PoolObserver {

	static final Duration T = Duration.ofSeconds(5);

	final VirtualTimers timers;

	final ConnectionPool pool;

	final RandomGenerator random;

	final Map<InetSocketAddress, SimulatedServer> network = new HashMap<>();

	final List<String> news = new ArrayList<>();

	final Deque<SimulatedLease> leases = new ArrayDeque<>();

	final List<PendingDial> dialled = new ArrayList<>();

	int dialsInFlight;

	int maxDialsInFlight;

	int maxDialsInFlightPerServer;

	private final Map<InetSocketAddress, Integer> inFlight = new HashMap<>();

	/**
	 * Whether connections have an initializer, whose end the test reports. Otherwise they
	 * are ready at once.
	 */
	boolean initializes;

	long connectNanos = Duration.ofMillis(1).toNanos();

	private int ids;

	boolean terminated;

	SimulatedClient(PoolSettings settings) {
		this(settings, new VirtualTimers(), 1);
	}

	SimulatedClient(PoolSettings settings, VirtualTimers timers, long seed) {
		this.timers = timers;
		this.random = new SplittableRandom(seed);
		this.pool = new ConnectionPool(settings, this, timers, new SplittableRandom(seed + 1), this);
	}

	static PoolSettings settings(int poolSize) {
		return settings(poolSize, Rules.DEFAULT);
	}

	static PoolSettings settings(int poolSize, Rules rules) {
		return settings(poolSize, rules, LeasePolicy.LOWEST_SLOT);
	}

	static PoolSettings settings(int poolSize, LeasePolicy leasePolicy) {
		return settings(poolSize, Rules.DEFAULT, leasePolicy);
	}

	private static PoolSettings settings(int poolSize, Rules rules, LeasePolicy leasePolicy) {
		return new PoolSettings("orders", poolSize, 4, T.toNanos(), 1000, leasePolicy,
				new PoolSettings.Ejection(3, Duration.ofSeconds(1).toNanos(), Duration.ofSeconds(120).toNanos(), 50), 0,
				rules);
	}

	SimulatedClient start(SimulatedServer... servers) {
		this.pool.start();
		servers(servers);
		return this;
	}

	void servers(SimulatedServer... servers) {
		servers(Arrays.asList(servers));
	}

	void servers(Collection<SimulatedServer> servers) {
		servers.forEach((server) -> this.network.put(server.address, server));
		this.pool.servers(ServerList.of(servers.stream().map((server) -> server.address).toList()));
	}

	void advance(Duration duration) {
		this.timers.advance(duration);
	}

	@Override
	public Disposable dial(Dial dial) {
		SimulatedServer server = this.network.get(dial.server());
		server.dials++;
		this.dialled.add((PendingDial) dial);
		this.dialsInFlight++;
		this.maxDialsInFlight = Math.max(this.maxDialsInFlight, this.dialsInFlight);
		this.maxDialsInFlightPerServer = Math.max(this.maxDialsInFlightPerServer,
				this.inFlight.merge(dial.server(), 1, Integer::sum));
		Attempt attempt = new Attempt(dial, server);
		attempt.timer = this.timers.schedule(attempt::connect,
				this.connectNanos + this.random.nextLong(this.connectNanos));
		return attempt;
	}

	/**
	 * Acquire a lease. The result is in {@link #leases} or in the lease itself.
	 */
	SimulatedLease acquire(Duration timeout) {
		SimulatedLease lease = new SimulatedLease();
		this.pool.acquire(lease, timeout.toNanos());
		return lease;
	}

	SimulatedLease acquire() {
		return acquire(Duration.ofSeconds(5));
	}

	ClientSnapshot snapshot() {
		return this.pool.snapshot();
	}

	List<Integer> slots() {
		return snapshot().members()
			.stream()
			.filter((member) -> !member.retiring())
			.map(ClientSnapshot.Member::slot)
			.toList();
	}

	List<SimulatedConnection> connections() {
		return this.network.values().stream().flatMap((server) -> server.connections.stream()).toList();
	}

	@Override
	public void connectionReady(Member member) {
		this.news.add("ready " + member.id);
	}

	@Override
	public void connectionClosed(Member member, CloseReason reason) {
		this.news.add("closed " + member.id + " " + reason);
	}

	@Override
	public void serverUnreachable(InetSocketAddress server) {
		this.news.add("unreachable " + server.getHostString());
	}

	@Override
	public void serverEjected(InetSocketAddress server) {
		this.news.add("ejected " + server.getHostString());
	}

	@Override
	public void serverRestored(InetSocketAddress server) {
		this.news.add("restored " + server.getHostString());
	}

	@Override
	public void terminated() {
		assertThat(this.terminated).isFalse();
		this.terminated = true;
	}

	/**
	 * Stop the pool, and verify that nothing is left.
	 */
	void stopAndVerify() {
		this.pool.stop(true);
		verifyStopped();
	}

	void verifyStopped() {
		assertThat(this.terminated).isTrue();
		assertThat(this.pool.pending()).isZero();
		assertThat(this.pool.open()).isZero();
		assertThat(snapshot().pending()).isZero();
		assertThat(snapshot().members()).isEmpty();
		assertThat(this.dialsInFlight).isZero();
		assertThat(this.timers.size()).isZero();
	}

	/**
	 * Verify the invariants that hold at any time while no other client uses the servers.
	 */
	void verify() {
		ClientSnapshot snapshot = snapshot();
		assertThat(snapshot.members().stream().filter((member) -> !member.retiring()).count())
			.isLessThanOrEqualTo(snapshot.poolSize());
		assertThat(snapshot.members().stream().filter(ClientSnapshot.Member::leased).count())
			.isGreaterThanOrEqualTo(this.leases.size());
		assertThat(this.maxDialsInFlightPerServer).isLessThanOrEqualTo(1);
	}

	final class SimulatedLease extends Waiter {

		Member member;

		LeaseUnavailableException failure;

		@Override
		void acquired(Member member) {
			assertThat(this.member).isNull();
			assertThat(this.failure).isNull();
			this.member = member;
			((SimulatedConnection) member.connection).answered = false;
			SimulatedClient.this.leases.add(this);
		}

		@Override
		void failed(LeaseUnavailableException failure) {
			assertThat(this.member).isNull();
			assertThat(this.failure).isNull();
			this.failure = failure;
		}

		SimulatedConnection connection() {
			return (SimulatedConnection) this.member.connection;
		}

		void release() {
			if (SimulatedClient.this.leases.remove(this)) {
				this.member.released();
			}
		}

		void discard(Throwable cause) {
			if (SimulatedClient.this.leases.remove(this)) {
				this.member.discarded(cause);
				connection().close(CloseReason.DISCARDED);
			}
		}

		void cancel() {
			SimulatedClient.this.pool.cancel(this);
		}

	}

	private final class Attempt implements Disposable {

		private final Dial dial;

		private final SimulatedServer server;

		private Disposable timer;

		private boolean ended;

		Attempt(Dial dial, SimulatedServer server) {
			this.dial = dial;
			this.server = server;
		}

		private void connect() {
			switch (this.server.mode) {
				case UP -> {
					end();
					SimulatedConnection connection = new SimulatedConnection(this.server,
							"c" + ++SimulatedClient.this.ids, SimulatedClient.this.initializes);
					PoolMember member = this.dial.connected(connection, connection.slot);
					if (member != null) {
						connection.kept(member);
					}
					else {
						connection.close(CloseReason.REPLACED);
					}
				}
				case REFUSING -> {
					end();
					this.dial.failed(Dial.Failure.UNREACHABLE, new ConnectException("Connection refused"));
				}
				case SILENT -> this.timer = SimulatedClient.this.timers.schedule(() -> {
					end();
					this.dial.failed(Dial.Failure.NO_SLOT, new TimeoutException("No slot line"));
				}, Duration.ofSeconds(2).toNanos());
			}
		}

		private void end() {
			if (!this.ended) {
				this.ended = true;
				SimulatedClient.this.dialsInFlight--;
				SimulatedClient.this.inFlight.merge(this.dial.server(), -1, Integer::sum);
			}
		}

		@Override
		public void dispose() {
			end();
			this.timer.dispose();
		}

	}

}
