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

import org.reactivestreams.Publisher;

/**
 * Handles the bytes of each connection after the slot line. Without a handler, the bytes
 * belong to the listener of {@link ConnectionEvent} that claims them, or are discarded.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
@FunctionalInterface
public interface ConnectionHandler {

	/**
	 * Handle a connection. Called once for each connection, on the thread of the
	 * connection's listeners, after the listeners of {@link ConnectionEvent} have
	 * returned. Not called if the server has already closed the connection, or if the
	 * peer has left without sending anything.
	 * <ul>
	 * <li>When the returned publisher completes, everything written is flushed and the
	 * output is shut down. Anything that the peer still sends is discarded for at most
	 * one second, and then the connection is closed.
	 * <li>When the publisher fails, or this method throws or returns {@code null}, the
	 * connection is closed at once and a {@link ServerErrorEvent} is published, unless
	 * the cause is that the peer is gone.
	 * <li>When the peer leaves first, everything that it has sent is still delivered by
	 * the claimed {@link CallosumConnection#inbound()}, and what the handler writes is
	 * dropped. The handler may take up to the
	 * {@linkplain CallosumServer.Builder#completionTimeout completion timeout} after the
	 * last delivery. Then the subscription is cancelled.
	 * <li>When the server closes the connection first, or the peer leaves while the
	 * handler has not claimed the bytes yet, the subscription is cancelled at once. A
	 * handler that is called after the peer has left may claim them during the call.
	 * </ul>
	 * @param connection the connection
	 * @return a publisher whose completion ends the connection
	 */
	Publisher<Void> handle(CallosumConnection connection);

}
