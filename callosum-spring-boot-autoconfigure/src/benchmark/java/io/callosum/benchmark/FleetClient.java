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

import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.SplittableRandom;

import reactor.core.publisher.Mono;

/**
 * A client of a fleet, set up as users would do it.
 *
 * @author The Callosum authors
 */
interface FleetClient {

	/**
	 * How long an attempt may take, on top of how long it may wait for a connection.
	 */
	Duration TIMEOUT = Duration.ofSeconds(1);

	/**
	 * How often a request is retried if its connection is lost before an answer arrives.
	 */
	int RETRIES = 3;

	/**
	 * How many connections a pool may have.
	 */
	int POOL_SIZE = 8;

	/**
	 * Set the servers, as discovery would.
	 * @param servers the servers
	 */
	void servers(List<InetSocketAddress> servers);

	/**
	 * Send a request.
	 * @param request a line without its line ending
	 * @return the answer, a line without its line ending
	 */
	Mono<String> send(String request);

	/**
	 * Creates clients.
	 */
	@FunctionalInterface
	interface Factory {

		FleetClient create(Identity identity);

	}

	/**
	 * The identity of a client.
	 *
	 * @param index the number of the client, from 0
	 * @param chance the client's own source of randomness
	 */
	record Identity(int index, SplittableRandom chance) {

	}

}
