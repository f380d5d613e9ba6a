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

import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.util.Map;

import javax.net.ssl.SSLSession;

import org.jspecify.annotations.Nullable;
import reactor.netty.NettyInbound;
import reactor.netty.NettyOutbound;

/**
 * The temporary use of a connection by one borrower. A lease ends once: by
 * {@link #release()}, {@link #discard(Throwable)} or {@link #close()}, whichever comes
 * first. Afterwards, the other methods have no effect, the getters still return their
 * values, and {@link #inbound()}, {@link #outbound()} and the streams throw
 * {@link IllegalStateException}.
 * <p>
 * Methods may be called from any thread.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public interface CallosumLease extends AutoCloseable {

	/**
	 * Return the id of the connection.
	 * @return the id, unique for the lifetime of the client
	 */
	String connectionId();

	/**
	 * Return the slot that the server sent.
	 * @return the slot, 0 or more
	 */
	int slot();

	/**
	 * Return the server of the connection.
	 * @return the resolved address; its host string is the name by which it was found
	 */
	InetSocketAddress server();

	/**
	 * Return the TLS session of the connection.
	 * @return the session, or {@code null} without TLS
	 */
	@Nullable SSLSession sslSession();

	/**
	 * Return the attributes of the connection. They outlive the lease, so the next
	 * borrower sees them.
	 * @return a thread-safe, mutable map that does not permit null keys or values
	 */
	Map<String, Object> attributes();

	/**
	 * Return the inbound side of the connection. Its bytes can be received only once per
	 * lease. It completes when the server closes the connection, and fails with
	 * {@link ConnectionLostException} when the connection is reset.
	 * @return the inbound
	 * @throws IllegalStateException if the lease has ended
	 */
	NettyInbound inbound();

	/**
	 * Return the outbound side of the connection.
	 * @return the outbound
	 * @throws IllegalStateException if the lease has ended
	 */
	NettyOutbound outbound();

	/**
	 * Return the bytes of {@link #inbound()} as a stream, for blocking code. Use only one
	 * of the two.
	 * @return the stream, which ends when the server closes the connection
	 * @throws IllegalStateException if the lease has ended
	 */
	InputStream inputStream();

	/**
	 * Return the outbound side as a stream, for blocking code.
	 * @return the stream
	 * @throws IllegalStateException if the lease has ended
	 */
	OutputStream outputStream();

	/**
	 * End the lease and return the connection to the pool. Call this method only between
	 * two messages of the protocol, so that the next borrower can begin. If received
	 * bytes have not been consumed, the connection is closed instead.
	 * <p>
	 * The connection becomes available again once everything written has been flushed. If
	 * nothing is queued, that is when this method returns.
	 */
	void release();

	/**
	 * End the lease and close the connection.
	 * @param cause the failure, which counts against the server, or {@code null} if the
	 * server is not to blame
	 */
	void discard(@Nullable Throwable cause);

	/**
	 * Call {@code discard(null)}, unless the lease has already ended.
	 */
	@Override
	void close();

}
