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
 * Why a connection that was accepted did not get a slot.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public enum RefusalReason {

	/**
	 * The peer's address is not among those that are allowed.
	 */
	ADDRESS_NOT_ALLOWED,

	/**
	 * As many connections as allowed were open.
	 */
	MAX_CONNECTIONS,

	/**
	 * As many connections of the peer's address as allowed were open.
	 */
	MAX_CONNECTIONS_PER_ADDRESS,

	/**
	 * The TLS handshake failed or took too long.
	 */
	HANDSHAKE_FAILED,

	/**
	 * There was no slot to give, see {@link NoSlotAvailableException}.
	 */
	NO_SLOT_AVAILABLE,

	/**
	 * The slot request was rejected, or its answer failed or made no sense.
	 */
	SLOT_REQUEST_FAILED,

	/**
	 * The slot request was not answered in time.
	 */
	SLOT_TIMEOUT,

	/**
	 * The connection was gone before it had a slot.
	 */
	CONNECTION_GONE,

	/**
	 * The server stopped.
	 */
	SERVER_STOPPED

}
