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

import org.jspecify.annotations.Nullable;

import org.springframework.util.Assert;

/**
 * Published on any of these failures: a connection was refused; a listener, the
 * {@link SlotAllocator} or the {@link ConnectionHandler} threw an exception; a connection
 * could not be accepted; or a TLS handshake failed. A peer that resets its connection is
 * not an error.
 * <p>
 * Published on the thread of the failure, but not on an event loop if the server has a
 * listener executor. An exception thrown by a listener of this event is only logged.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public class ServerErrorEvent extends CallosumServerEvent {

	private final Throwable error;

	private final @Nullable String connectionId;

	/**
	 * Create a new event.
	 * @param server the server
	 * @param error the error
	 * @param connectionId the id of the affected connection, or {@code null}
	 */
	public ServerErrorEvent(CallosumServer server, Throwable error, @Nullable String connectionId) {
		super(server);
		Assert.notNull(error, "'error' must not be null");
		this.error = error;
		this.connectionId = connectionId;
	}

	/**
	 * Return the error, without the exceptions that reflection and reactive operators
	 * wrap around it.
	 * @return the error
	 */
	public Throwable getError() {
		return this.error;
	}

	/**
	 * Return the {@linkplain CallosumConnection#id() id} of the affected connection.
	 * @return the id, or {@code null} if the error does not concern a connection
	 */
	public @Nullable String getConnectionId() {
		return this.connectionId;
	}

	@Override
	String describe() {
		return ((this.connectionId != null) ? "connection=" + this.connectionId + ", " : "") + "error=" + this.error;
	}

}
