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

import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;

/**
 * A connection of a {@link FakeTransport}.
 */
final class FakeConnection implements PooledConnection {

	private final FakeTransport transport;

	private final String id;

	private PoolMember member;

	private CloseReason reason;

	private boolean reported;

	volatile boolean answered;

	volatile FakeLease lease;

	int leases;

	FakeConnection(FakeTransport transport, String id) {
		this.transport = transport;
		this.id = id;
	}

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
		this.answered = false;
		this.leases++;
		this.lease = new FakeLease();
		return this.lease;
	}

	/**
	 * The pool keeps the connection, but may have closed it in the meantime.
	 */
	void kept(PoolMember member) {
		synchronized (this) {
			this.member = member;
			if (this.reason == null) {
				this.transport.open.add(this);
			}
		}
		member.initialized();
		report();
	}

	@Override
	public void close(CloseReason reason) {
		synchronized (this) {
			if (this.reason == null) {
				this.reason = reason;
				this.transport.open.remove(this);
			}
		}
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

	private synchronized PoolMember member() {
		return this.member;
	}

	/**
	 * Simulate that the server closes the connection.
	 * @param answers whether a byte of an answer arrived before
	 */
	void lose(boolean answers) {
		FakeLease lease = this.lease;
		this.answered = answers;
		if (lease != null) {
			lease.lost = new ConnectionLostException("Closed by the server", !answers, null);
		}
		close(CloseReason.PEER_CLOSED);
		if (lease != null && lease.onLost != null) {
			lease.onLost.run();
		}
	}

	final class FakeLease extends UnsupportedLease {

		final Sinks.One<String> answer = Sinks.one();

		volatile boolean released;

		volatile boolean discarded;

		private volatile boolean sent;

		private volatile ConnectionLostException lost;

		private volatile Runnable onLost;

		/**
		 * Simulate that something has been sent.
		 */
		void sent() {
			this.sent = true;
		}

		/**
		 * Simulate that a byte of an answer has arrived.
		 */
		void answered() {
			FakeConnection.this.answered = true;
		}

		Mono<String> answer() {
			return this.answer.asMono();
		}

		@Override
		public ConnectionLostException lost() {
			return this.lost;
		}

		@Override
		public boolean isUnanswered() {
			return this.sent && !hasAnswered();
		}

		@Override
		public void onLost(Runnable task) {
			this.onLost = task;
			if (this.lost != null) {
				task.run();
			}
		}

		@Override
		public String connectionId() {
			return FakeConnection.this.id;
		}

		@Override
		public void release() {
			if (!this.released && !this.discarded && this.lost == null) {
				this.released = true;
				member().released();
			}
		}

		@Override
		public void discard(Throwable cause) {
			if (!this.released && !this.discarded && this.lost == null) {
				this.discarded = true;
				member().discarded(cause);
				FakeConnection.this.close(CloseReason.DISCARDED);
			}
		}

		@Override
		public void close() {
			discard(null);
		}

	}

}
