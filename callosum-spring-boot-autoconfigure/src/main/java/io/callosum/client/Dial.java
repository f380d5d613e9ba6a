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

import org.jspecify.annotations.Nullable;

/**
 * The pool's side of one attempt to open a connection.
 */
interface Dial {

	/**
	 * Return the server to connect to: this address and no other.
	 * @return a resolved address; its host string is the name to verify
	 */
	InetSocketAddress server();

	/**
	 * The connection is open and the server has sent its slot. The pool decides whether
	 * to keep the connection.
	 * <p>
	 * If it keeps the connection, the caller runs the initializer, if there is one, and
	 * then calls {@link PoolMember#initialized()}. Meanwhile, even before this method has
	 * returned, the pool may {@linkplain PooledConnection#close close} the connection,
	 * but does not lease it.
	 * @param connection the connection
	 * @param slot the slot, 0 or more
	 * @return where to report what happens to the connection from now on, or {@code null}
	 * if it is turned down and the caller must close it
	 */
	@Nullable PoolMember connected(PooledConnection connection, int slot);

	/**
	 * The dial has failed; whatever was open is closed.
	 * @param failure what failed
	 * @param cause the cause, which callers of the client see
	 */
	void failed(Failure failure, Throwable cause);

	/**
	 * What failed.
	 */
	enum Failure {

		/**
		 * The connection, including TLS, could not be established.
		 */
		UNREACHABLE,

		/**
		 * The connection was established, but the server did not send a valid slot line
		 * in time.
		 */
		NO_SLOT

	}

}
