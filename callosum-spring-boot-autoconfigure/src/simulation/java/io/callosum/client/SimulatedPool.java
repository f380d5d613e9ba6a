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
import java.util.List;

import io.callosum.simulation.Fleet;
import io.callosum.simulation.Request;
import io.callosum.simulation.SimulatedClient;
import io.callosum.simulation.SimulatedConnection;
import io.callosum.simulation.SimulatedServer;
import org.jspecify.annotations.Nullable;
import reactor.core.Disposable;

/**
 * The production pool on the simulated network, and an application that exchanges one
 * request for one answer in each lease and discards the lease if the answer is an error.
 *
 * @author The Callosum authors
 */
final class SimulatedPool implements SimulatedClient {

	private static final int FILL_CONCURRENCY = 4;

	private static final int MAX_PENDING_ACQUIRES = 1000;

	private static final long ACQUIRE_TIMEOUT = Duration.ofSeconds(5).toNanos();

	private static final PoolSettings.Ejection EJECTION = new PoolSettings.Ejection(3, Duration.ofSeconds(1).toNanos(),
			Duration.ofSeconds(120).toNanos(), 50);

	private static final Exception NO_ANSWER = new QuietException("No slot line or no connection");

	private static final Exception ERROR = new QuietException("The answer is an error");

	private static final PooledLease NO_LEASE = new UnsupportedLease();

	private final Fleet fleet;

	private final ConnectionPool pool;

	private long connections;

	SimulatedPool(Fleet fleet, int index, Rules rules, LeasePolicy policy) {
		this.fleet = fleet;
		PoolSettings settings = new PoolSettings("client-" + index, fleet.poolSize(), FILL_CONCURRENCY,
				fleet.interval(), MAX_PENDING_ACQUIRES, policy, EJECTION, 0, rules);
		this.pool = new ConnectionPool(settings, this::dial, new FleetTimers(), fleet.stream("client", index),
				new PoolObserver() {
				});
	}

	@Override
	public void start(List<SimulatedServer> servers) {
		this.pool.start();
		serversChanged(servers);
	}

	@Override
	public void stop() {
		this.pool.stop(true);
	}

	@Override
	public void serversChanged(List<SimulatedServer> servers) {
		this.pool.servers(this.fleet.derive(servers, SimulatedPool::addresses));
	}

	private static ServerList addresses(List<SimulatedServer> servers) {
		return ServerList.of(servers.stream().map(SimulatedServer::address).toList());
	}

	private Disposable dial(Dial dial) {
		Link link = new Link("client-" + this.connections++, dial);
		link.connection = this.fleet.dial(this.fleet.server(dial.server()), link);
		return link;
	}

	@Override
	public void request(Request request) {
		RequestWaiter waiter = new RequestWaiter(request);
		request.attach(waiter);
		this.pool.acquire(waiter, ACQUIRE_TIMEOUT);
	}

	@Override
	public void timedOut(Request request) {
		if (request.attachment() instanceof Link link) {
			link.giveUp(request);
		}
		else if (request.attachment() instanceof RequestWaiter waiter) {
			this.pool.cancel(waiter);
		}
	}

	/**
	 * The clock of the fleet, for the pool.
	 */
	private final class FleetTimers implements Timers {

		@Override
		public long nanoTime() {
			return SimulatedPool.this.fleet.time.now();
		}

		@Override
		public Disposable schedule(Runnable task, long delayNanos) {
			return SimulatedPool.this.fleet.time.schedule(delayNanos, task)::cancel;
		}

	}

	/**
	 * An acquire for one request.
	 */
	private static final class RequestWaiter extends Waiter {

		private final Request request;

		RequestWaiter(Request request) {
			this.request = request;
		}

		@Override
		void acquired(Member member) {
			((Link) member.connection).exchange(this.request);
		}

		@Override
		void failed(LeaseUnavailableException failure) {
			this.request.complete(false);
		}

	}

	/**
	 * A connection, which represents the network to the pool and the pool to the network.
	 */
	private static final class Link implements PooledConnection, SimulatedConnection.Handler, Disposable {

		private final String id;

		private final Dial dial;

		private @Nullable SimulatedConnection connection;

		private @Nullable PoolMember member;

		private @Nullable Request request;

		private @Nullable CloseReason closeReason;

		private boolean answered;

		Link(String id, Dial dial) {
			this.id = id;
			this.dial = dial;
		}

		// For the network

		@Override
		public void connected(SimulatedConnection connection) {
			PoolMember member = this.dial.connected(this, connection.slot());
			if (member == null) {
				connection.close();
				return;
			}
			this.member = member;
			if (this.closeReason != null) {
				member.closed(this.closeReason, null);
			}
			else {
				member.initialized();
			}
		}

		@Override
		public void failed(SimulatedConnection connection) {
			this.dial.failed(connection.isAccepted() ? Dial.Failure.NO_SLOT : Dial.Failure.UNREACHABLE, NO_ANSWER);
		}

		@Override
		public void closed(SimulatedConnection connection) {
			Request lost = this.request;
			this.request = null;
			ended(CloseReason.PEER_CLOSED, null);
			if (lost != null) {
				lost.complete(false);
			}
		}

		@Override
		public void answered(SimulatedConnection connection, Request request, boolean success) {
			PoolMember member = this.member;
			if (this.request != request || member == null) {
				return;
			}
			this.request = null;
			this.answered = true;
			connection.setLeased(false);
			if (success) {
				member.released();
			}
			else {
				discard(member, ERROR);
			}
			request.complete(success);
		}

		// For the pool

		@Override
		public String id() {
			return this.id;
		}

		@Override
		public boolean hasAnswered() {
			return this.answered;
		}

		@Override
		public PooledLease lease() {
			// The simulated application uses the connection directly
			return NO_LEASE;
		}

		@Override
		public void close(CloseReason reason) {
			if (this.closeReason == null && this.connection != null) {
				this.connection.close();
				ended(reason, null);
			}
		}

		@Override
		public void dispose() {
			if (this.connection != null && this.member == null) {
				this.connection.close();
			}
		}

		// For the application

		void exchange(Request request) {
			SimulatedConnection connection = this.connection;
			if (connection == null || connection.isClosed()) {
				request.complete(false);
				return;
			}
			this.answered = false;
			this.request = request;
			request.attach(this);
			connection.setLeased(true);
			request.sendOn(connection);
		}

		void giveUp(Request request) {
			PoolMember member = this.member;
			if (this.request == request && member != null && this.connection != null) {
				this.request = null;
				this.connection.setLeased(false);
				discard(member, null);
			}
		}

		private void discard(PoolMember member, @Nullable Exception cause) {
			member.discarded(cause);
			if (this.connection != null) {
				this.connection.close();
			}
			ended(CloseReason.DISCARDED, cause);
		}

		private void ended(CloseReason reason, @Nullable Exception cause) {
			if (this.closeReason == null) {
				this.closeReason = reason;
				if (this.member != null) {
					this.member.closed(reason, cause);
				}
			}
		}

	}

	/**
	 * An exception without a stack trace, because there may be millions.
	 */
	private static final class QuietException extends Exception {

		private static final long serialVersionUID = 1L;

		QuietException(String message) {
			super(message, null, false, false);
		}

	}

}
