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

package io.callosum.client.autoconfigure.actuate;

import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import org.jspecify.annotations.Nullable;

import org.springframework.boot.actuate.endpoint.Access;
import org.springframework.boot.actuate.endpoint.OperationResponseBody;
import org.springframework.boot.actuate.endpoint.annotation.Endpoint;
import org.springframework.boot.actuate.endpoint.annotation.ReadOperation;
import org.springframework.boot.actuate.endpoint.annotation.Selector;

import io.callosum.client.CallosumClient;
import io.callosum.client.ClientSnapshot;
import io.callosum.client.ClientSnapshot.Member;
import io.callosum.client.ClientSnapshot.Server;
import io.callosum.client.autoconfigure.CallosumClients;

/**
 * Shows the clients, their connections and their servers.
 */
@Endpoint(id = "callosumclients", defaultAccess = Access.READ_ONLY)
class CallosumClientsEndpoint {

	private final CallosumClients clients;

	CallosumClientsEndpoint(CallosumClients clients) {
		this.clients = clients;
	}

	/**
	 * Describe all clients.
	 * @return the description
	 */
	@ReadOperation
	ClientsDescriptor clients() {
		Map<String, ClientDescriptor> descriptors = new LinkedHashMap<>();
		this.clients.names().forEach((name) -> descriptors.put(name, describe(this.clients.get(name))));
		return new ClientsDescriptor(descriptors);
	}

	/**
	 * Describe a client.
	 * @param name the name of the client
	 * @return the description, or {@code null} if there is no such client
	 */
	@ReadOperation
	@Nullable ClientDescriptor client(@Selector String name) {
		return this.clients.names().contains(name) ? describe(this.clients.get(name)) : null;
	}

	private static ClientDescriptor describe(CallosumClient client) {
		ClientSnapshot snapshot = client.snapshot();
		return new ClientDescriptor(snapshot.name(), snapshot.state(), snapshot.poolSize(), snapshot.pending(),
				snapshot.members().stream().map(CallosumClientsEndpoint::describe).toList(),
				snapshot.servers().stream().map(CallosumClientsEndpoint::describe).toList());
	}

	private static MemberDescriptor describe(Member member) {
		return new MemberDescriptor(member.connectionId(), member.slot(), Addresses.toString(member.server()),
				member.connectedAt(), member.leased(), member.retiring());
	}

	private static ServerDescriptor describe(Server server) {
		return new ServerDescriptor(Addresses.toString(server.address()), server.state(), server.connections(),
				server.lastFailure());
	}

	/**
	 * Description of all clients.
	 *
	 * @param clients the clients by name
	 */
	record ClientsDescriptor(Map<String, ClientDescriptor> clients) implements OperationResponseBody {

	}

	/**
	 * Description of a client, with the same names as in {@link ClientSnapshot}.
	 *
	 * @param name the name of the client
	 * @param state the state of the client
	 * @param poolSize the target number of connections
	 * @param pending the number of pending acquires
	 * @param members the connections, ordered by slot
	 * @param servers the known servers
	 */
	record ClientDescriptor(String name, ClientSnapshot.State state, int poolSize, int pending,
			List<MemberDescriptor> members, List<ServerDescriptor> servers) implements OperationResponseBody {

	}

	/**
	 * Description of a connection.
	 *
	 * @param connectionId the id of the connection
	 * @param slot the slot that the server sent
	 * @param server the address of the server
	 * @param connectedAt when the connection was added to the pool
	 * @param leased whether the connection is leased, or in use by its initializer
	 * @param retiring whether the connection will be closed when its lease ends
	 */
	record MemberDescriptor(String connectionId, int slot, String server, Instant connectedAt, boolean leased,
			boolean retiring) {

	}

	/**
	 * Description of a server.
	 *
	 * @param address the address
	 * @param state the state
	 * @param connections the number of connections to the server
	 * @param lastFailure the last failure, or {@code null} if there was none since the
	 * last success
	 */
	record ServerDescriptor(String address, Server.State state, int connections, @Nullable String lastFailure) {

	}

}
