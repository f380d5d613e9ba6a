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

package io.callosum.benchmark;

import reactor.core.publisher.Mono;
import reactor.netty.resources.LoopResources;

/**
 * A client with a pool of connections to one server.
 *
 * @author The Callosum authors
 */
interface ExchangeClient extends AutoCloseable {

	/**
	 * Send a request on a connection of the pool.
	 * @param request a line without its line ending
	 * @return the answer, a line without its line ending
	 */
	Mono<String> exchange(String request);

	@Override
	void close();

	/**
	 * Creates clients.
	 */
	@FunctionalInterface
	interface Factory {

		ExchangeClient create(Target target);

	}

	/**
	 * The parameters that are the same for all clients.
	 *
	 * @param port the port of the server, on 127.0.0.1
	 * @param poolSize the number of connections
	 * @param loops the event loops
	 * @param epoll whether to use epoll
	 */
	record Target(int port, int poolSize, LoopResources loops, boolean epoll) {

	}

}
