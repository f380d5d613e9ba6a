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

import org.springframework.util.Assert;

/**
 * Published when the connection that held a slot is gone, exactly once for each slot that
 * was assigned. The slot may be assigned again when the listeners have returned.
 * <p>
 * There is no {@link ConnectionEvent} before it if the slot line could not be written, or
 * if the slot was assigned too late.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public class SlotFreeEvent extends CallosumServerEvent {

	private final CallosumConnection connection;

	private final Reason reason;

	/**
	 * Create a new event.
	 * @param server the server that accepted the connection
	 * @param connection the connection that held the slot
	 * @param reason who or what ended the connection
	 */
	public SlotFreeEvent(CallosumServer server, CallosumConnection connection, Reason reason) {
		super(server);
		Assert.notNull(connection, "'connection' must not be null");
		Assert.notNull(reason, "'reason' must not be null");
		this.connection = connection;
		this.reason = reason;
	}

	/**
	 * Return the connection that held the slot. It is closed.
	 * @return the connection
	 */
	public CallosumConnection getConnection() {
		return this.connection;
	}

	/**
	 * Return the slot that becomes free.
	 * @return the slot, 0 or more
	 */
	public int getSlot() {
		return this.connection.slot();
	}

	/**
	 * Return who or what ended the connection.
	 * @return the reason
	 */
	public Reason getReason() {
		return this.reason;
	}

	@Override
	String describe() {
		return "connection=" + this.connection.id() + ", slot=" + getSlot() + ", remoteAddress="
				+ this.connection.remoteAddress() + ", reason=" + this.reason;
	}

	/**
	 * Who or what ended a connection. Where several did, the first counts.
	 */
	public enum Reason {

		/**
		 * The peer closed the connection, or its sending half.
		 */
		PEER_CLOSED,

		/**
		 * The peer reset the connection, or the network failed.
		 */
		PEER_RESET,

		/**
		 * The application called {@link CallosumConnection#close()}.
		 */
		APPLICATION_CLOSED,

		/**
		 * The publisher of the {@link ConnectionHandler} completed.
		 */
		HANDLER_COMPLETED,

		/**
		 * The {@link ConnectionHandler} or its publisher failed.
		 */
		HANDLER_FAILED,

		/**
		 * The connection was refused although a slot had been assigned, because a
		 * listener of {@link SlotRequestEvent} threw an exception.
		 */
		REFUSED,

		/**
		 * No slot had been assigned within the time allowed; this one came too late.
		 */
		SLOT_TIMEOUT,

		/**
		 * The connection failed on this side: its slot line could not be written, or what
		 * the peer sent could not be decoded or decrypted.
		 */
		CONNECTION_FAILED,

		/**
		 * No byte went either way for as long as the idle time-out.
		 */
		IDLE_TIMEOUT,

		/**
		 * The peer did not read what was written for as long as the write time-out.
		 */
		WRITE_TIMEOUT,

		/**
		 * The server stopped.
		 */
		SERVER_STOPPED

	}

}
