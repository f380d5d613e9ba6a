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
 * Handles the bytes of each connection after the slot line, with code that may block and
 * one thread per connection. Used instead of a {@link ConnectionHandler}.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
@FunctionalInterface
public interface BlockingConnectionHandler {

	/**
	 * Handle a connection. Called once for each connection, on a thread of its own, after
	 * the listeners of {@link ConnectionEvent} have returned. Not called if the
	 * connection has already been closed by this side.
	 * <ul>
	 * <li>When this method returns, everything written is flushed and the output is shut
	 * down. Anything that the peer still sends is discarded for at most one second, and
	 * then the connection is closed.
	 * <li>When it throws an exception, the connection is closed at once and a
	 * {@link ServerErrorEvent} is published, unless the cause is that the peer is gone.
	 * <li>When the peer leaves first, everything that it has sent can still be read, and
	 * then the stream ends (or fails, if the peer has reset the connection). What is
	 * written is dropped. Once no further bytes have been read for the
	 * {@linkplain CallosumServer.Builder#completionTimeout completion timeout}, writes
	 * fail. The time that is spent waiting for a thread does not count.
	 * </ul>
	 * The thread is never interrupted because a connection has ended.
	 * @param connection the connection
	 * @throws Exception to close the connection at once
	 * @see CallosumConnection#inputStream()
	 * @see CallosumConnection#outputStream()
	 */
	void handle(CallosumConnection connection) throws Exception;

}
