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

import java.io.InputStream;
import java.io.OutputStream;
import java.net.SocketAddress;
import java.time.Instant;
import java.util.Map;

import javax.net.ssl.SSLSession;

import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.netty.NettyInbound;
import reactor.netty.NettyOutbound;

/**
 * A connection that has been assigned a slot. All methods may be called from any thread,
 * even after the connection is closed.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public interface CallosumConnection {

	/**
	 * Return the id of the connection, which is unique during the lifetime of the server.
	 * It consists of letters, digits and hyphens, and is safe to log.
	 * @return the id
	 */
	String id();

	/**
	 * Return the slot of the connection.
	 * @return the slot, 0 or more
	 */
	int slot();

	/**
	 * Return the number that was sent to the client as its slot. It differs from
	 * {@link #slot()} if the server has a weight other than 1 or is warming up.
	 * @return the number, 0 or more
	 * @see CallosumServer.Builder#weight(double)
	 * @see CallosumServer.Builder#warmUp(java.time.Duration)
	 */
	default int announcedSlot() {
		return slot();
	}

	/**
	 * Return the address of the peer.
	 * @return the remote address
	 */
	SocketAddress remoteAddress();

	/**
	 * Return the address that the peer connected to.
	 * @return the local address
	 */
	SocketAddress localAddress();

	/**
	 * Return the time at which the connection was accepted.
	 * @return the time
	 */
	Instant connectedAt();

	/**
	 * Return the TLS session, which holds the peer's certificates, if any.
	 * @return the session, or {@code null} if the connection does not use TLS
	 */
	@Nullable SSLSession sslSession();

	/**
	 * Return the number of bytes received, after decryption.
	 * @return the number of bytes
	 */
	default long bytesReceived() {
		return 0;
	}

	/**
	 * Return the number of bytes written, before encryption, including the slot line and
	 * bytes that are still queued.
	 * @return the number of bytes
	 */
	default long bytesSent() {
		return 0;
	}

	/**
	 * Return attributes for the application's own use.
	 * @return a mutable, thread-safe map that does not allow {@code null} keys or values
	 */
	Map<String, Object> attributes();

	/**
	 * Claim the bytes that the peer sends. They can be claimed once: by the
	 * {@link ConnectionHandler} if there is one, at any time after its {@code handle}
	 * method has been called, otherwise by a listener while {@link ConnectionEvent} is
	 * being published. The owner may subscribe to {@link NettyInbound#receive()} later
	 * and on any thread. Nothing that the peer sends in the meantime is lost: bytes are
	 * read ahead up to the configured limit, and beyond that TCP slows down the peer.
	 * <p>
	 * Bytes that are not claimed are read and discarded.
	 * @return the inbound side of the connection
	 * @throws IllegalStateException if the bytes are already claimed or cannot be claimed
	 * at this point
	 */
	NettyInbound inbound();

	/**
	 * Return the outbound side of the connection. Everything that is sent follows the
	 * slot line. Applications should let the client speak first: some clients reject a
	 * slot line that arrives together with other bytes. After the peer has left, writes
	 * are dropped while the {@link ConnectionHandler} is still processing what the peer
	 * sent, and fail after that.
	 * @return the outbound side of the connection
	 * @throws IllegalStateException if the slot line has not been written yet
	 */
	NettyOutbound outbound();

	/**
	 * Claim the bytes that the peer sends, like {@link #inbound()}, but for code that
	 * blocks. The stream ends when the peer closes the connection or the server drains.
	 * The stream must not be read on an event loop.
	 * @return the bytes as a stream, not thread-safe
	 * @throws IllegalStateException if the bytes are already claimed or cannot be claimed
	 * at this point
	 */
	default InputStream inputStream() {
		throw new UnsupportedOperationException();
	}

	/**
	 * Return the outbound side of the connection as a stream, for code that blocks. Bytes
	 * are sent at once; a write blocks while the peer does not keep up. A write that
	 * fails after it has returned makes the next one fail. The stream must not be used on
	 * an event loop.
	 * @return the stream
	 * @throws IllegalStateException if the slot line has not been written yet
	 */
	default OutputStream outputStream() {
		throw new UnsupportedOperationException();
	}

	/**
	 * Return a {@link Mono} that completes when the server begins to stop, on the event
	 * loop of the connection. It completes at once if the server is already stopping, and
	 * never completes if the connection ends first.
	 * @return a {@link Mono} that completes without an error
	 */
	default Mono<Void> draining() {
		return Mono.never();
	}

	/**
	 * Return a {@link Mono} that completes when the connection is closed. It is not
	 * ordered with respect to the server's events.
	 * @return a {@link Mono} that completes without an error
	 */
	Mono<Void> onClose();

	/**
	 * Close the connection at once. Bytes that have not been flushed are dropped. This
	 * method does not wait for the close, and has no effect on a closed connection.
	 */
	void close();

}
