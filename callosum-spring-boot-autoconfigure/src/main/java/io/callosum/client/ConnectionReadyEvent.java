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

import org.springframework.util.Assert;

/**
 * Published when a new connection has been initialized and can be leased.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public class ConnectionReadyEvent extends CallosumClientEvent {

	private final String connectionId;

	private final int slot;

	private final InetSocketAddress server;

	/**
	 * Create a new event.
	 * @param client the client
	 * @param connectionId the id of the connection
	 * @param slot the slot that the server sent
	 * @param server the server
	 */
	public ConnectionReadyEvent(CallosumClient client, String connectionId, int slot, InetSocketAddress server) {
		super(client);
		Assert.notNull(connectionId, "'connectionId' must not be null");
		Assert.notNull(server, "'server' must not be null");
		this.connectionId = connectionId;
		this.slot = slot;
		this.server = server;
	}

	/**
	 * Return the id of the connection.
	 * @return the id, unique for the lifetime of the client
	 */
	public String getConnectionId() {
		return this.connectionId;
	}

	/**
	 * Return the slot that the server sent.
	 * @return the slot, 0 or more
	 */
	public int getSlot() {
		return this.slot;
	}

	/**
	 * Return the server.
	 * @return the resolved address; its host string is the name by which it was found
	 */
	public InetSocketAddress getServer() {
		return this.server;
	}

	@Override
	String describe() {
		return "connection=" + this.connectionId + ", slot=" + this.slot + ", server=" + this.server;
	}

}
