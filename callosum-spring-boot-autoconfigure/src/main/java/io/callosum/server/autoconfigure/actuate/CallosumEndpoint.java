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

package io.callosum.server.autoconfigure.actuate;

import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.List;

import org.jspecify.annotations.Nullable;

import org.springframework.boot.actuate.endpoint.Access;
import org.springframework.boot.actuate.endpoint.InvalidEndpointRequestException;
import org.springframework.boot.actuate.endpoint.OperationResponseBody;
import org.springframework.boot.actuate.endpoint.annotation.DeleteOperation;
import org.springframework.boot.actuate.endpoint.annotation.Endpoint;
import org.springframework.boot.actuate.endpoint.annotation.ReadOperation;
import org.springframework.boot.actuate.endpoint.annotation.Selector;

import io.callosum.server.CallosumConnection;
import io.callosum.server.CallosumServer;

/**
 * {@link Endpoint} that shows the server and its connections, and closes connections.
 */
@Endpoint(id = "callosum", defaultAccess = Access.READ_ONLY)
class CallosumEndpoint {

	private static final int DEFAULT_LIMIT = 100;

	private static final int MAX_LIMIT = 1000;

	private final CallosumServer server;

	private final boolean showAddresses;

	CallosumEndpoint(CallosumServer server, boolean showAddresses) {
		this.server = server;
		this.showAddresses = showAddresses;
	}

	/**
	 * Describe the server.
	 * @param fromSlot the lowest slot to list, 0 by default
	 * @param limit the number of connections to list, by default 100, at most 1000
	 * @return the description
	 */
	@ReadOperation
	ServerDescriptor server(@Nullable Integer fromSlot, @Nullable Integer limit) {
		int from = (fromSlot != null) ? fromSlot : 0;
		if (from < 0) {
			throw new InvalidEndpointRequestException("'fromSlot' is negative", "'fromSlot' must be 0 or more");
		}
		int max = (limit != null) ? limit : DEFAULT_LIMIT;
		if (max < 1 || max > MAX_LIMIT) {
			throw new InvalidEndpointRequestException("'limit' is out of range",
					"'limit' must be from 1 to " + MAX_LIMIT);
		}
		Collection<CallosumConnection> connections = this.server.connections();
		Instant now = Instant.now();
		List<ConnectionDescriptor> listed = connections.stream()
			.filter((connection) -> connection.slot() >= from)
			.limit(max)
			.map((connection) -> describe(connection, now))
			.toList();
		return new ServerDescriptor(ServerView.state(this.server).toString(), ServerView.address(this.server),
				new LimitsDescriptor(this.server.maxConnections(), this.server.maxConnectionsPerAddress()),
				this.server.weight(), connections.size(), ServerView.highestSlot(connections), listed);
	}

	/**
	 * Close a connection.
	 * @param connectionId the id of the connection
	 * @return {@code true} if there was such a connection
	 */
	@DeleteOperation
	boolean closeConnection(@Selector String connectionId) {
		for (CallosumConnection connection : this.server.connections()) {
			if (connection.id().equals(connectionId)) {
				connection.close();
				return true;
			}
		}
		return false;
	}

	private ConnectionDescriptor describe(CallosumConnection connection, Instant now) {
		Duration age = Duration.between(connection.connectedAt(), now);
		return new ConnectionDescriptor(connection.slot(), connection.announcedSlot(), connection.id(),
				this.showAddresses ? ServerView.toString(connection.remoteAddress()) : null, connection.connectedAt(),
				age.isNegative() ? Duration.ZERO : age, connection.bytesReceived(), connection.bytesSent());
	}

	/**
	 * Description of a server.
	 *
	 * @param state the state of the server
	 * @param address the address that it listens on, or {@code null}
	 * @param limits the limits on connections
	 * @param weight the current weight of the server
	 * @param total the number of connections that hold a slot
	 * @param highestSlot the highest slot in use, or {@code null}
	 * @param connections the requested connections, ordered by slot
	 */
	record ServerDescriptor(String state, @Nullable String address, LimitsDescriptor limits, double weight, int total,
			@Nullable Integer highestSlot, List<ConnectionDescriptor> connections) implements OperationResponseBody {

	}

	/**
	 * Description of the limits.
	 *
	 * @param maxConnections the maximum number of open connections, or {@code null}
	 * @param maxConnectionsPerAddress the same per remote IP address, or {@code null}
	 */
	record LimitsDescriptor(@Nullable Integer maxConnections, @Nullable Integer maxConnectionsPerAddress) {

	}

	/**
	 * Description of a connection.
	 *
	 * @param slot the slot of the connection
	 * @param announcedSlot the number that the client was sent as its slot
	 * @param id the id of the connection
	 * @param remoteAddress the remote address, or {@code null} if it is not shown
	 * @param connectedAt when the connection was accepted
	 * @param age the time since then
	 * @param bytesReceived the number of bytes received
	 * @param bytesSent the number of bytes written, including the slot line
	 */
	record ConnectionDescriptor(int slot, int announcedSlot, String id, @Nullable String remoteAddress,
			Instant connectedAt, Duration age, long bytesReceived, long bytesSent) {

	}

}
