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
 * Published when a connection has been assigned a slot and the slot line has been
 * written.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public class ConnectionEvent extends CallosumServerEvent {

	private final CallosumConnection connection;

	/**
	 * Create a new event.
	 * @param server the server that accepted the connection
	 * @param connection the connection
	 */
	public ConnectionEvent(CallosumServer server, CallosumConnection connection) {
		super(server);
		Assert.notNull(connection, "'connection' must not be null");
		this.connection = connection;
	}

	/**
	 * Return the connection.
	 * @return the connection
	 */
	public CallosumConnection getConnection() {
		return this.connection;
	}

	/**
	 * Return the slot of the connection.
	 * @return the slot, 0 or more
	 */
	public int getSlot() {
		return this.connection.slot();
	}

	@Override
	String describe() {
		return "connection=" + this.connection.id() + ", slot=" + getSlot() + ", remoteAddress="
				+ this.connection.remoteAddress();
	}

}
