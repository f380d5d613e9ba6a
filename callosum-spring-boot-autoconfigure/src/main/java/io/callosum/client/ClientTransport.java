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

import java.net.InetSocketAddress;
import java.util.Collection;
import java.util.function.Supplier;

import org.reactivestreams.Publisher;

/**
 * What a client needs from the network, from start to stop.
 */
interface ClientTransport {

	/**
	 * Return the clock and the timers.
	 * @return the timers, which run until {@link #close()}
	 */
	Timers timers();

	/**
	 * Return the dialler, which opens connections.
	 * @return the dialler
	 */
	Dialler dialler();

	/**
	 * Find the servers and follow their changes. Subscribed to once per start, and
	 * cancelled on stop. Emits complete lists of resolved addresses, the first one as
	 * soon as there is an address. Failures to update the list are counted, logged and
	 * retried by the transport, so the last list remains in use. The publisher need not
	 * complete.
	 * @return the lists
	 */
	Publisher<? extends Collection<InetSocketAddress>> servers();

	/**
	 * Release event loops and everything else that is left, without waiting. By then, all
	 * connections are closed and all dials are abandoned.
	 */
	void close();

	/**
	 * Opens the network at the start of a client.
	 */
	@FunctionalInterface
	interface Factory {

		/**
		 * Open the network, without waiting for anything.
		 * @param settings the settings of the client
		 * @param connectionIds supplies ids of connections that are unique for the
		 * lifetime of the client
		 * @return the network
		 */
		ClientTransport open(ClientSettings settings, Supplier<String> connectionIds);

	}

}
