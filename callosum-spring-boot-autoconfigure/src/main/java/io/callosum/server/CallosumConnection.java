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

import java.net.SocketAddress;
import java.time.Instant;
import java.util.Map;

import javax.net.ssl.SSLSession;

import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.netty.NettyInbound;
import reactor.netty.NettyOutbound;

/**
 * A connection that was given a slot. All methods may be called from any thread, also
 * after the connection is gone.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public interface CallosumConnection {

	/**
	 * Return the id of the connection, unique in the life of the server. It holds
	 * letters, digits and hyphens only, and so is fit for logs.
	 * @return the id
	 */
	String id();

	/**
	 * Return the slot of the connection.
	 * @return the slot, 0 or more
	 */
	int slot();

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
	 * Return when the connection was accepted.
	 * @return the time
	 */
	Instant connectedAt();

	/**
	 * Return the TLS session, which holds the certificates of a peer that presented any.
	 * @return the session, or {@code null} if the connection does not use TLS
	 */
	@Nullable SSLSession sslSession();

	/**
	 * Return how many bytes have been received, after decryption.
	 * @return the number of bytes
	 */
	default long bytesReceived() {
		return 0;
	}

	/**
	 * Return how many bytes have been written, the slot line and bytes that are still
	 * queued included, before encryption.
	 * @return the number of bytes
	 */
	default long bytesSent() {
		return 0;
	}

	/**
	 * Return attributes for the application's own use. They live as long as the
	 * connection object.
	 * @return a mutable and thread-safe map that allows neither {@code null} keys nor
	 * {@code null} values
	 */
	Map<String, Object> attributes();

	/**
	 * Claim the bytes that the peer sends. They can be claimed once: by the
	 * {@link ConnectionHandler} where there is one, at any time from the call of its
	 * {@code handle} method on; else by a listener while {@link ConnectionEvent} is being
	 * published. Who has claimed them may subscribe to {@link NettyInbound#receive()}
	 * later, and on any thread; nothing that the peer has sent is lost meanwhile. At most
	 * 64 KiB are read ahead, and the peer is slowed down by TCP beyond that.
	 * <p>
	 * Bytes that nobody claims are read and discarded.
	 * @return the inbound side of the connection
	 * @throws IllegalStateException if the bytes are claimed already, or at a time or by
	 * a caller other than those above
	 */
	NettyInbound inbound();

	/**
	 * Return the side of the connection that the peer reads. What is sent follows the
	 * slot line. Applications should let the client speak first: some clients reject a
	 * slot line that arrives together with other bytes.
	 * @return the outbound side of the connection
	 * @throws IllegalStateException if the slot line has not been written yet
	 */
	NettyOutbound outbound();

	/**
	 * Return a signal that completes when the connection is closed. It is not ordered
	 * with the events of the server.
	 * @return a {@link Mono} that completes and never fails
	 */
	Mono<Void> onClose();

	/**
	 * Close the connection at once: what has not been flushed is dropped. Returns without
	 * waiting; closing a closed connection does nothing.
	 */
	void close();

}
