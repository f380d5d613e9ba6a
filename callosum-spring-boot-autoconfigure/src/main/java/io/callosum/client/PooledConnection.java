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
 * A connection as the pool sees it. Implemented by the network and by the simulator.
 * Methods may be called on any thread, do not block, and are never called while the pool
 * is locked.
 */
interface PooledConnection {

	/**
	 * Return the id of the connection.
	 * @return the id, unique for the lifetime of the client
	 */
	String id();

	/**
	 * Return whether a byte was received during the current lease, or the last one if
	 * there is none. Bytes received by a {@link ConnectionInitializer} do not count.
	 * @return {@code true} if the server has begun to answer
	 */
	boolean hasAnswered();

	/**
	 * Begin a lease. Called once each time the pool hands out the connection, which it
	 * does again only after {@link PoolMember#released()}. If the connection has been
	 * closed in the meantime, the lease has already lost its connection.
	 * @return a new lease
	 */
	PooledLease lease();

	/**
	 * Close the connection, whatever it is doing. The first reason counts; further calls
	 * do nothing. Leads to {@link PoolMember#closed}, which may be called within this
	 * call.
	 * @param reason why
	 */
	void close(CloseReason reason);

}
