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
 * The owner of the bytes of each connection. Optional: without a handler the bytes belong
 * to the listener of {@link ConnectionEvent} that claims them, or are discarded.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
@FunctionalInterface
public interface ConnectionHandler {

	/**
	 * Handle a connection. Called once for each connection, after the listeners of its
	 * {@link ConnectionEvent} have returned, on the same thread as they were; not called
	 * when the connection is gone by then.
	 * <ul>
	 * <li>When the returned publisher completes, what was written is flushed, the output
	 * is shut, what the peer still sends is discarded for at most one second, and then
	 * the connection is closed.
	 * <li>When it fails, or this method throws or returns {@code null}, the connection is
	 * closed at once, and a {@link ServerErrorEvent} tells why unless the cause is that
	 * the peer has gone.
	 * <li>When the connection is gone first, the subscription is cancelled.
	 * </ul>
	 * @param connection the connection
	 * @return a publisher whose end ends the connection
	 */
	Publisher<Void> handle(CallosumConnection connection);

}
