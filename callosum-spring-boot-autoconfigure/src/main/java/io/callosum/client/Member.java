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

import java.time.Instant;

import org.jspecify.annotations.Nullable;

/**
 * A connection that the pool has kept. Its state is guarded by the pool's lock.
 */
final class Member implements PoolMember {

	final PoolServer server;

	final int slot;

	final String id;

	final PooledConnection connection;

	final long connectedAtMillis = System.currentTimeMillis();

	private final ConnectionPool pool;

	State state = State.INITIALIZING;

	/**
	 * The index among the members, or -1 if it does not count toward the size of the
	 * pool.
	 */
	int index = -1;

	/**
	 * Why the connection will be closed when its lease ends, or {@code null} if it will
	 * not.
	 */
	@Nullable CloseReason retiring;

	/**
	 * Whether a lease was released.
	 */
	boolean served;

	/**
	 * When the lease began.
	 */
	long leasedAt;

	/**
	 * The watch of the lease, or {@code null}.
	 */
	@Nullable LeaseWatch watch;

	Member(ConnectionPool pool, PoolServer server, PooledConnection connection, int slot) {
		this.pool = pool;
		this.server = server;
		this.connection = connection;
		this.slot = slot;
		this.id = connection.id();
	}

	boolean isIdle() {
		return this.state == State.IDLE;
	}

	boolean isLeased() {
		return this.state == State.LEASED;
	}

	/**
	 * Return whether the connection is leased or being initialized.
	 */
	boolean isInUse() {
		return this.state == State.INITIALIZING || this.state == State.LEASED;
	}

	@Override
	public void initialized() {
		this.pool.initialized(this);
	}

	@Override
	public void released() {
		this.pool.released(this);
	}

	@Override
	public void discarded(@Nullable Throwable cause) {
		this.pool.discarded(this, cause);
	}

	@Override
	public void closed(CloseReason reason, @Nullable Throwable cause) {
		this.pool.closed(this, reason, cause);
	}

	ClientSnapshot.Member snapshot() {
		return new ClientSnapshot.Member(this.id, this.slot, this.server.address,
				Instant.ofEpochMilli(this.connectedAtMillis), isInUse(), this.retiring != null);
	}

	@Override
	public String toString() {
		return this.id + "[slot=" + this.slot + ", server=" + this.server + ", state=" + this.state + "]";
	}

	enum State {

		INITIALIZING, IDLE, LEASED, CLOSING, CLOSED

	}

}
