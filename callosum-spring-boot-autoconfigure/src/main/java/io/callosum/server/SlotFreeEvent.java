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
 * Published when the connection that held a slot is gone, exactly once for each assigned
 * slot. The slot can be assigned again when the listeners have returned.
 * <p>
 * No {@link ConnectionEvent} precedes it if the slot line could not be written or the
 * slot was assigned too late.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public class SlotFreeEvent extends CallosumServerEvent {

	private final CallosumConnection connection;

	private final EndReason reason;

	/**
	 * Create a new event.
	 * @param server the server that accepted the connection
	 * @param connection the connection that held the slot
	 * @param reason what ended the connection
	 */
	public SlotFreeEvent(CallosumServer server, CallosumConnection connection, EndReason reason) {
		super(server);
		Assert.notNull(connection, "'connection' must not be null");
		Assert.notNull(reason, "'reason' must not be null");
		this.connection = connection;
		this.reason = reason;
	}

	/**
	 * Return the connection that held the slot. It is already closed.
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
	 * Return what ended the connection.
	 * @return the reason
	 */
	public EndReason getReason() {
		return this.reason;
	}

	@Override
	String describe() {
		return "connection=" + this.connection.id() + ", slot=" + getSlot() + ", remoteAddress="
				+ this.connection.remoteAddress() + ", reason=" + this.reason;
	}

}
