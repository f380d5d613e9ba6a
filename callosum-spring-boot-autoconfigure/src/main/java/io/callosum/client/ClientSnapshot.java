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
import java.time.Instant;
import java.util.List;

import org.jspecify.annotations.Nullable;

/**
 * A snapshot of a {@link CallosumClient}.
 *
 * @param name the name of the client
 * @param state the state of the client
 * @param poolSize the target number of connections
 * @param pending the number of pending acquires
 * @param members the connections, ordered by slot, including retiring ones, which do not
 * count toward the pool size
 * @param servers the known servers, in the order of the list
 * @author The Callosum authors
 * @since 0.1.0
 */
public record ClientSnapshot(String name, State state, int poolSize, int pending, List<Member> members,
		List<Server> servers) {

	/**
	 * Create a snapshot.
	 * @param name the name of the client
	 * @param state the state of the client
	 * @param poolSize the target number of connections
	 * @param pending the number of pending acquires
	 * @param members the connections
	 * @param servers the known servers
	 */
	public ClientSnapshot {
		members = List.copyOf(members);
		servers = List.copyOf(servers);
	}

	/**
	 * The state of a client.
	 */
	public enum State {

		/**
		 * The client is running.
		 */
		RUNNING,

		/**
		 * The client is stopping and waits for leases to end.
		 */
		STOPPING,

		/**
		 * The client has not been started, or has stopped.
		 */
		STOPPED

	}

	/**
	 * A connection of the pool.
	 *
	 * @param connectionId the id of the connection
	 * @param slot the slot that the server sent
	 * @param server the server
	 * @param connectedAt when the connection was added to the pool
	 * @param leased whether the connection is leased, possibly by the
	 * {@link ConnectionInitializer}
	 * @param retiring whether the connection will be closed when its lease ends
	 */
	public record Member(String connectionId, int slot, InetSocketAddress server, Instant connectedAt, boolean leased,
			boolean retiring) {
	}

	/**
	 * A server.
	 *
	 * @param address the address
	 * @param state the state
	 * @param connections the number of connections to the server, without retiring ones
	 * @param lastFailure the last failure, or {@code null} if there was none since the
	 * last success
	 */
	public record Server(InetSocketAddress address, State state, int connections, @Nullable String lastFailure) {

		/**
		 * The state of a server.
		 */
		public enum State {

			/**
			 * The server has not been dialled yet.
			 */
			UNKNOWN,

			/**
			 * The last dial received a slot line.
			 */
			REACHABLE,

			/**
			 * The last dial did not receive a slot line.
			 */
			UNREACHABLE,

			/**
			 * The server failed too often and is not dialled for a while.
			 */
			EJECTED

		}

	}

}
