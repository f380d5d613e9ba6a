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

import java.io.IOException;

import org.jspecify.annotations.Nullable;

/**
 * Thrown when a connection ends during a lease.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public class ConnectionLostException extends IOException {

	private final boolean retryable;

	/**
	 * Create a new exception.
	 * @param message the message
	 * @param retryable {@code true} if no byte was received during the lease
	 * @param cause what ended the connection, or {@code null}
	 */
	public ConnectionLostException(String message, boolean retryable, @Nullable Throwable cause) {
		super(message, cause);
		this.retryable = retryable;
	}

	/**
	 * Return whether no byte was received during the lease, so that the request can be
	 * sent again without having consumed a part of its answer.
	 * <p>
	 * This does <em>not</em> mean that the server has not executed the request: it may
	 * have failed after the work and before the answer. Only retry idempotent requests.
	 * @return {@code true} if nothing was received
	 */
	public boolean isRetryable() {
		return this.retryable;
	}

}
