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

import org.jspecify.annotations.Nullable;

/**
 * Thrown when no connection can be leased. The message describes the state of the pool,
 * and the cause is the failure of the last attempt to connect or to initialize a
 * connection, if that attempt failed.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public class LeaseUnavailableException extends RuntimeException {

	private final Reason reason;

	/**
	 * Create a new exception.
	 * @param reason why there is no lease
	 * @param message the message
	 * @param cause the failure of the last attempt to connect or to initialize a
	 * connection, or {@code null}
	 */
	public LeaseUnavailableException(Reason reason, @Nullable String message, @Nullable Throwable cause) {
		super(message, cause);
		this.reason = reason;
	}

	/**
	 * Return why there is no lease.
	 * @return the reason
	 */
	public Reason getReason() {
		return this.reason;
	}

	/**
	 * Why there is no lease.
	 */
	public enum Reason {

		/**
		 * No connection was free within the timeout.
		 */
		TIMEOUT,

		/**
		 * The maximum number of acquires is already pending.
		 */
		TOO_MANY_PENDING,

		/**
		 * No server was known within the timeout.
		 */
		NO_SERVER,

		/**
		 * The client has not been started, is stopping or has stopped.
		 */
		NOT_RUNNING

	}

}
