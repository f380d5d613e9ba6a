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

import org.reactivestreams.Publisher;

/**
 * Prepares each new connection before it is leased, for example to authenticate, to read
 * a greeting or to add codecs.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
@FunctionalInterface
public interface ConnectionInitializer {

	/**
	 * Initialize a connection. Called once, on the event loop of the connection, and only
	 * if the pool keeps the connection. The implementation must not end the lease.
	 * @param lease the first lease of the connection
	 * @return a publisher that completes when the connection is ready; if it fails, the
	 * connection is closed and the failure counts against the server
	 */
	Publisher<Void> initialize(CallosumLease lease);

}
