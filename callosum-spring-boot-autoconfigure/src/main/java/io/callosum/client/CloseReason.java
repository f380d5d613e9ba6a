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
 * Why a connection was closed.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public enum CloseReason {

	/**
	 * A connection with a lower slot took its place.
	 */
	REPLACED,

	/**
	 * The server closed it.
	 */
	PEER_CLOSED,

	/**
	 * The connection was reset or broke.
	 */
	PEER_RESET,

	/**
	 * Its lease ended without a release, or it could not be used again.
	 */
	DISCARDED,

	/**
	 * Bytes arrived while the connection was not leased.
	 */
	UNSOLICITED,

	/**
	 * It was released before all received bytes were consumed.
	 */
	UNREAD,

	/**
	 * It reached its maximum age.
	 */
	AGED,

	/**
	 * Its server left the list.
	 */
	SERVER_REMOVED,

	/**
	 * Its server was ejected.
	 */
	SERVER_EJECTED,

	/**
	 * The {@link ConnectionInitializer} failed.
	 */
	INITIALIZER_FAILED,

	/**
	 * The client stopped.
	 */
	STOPPED

}
