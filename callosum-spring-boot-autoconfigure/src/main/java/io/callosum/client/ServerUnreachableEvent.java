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
 * Published when a server becomes unreachable: it could not be connected to, or did not
 * send a valid slot line in time. Not repeated while the server remains unreachable.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public class ServerUnreachableEvent extends CallosumClientEvent {

	private final InetSocketAddress server;

	/**
	 * Create a new event.
	 * @param client the client
	 * @param server the server
	 */
	public ServerUnreachableEvent(CallosumClient client, InetSocketAddress server) {
		super(client);
		Assert.notNull(server, "'server' must not be null");
		this.server = server;
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
		return "server=" + this.server;
	}

}
