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
 * What ended a connection. If there are several causes, the first one counts.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public enum EndReason {

	/**
	 * The peer closed the connection, or its sending side.
	 */
	PEER_CLOSED,

	/**
	 * The peer reset the connection, or the network failed.
	 */
	PEER_RESET,

	/**
	 * The application called {@link CallosumConnection#close()}.
	 */
	APPLICATION_CLOSED,

	/**
	 * The publisher of the {@link ConnectionHandler} completed.
	 */
	HANDLER_COMPLETED,

	/**
	 * The {@link ConnectionHandler} or its publisher failed.
	 */
	HANDLER_FAILED,

	/**
	 * The connection was refused although a slot had been assigned, because a listener of
	 * {@link SlotRequestEvent} threw an exception.
	 */
	REFUSED,

	/**
	 * The slot was assigned after the slot timeout.
	 */
	SLOT_TIMEOUT,

	/**
	 * The connection failed on this side: its slot line could not be written, or received
	 * bytes could not be decoded or decrypted.
	 */
	CONNECTION_FAILED,

	/**
	 * There was no memory for the bytes of the connection.
	 */
	OUT_OF_MEMORY,

	/**
	 * No byte was transferred in either direction within the idle timeout.
	 */
	IDLE_TIMEOUT,

	/**
	 * Queued bytes made no progress within the write timeout, because the peer did not
	 * read.
	 */
	WRITE_TIMEOUT,

	/**
	 * The server stopped.
	 */
	SERVER_STOPPED;

	/**
	 * Return whether it was the peer that ended the connection.
	 */
	boolean isOfPeer() {
		return this == PEER_CLOSED || this == PEER_RESET;
	}

}
