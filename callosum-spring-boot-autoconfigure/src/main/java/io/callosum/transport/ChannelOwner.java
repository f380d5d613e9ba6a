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
 * The connection that a channel belongs to, as the handlers of this package see it: they
 * notify it of events and query it. Methods are called on the event loop of the channel,
 * except where noted.
 */
public interface ChannelOwner {

	/**
	 * Return the channel.
	 * @return the channel, always the same
	 */
	Channel channel();

	/**
	 * Return the connection as Reactor Netty sees it. Any thread.
	 * @return the operations that deliver what is received next
	 * @throws IllegalStateException before {@link #ready()}
	 */
	ChannelOperations<?, ?> operations();

	/**
	 * Return the budget for reading ahead. Any thread.
	 * @return the budget, always the same
	 */
	ReadAheadBudget readAheadBudget();

	/**
	 * The connection is ready; with TLS, its handshake is done.
	 */
	void ready();

	/**
	 * The connection failed before it was ready. The owner must close it. This may be
	 * called twice.
	 * @param error why
	 */
	void handshakeFailed(Throwable error);

	/**
	 * The connection has failed and is about to be closed because of that.
	 * @param cause why
	 */
	void failing(Throwable cause);

	/**
	 * The application, Reactor Netty or a codec closes the channel through its pipeline.
	 * Neither the peer nor the owner does so.
	 */
	void closing();

	/**
	 * The peer has ended the TLS session. The owner must close the connection.
	 */
	void peerClosed();

	/**
	 * No bytes have been received or sent for the duration of the idle timeout. The owner
	 * must close the connection.
	 */
	void idleTimedOut();

	/**
	 * Queued bytes have made no progress for the duration of the write timeout. The owner
	 * must close the connection.
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
	 * Everything that was received before the connection ended, or before its owner
	 * stopped receiving, has been delivered.
	 */
	default void inboundDelivered() {
	}

	/**
	 * The receiver of the bytes has blocked the event loop for a long time.
	 * @param nanos how long, in nanoseconds
	 */
	void heldEventLoop(long nanos);

	/**
	 * Return whether the connection has ended or is about to end. Any thread.
	 * @return {@code false} while it is alive
	 */
	boolean isEnding();

}
