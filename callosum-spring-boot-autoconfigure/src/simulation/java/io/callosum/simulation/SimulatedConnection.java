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

package io.callosum.simulation;

import org.jspecify.annotations.Nullable;

/**
 * One TCP connection between a client and a server. What one end does reaches the other
 * after the delay of the connection, in order.
 *
 * @author The Callosum authors
 */
public final class SimulatedConnection {

	final SimulatedServer server;

	final Handler handler;

	final long delay;

	/** The slot that the server announced, or -1. */
	int slot = -1;

	/** The slot that the server holds for it, or -1. */
	int held = -1;

	/** The life of the server that this connection belongs to. */
	int epoch;

	/** The index of this connection in the server's list, or -1. */
	int index = -1;

	private boolean established;

	private boolean closed;

	private boolean counted;

	private boolean leased;

	/** Whether the server knows that the client has closed it. */
	private boolean gone;

	private boolean destroyed;

	private boolean accepted;

	/** For the owner of the connection on the client's side. */
	private @Nullable Object attachment;

	private final Fleet fleet;

	SimulatedConnection(Fleet fleet, SimulatedServer server, Handler handler, long delay) {
		this.fleet = fleet;
		this.server = server;
		this.handler = handler;
		this.delay = delay;
	}

	/**
	 * Return the server at the other end.
	 * @return the server
	 */
	public SimulatedServer server() {
		return this.server;
	}

	/**
	 * Return the slot that the server announced.
	 * @return the slot, or -1 before the slot line has arrived
	 */
	public int slot() {
		return this.slot;
	}

	/**
	 * Return whether the client's side is closed.
	 * @return whether it is closed
	 */
	public boolean isClosed() {
		return this.closed;
	}

	/**
	 * Set whether the connection is leased, so that a close would interrupt a request.
	 * @param leased whether it is leased
	 */
	public void setLeased(boolean leased) {
		this.leased = leased;
	}

	public @Nullable Object attachment() {
		return this.attachment;
	}

	public void attach(@Nullable Object attachment) {
		this.attachment = attachment;
	}

	/**
	 * Close the connection from the client's side. Without effect if it is closed.
	 */
	public void close() {
		if (this.closed) {
			return;
		}
		if (this.leased) {
			this.fleet.cutWhileLeased++;
		}
		end();
		this.fleet.time.run(this.delay, () -> this.server.closed(this));
	}

	/**
	 * Send a request to the server.
	 * @param request the request
	 */
	public void send(Request request) {
		this.fleet.time.run(this.delay, () -> this.server.received(this, request));
	}

	void answer(Request request, boolean success) {
		this.fleet.time.run(this.delay, () -> {
			if (!this.closed) {
				this.handler.answered(this, request, success);
			}
		});
	}

	/** The slot line arrives at the client. */
	void slotLine(int announced) {
		if (this.closed) {
			return;
		}
		this.slot = announced;
		this.established = true;
		this.handler.connected(this);
		count();
	}

	/** The handshake of a client that does not wait for a slot line is complete. */
	void connectedWithoutSlot() {
		if (this.closed) {
			return;
		}
		this.established = true;
		this.handler.connected(this);
		count();
	}

	/** Count the connection as kept if the client has left it open. */
	private void count() {
		if (!this.closed) {
			this.counted = true;
			this.server.kept++;
		}
	}

	/** The server has closed the connection, and the client sees it. */
	void closedByServer() {
		if (this.closed) {
			return;
		}
		end();
		if (this.established) {
			this.handler.closed(this);
		}
		else {
			this.handler.failed(this);
		}
	}

	/** No slot line arrived in time, or nothing is listening. */
	void fail() {
		if (!this.closed && !this.established) {
			end();
			this.fleet.time.run(this.delay, () -> this.server.closed(this));
			this.handler.failed(this);
		}
	}

	/**
	 * Return whether the server's side has accepted the connection, if only into its
	 * backlog.
	 * @return whether it was reached
	 */
	public boolean isAccepted() {
		return this.accepted;
	}

	void setAccepted() {
		this.accepted = true;
	}

	boolean isGone() {
		return this.gone;
	}

	void setGone() {
		this.gone = true;
	}

	/** Whether the client has marked it to be closed as soon as that is allowed. */
	boolean isDestroyed() {
		return this.destroyed;
	}

	void markDestroyed() {
		this.destroyed = true;
	}

	/** Stop counting the connection as kept, even before the client notices its end. */
	void uncount() {
		if (this.counted) {
			this.counted = false;
			this.server.kept--;
		}
	}

	private void end() {
		this.closed = true;
		uncount();
	}

	/**
	 * Receives the events of a connection on the client's side.
	 */
	public interface Handler {

		/**
		 * The connection is established and, unless it is a plain one, its slot is known.
		 * If it is still open when this method returns, it counts as kept.
		 * @param connection the connection
		 */
		void connected(SimulatedConnection connection);

		/**
		 * The connection was not established.
		 * @param connection the connection
		 */
		void failed(SimulatedConnection connection);

		/**
		 * The server has closed the connection.
		 * @param connection the connection
		 */
		void closed(SimulatedConnection connection);

		/**
		 * An answer has arrived.
		 * @param connection the connection
		 * @param request the request
		 * @param success whether the answer is not an error
		 */
		void answered(SimulatedConnection connection, Request request, boolean success);

	}

}
