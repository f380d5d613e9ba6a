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

/**
 * A connection without a network.
 */
final class SimulatedConnection implements PooledConnection {

	final SimulatedServer server;

	final int held;

	final int slot;

	final boolean initializes;

	private final String id;

	boolean answered;

	PoolMember member;

	CloseReason closeReason;

	private boolean reported;

	SimulatedConnection(SimulatedServer server, String id, boolean initializes) {
		this.server = server;
		this.id = id;
		this.initializes = initializes;
		this.held = server.allocate();
		this.slot = server.announced(this.held);
		server.connections.add(this);
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
		throw new UnsupportedOperationException();
	}

	@Override
	public void close(CloseReason reason) {
		close(reason, null);
	}

	void close(CloseReason reason, Throwable cause) {
		if (this.closeReason == null) {
			this.closeReason = reason;
			this.server.connections.remove(this);
			this.server.release(this.held);
		}
		report(cause);
	}

	void peerCloses(CloseReason reason) {
		close(reason, new java.io.IOException("Closed by the server"));
	}

	private void report(Throwable cause) {
		if (this.member != null && !this.reported) {
			this.reported = true;
			this.member.closed(this.closeReason, cause);
		}
	}

	void kept(PoolMember member) {
		this.member = member;
		if (this.closeReason != null) {
			report(null);
		}
		else if (!this.initializes) {
			member.initialized();
		}
	}

	boolean isOpen() {
		return this.closeReason == null;
	}

}
