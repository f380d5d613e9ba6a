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
 * Published when something failed: a connection was refused, a listener, the
 * {@link SlotAllocator} or the {@link ConnectionHandler} threw an exception, a connection
 * could not be accepted or its TLS handshake failed. A peer that resets its connection is
 * not an error.
 * <p>
 * Published on the thread of the failure. An exception of a listener of this event is
 * only logged.
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
	 * @param error what failed
	 * @param connectionId the id of the connection that it harmed, if any
	 */
	public ServerErrorEvent(CallosumServer server, Throwable error, @Nullable String connectionId) {
		super(server);
		Assert.notNull(error, "'error' must not be null");
		this.error = error;
		this.connectionId = connectionId;
	}

	/**
	 * Return what failed, without the wrappers that reflection and reactive operators put
	 * around it.
	 * @return the error
	 */
	public Throwable getError() {
		return this.error;
	}

	/**
	 * Return the {@linkplain CallosumConnection#id() id} of the connection that the error
	 * harmed.
	 * @return the id, or {@code null} if the error concerns no connection
	 */
	public @Nullable String getConnectionId() {
		return this.connectionId;
	}

	@Override
	String describe() {
		return ((this.connectionId != null) ? "connection=" + this.connectionId + ", " : "") + "error=" + this.error;
	}

}
