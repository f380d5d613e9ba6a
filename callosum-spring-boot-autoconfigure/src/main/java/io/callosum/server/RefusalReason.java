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

/**
 * Why an accepted connection was not assigned a slot.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public enum RefusalReason {

	/**
	 * The peer's address is not allowed.
	 */
	ADDRESS_NOT_ALLOWED,

	/**
	 * The maximum number of connections was open.
	 */
	MAX_CONNECTIONS,

	/**
	 * The maximum number of connections from the peer's address was open.
	 */
	MAX_CONNECTIONS_PER_ADDRESS,

	/**
	 * The maximum number of slot requests was pending.
	 */
	MAX_PENDING_SLOT_REQUESTS,

	/**
	 * The TLS handshake failed or took too long.
	 */
	HANDSHAKE_FAILED,

	/**
	 * There was no free slot. See {@link NoSlotAvailableException}.
	 */
	NO_SLOT_AVAILABLE,

	/**
	 * The slot request was rejected, or its answer failed or was invalid.
	 */
	SLOT_REQUEST_FAILED,

	/**
	 * The slot request was not answered within the slot timeout.
	 */
	SLOT_TIMEOUT,

	/**
	 * There was no memory for the bytes of the connection.
	 */
	OUT_OF_MEMORY,

	/**
	 * The peer left before the connection had a slot.
	 */
	CONNECTION_GONE,

	/**
	 * The server stopped.
	 */
	SERVER_STOPPED

}
