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
 * One attempt to open a connection, on the pool's side.
 */
interface Dial {

	/**
	 * Return the server to connect to: this address and no other.
	 * @return a resolved address; its host string is the name to verify
	 */
	InetSocketAddress server();

	/**
	 * The connection is open and the server has said its slot. The pool decides.
	 * <p>
	 * If it keeps the connection, the caller runs the initializer, if there is one, and
	 * then calls {@link PoolMember#initialized()}. Meanwhile, even before this method has
	 * returned, the pool may {@linkplain PooledConnection#close close} the connection; it
	 * does not lease it.
	 * @param connection the connection
	 * @param slot the slot, 0 or more
	 * @return where to report what happens to the connection from now on, or {@code null}
	 * if it is turned down, and the caller closes it
	 */
	@Nullable PoolMember connected(PooledConnection connection, int slot);

	/**
	 * There is no connection; whatever was open is closed.
	 * @param failure what failed
	 * @param cause the cause, which callers of the client see
	 */
	void failed(Failure failure, Throwable cause);

	/**
	 * What failed.
	 */
	enum Failure {

		/**
		 * The server could not be connected to, TLS included.
		 */
		UNREACHABLE,

		/**
		 * The server was connected to, and did not send a slot line, or not in time, or
		 * not a valid one.
		 */
		NO_SLOT

	}

}
