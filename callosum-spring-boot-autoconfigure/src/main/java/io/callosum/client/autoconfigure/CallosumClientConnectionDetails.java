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

import java.util.List;

import org.jspecify.annotations.Nullable;

import org.springframework.boot.autoconfigure.service.connection.ConnectionDetails;
import org.springframework.boot.ssl.SslBundle;

import io.callosum.client.ServerAddress;

/**
 * Connection details of the clients that are configured by properties. One bean serves
 * all of them and takes precedence over the properties.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public interface CallosumClientConnectionDetails extends ConnectionDetails {

	/**
	 * Return where to look for the servers of a client. Called when the client is created
	 * and on each start, before the first dial, on a thread that may block.
	 * @param name the name of the client
	 * @return the addresses, or an empty list if the properties apply to this client,
	 * including TLS
	 */
	List<ServerAddress> getServers(String name);

	/**
	 * Return the SSL bundle to connect with. Called when the client is created.
	 * @param name the name of the client
	 * @return the bundle, or {@code null} if the client does not use TLS
	 */
	default @Nullable SslBundle getSslBundle(String name) {
		return null;
	}

}
