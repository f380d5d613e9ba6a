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
import java.util.Map;

import org.jspecify.annotations.Nullable;

import org.springframework.boot.ssl.SslBundle;
import org.springframework.boot.ssl.SslBundles;
import org.springframework.core.env.Environment;
import org.springframework.util.Assert;

import io.callosum.client.ServerAddress;

/**
 * The connection details that come from the properties.
 */
final class PropertiesCallosumClientConnectionDetails implements CallosumClientConnectionDetails {

	private final Map<String, ConfiguredClient> clients;

	private final Environment environment;

	private final SslBundles bundles;

	PropertiesCallosumClientConnectionDetails(Map<String, ConfiguredClient> clients, Environment environment,
			SslBundles bundles) {
		this.clients = clients;
		this.environment = environment;
		this.bundles = bundles;
	}

	/**
	 * Empty for a client whose servers are discovered.
	 */
	@Override
	public List<ServerAddress> getServers(String name) {
		return new ConfiguredServers(client(name), this.environment).resolve();
	}

	@Override
	public @Nullable SslBundle getSslBundle(String name) {
		ClientProperties.Ssl ssl = client(name).properties().getSsl();
		String bundle = ssl.getBundle();
		return (bundle != null && ClientSslProviders.isEnabled(ssl)) ? this.bundles.getBundle(bundle) : null;
	}

	private ConfiguredClient client(String name) {
		ConfiguredClient client = this.clients.get(name);
		Assert.notNull(client, () -> "There is no client '" + name + "'");
		return client;
	}

}
