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

package io.callosum.client.autoconfigure;

import java.util.Set;
import java.util.stream.Stream;

import io.callosum.client.CallosumClient;

/**
 * All Callosum clients of the application by name: those that are configured by
 * properties and those that the application defines as beans.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public interface CallosumClients {

	/**
	 * Return a client.
	 * @param name the name of the client, {@code default} for the one that is configured
	 * without a name; dashes and case do not matter
	 * @return the client
	 * @throws IllegalArgumentException if there is no such client; the message lists the
	 * names that exist
	 */
	CallosumClient get(String name);

	/**
	 * Return the names of all clients.
	 * @return an unmodifiable set of names; those from the properties are in lower case
	 * and without dashes
	 */
	Set<String> names();

	/**
	 * Return all clients.
	 * @return the clients, in the order of {@link #names()}
	 */
	Stream<CallosumClient> stream();

}
