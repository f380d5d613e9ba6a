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

package io.callosum.transport;

import io.netty.channel.Channel;
import reactor.netty.channel.ChannelOperations;

/**
 * The connection that a channel belongs to: what the handlers of this package report to
 * it, and ask it. Called on the event loop of the channel.
 */
public interface ChannelOwner {

	/**
	 * Return the channel.
	 * @return the channel, always the same
	 */
	Channel channel();

	/**
	 * Return the connection as Reactor Netty sees it. Any thread.
	 * @return the operations that what is received next comes from
	 * @throws IllegalStateException before {@link #ready()}
	 */
	ChannelOperations<?, ?> operations();

	/**
	 * Return how much may be read ahead. Any thread.
	 * @return the budget, always the same
	 */
	ReadAheadBudget readAheadBudget();

	/**
	 * The connection is ready; with TLS, its handshake is done.
	 */
	void ready();

	/**
	 * The connection has failed before it was ready. It is for the owner to close it, and
	 * this may be called twice.
	 * @param error why
	 */
	void handshakeFailed(Throwable error);

	/**
	 * The connection fails, and is about to be closed for it.
	 * @param cause why
	 */
	void failing(Throwable cause);

	/**
	 * Somebody closes the channel through its pipeline, which neither the peer nor the
	 * owner does: the application, Reactor Netty or a codec.
	 */
	void closing();

	/**
	 * The peer has ended the connection by TLS. It is for the owner to close it.
	 */
	void peerClosed();

	/**
	 * No byte has moved for as long as the idle timeout. It is for the owner to close the
	 * connection.
	 */
	void idleTimedOut();

	/**
	 * Bytes that are queued have made no progress for as long as the write timeout. It is
	 * for the owner to close the connection.
	 */
	void writeTimedOut();

	/**
	 * Bytes have been received.
	 * @param count the number of bytes, after decryption
	 */
	default void bytesReceived(long count) {
	}

	/**
	 * Bytes have been written.
	 * @param count the number of bytes, before encryption
	 */
	default void bytesSent(long count) {
	}

	/**
	 * Everything that was received before the end of the connection, or before its owner
	 * wanted no more, has been delivered.
	 */
	default void inboundDelivered() {
	}

	/**
	 * The receiver of the bytes has held the event loop for long.
	 * @param nanos the time in nanoseconds
	 */
	void heldEventLoop(long nanos);

	/**
	 * Return whether something has ended the connection, or is about to. Any thread.
	 * @return {@code false} while it lives
	 */
	boolean isEnding();

}
