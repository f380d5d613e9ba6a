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

package io.callosum.server.autoconfigure;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

import javax.net.ssl.SNIHostName;

import io.netty.util.DomainWildcardMappingBuilder;
import io.netty.util.Mapping;
import io.netty.util.NetUtil;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import org.jspecify.annotations.Nullable;
import reactor.netty.tcp.SslProvider;

import org.springframework.beans.factory.DisposableBean;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;
import org.springframework.boot.ssl.SslBundles;
import org.springframework.util.Assert;

import io.callosum.autoconfigure.ReloadableSslProvider;
import io.callosum.server.CallosumServer;
import io.callosum.server.autoconfigure.CallosumServerProperties.Ssl;

/**
 * Selects the {@link SslProvider} for a TLS handshake by the server name that the client
 * asks for.
 */
final class ServerSslProviders implements Function<@Nullable String, SslProvider>, DisposableBean {

	private static final Log logger = LogFactory.getLog(CallosumServer.class);

	private static final String BUNDLE = "callosum.server.ssl.bundle";

	static final String SERVER_NAME_BUNDLES = "callosum.server.ssl.server-name-bundles";

	private static final String WILDCARD = "*.";

	/**
	 * Keyed by the name of the bundle.
	 */
	private final Map<String, ReloadableSslProvider> providers = new HashMap<>();

	private final Mapping<String, ReloadableSslProvider> providersByServerName;

	private final boolean byServerName;

	/**
	 * Create the providers of all bundles.
	 * @param properties the properties, with {@link #isEnabled TLS enabled}
	 * @param bundles the bundles
	 */
	ServerSslProviders(Ssl properties, SslBundles bundles) {
		String bundle = properties.getBundle();
		if (bundle == null) {
			throw new InvalidConfigurationPropertyValueException("callosum.server.ssl.enabled", properties.getEnabled(),
					"TLS needs a certificate. Set '" + BUNDLE + "' to the name of an SSL bundle.");
		}
		Map<String, String> serverNameBundles = properties.getServerNameBundles();
		serverNameBundles.forEach(ServerSslProviders::verifyServerName);
		create(BUNDLE, bundle, properties, bundles);
		serverNameBundles.forEach(
				(serverName, name) -> create(SERVER_NAME_BUNDLES + "[" + serverName + "]", name, properties, bundles));
		DomainWildcardMappingBuilder<ReloadableSslProvider> mapping = new DomainWildcardMappingBuilder<>(
				provider(bundle));
		serverNameBundles.forEach((serverName, name) -> mapping.add(serverName, provider(name)));
		this.providersByServerName = mapping.build();
		this.byServerName = !serverNameBundles.isEmpty();
		if (!serverNameBundles.isEmpty()) {
			logger.info("SSL bundles by server name: " + serverNameBundles + ", otherwise '" + bundle + "'");
		}
	}

	/**
	 * Return whether TLS is enabled.
	 * @param properties the properties
	 * @return {@code true} if TLS is enabled
	 */
	static boolean isEnabled(Ssl properties) {
		Boolean enabled = properties.getEnabled();
		if (enabled == null && properties.getBundle() == null && !properties.getServerNameBundles().isEmpty()) {
			throw new InvalidConfigurationPropertyValueException(SERVER_NAME_BUNDLES, properties.getServerNameBundles(),
					"Other server names need a certificate too. Set '" + BUNDLE + "' to the name of an SSL bundle.");
		}
		return (enabled != null) ? enabled : (properties.getBundle() != null);
	}

	/**
	 * Reject a name that Java would not accept from a client.
	 */
	private static void verifyServerName(String serverName, String bundle) {
		String name = serverName.startsWith(WILDCARD) ? serverName.substring(WILDCARD.length()) : serverName;
		String reason = null;
		try {
			new SNIHostName(name);
			if (NetUtil.isValidIpV4Address(name)) {
				reason = "an IP address";
			}
		}
		catch (IllegalArgumentException ex) {
			reason = ex.getMessage();
		}
		if (reason != null) {
			throw new InvalidConfigurationPropertyValueException(SERVER_NAME_BUNDLES + "[" + serverName + "]", bundle,
					"'" + serverName + "' is neither a server name nor a wildcard such as '*.example.org' (" + reason
							+ "). In YAML, write \"[*.example.org]\" with brackets and quotation marks.");
		}
	}

	private void create(String key, String bundle, Ssl properties, SslBundles bundles) {
		if (!this.providers.containsKey(bundle)) {
			this.providers.put(bundle, ReloadableSslProvider.of(key, bundle, bundles,
					new ServerSslProviderFactory(properties.getClientAuth(), serverNames(bundle, properties))));
		}
	}

	/**
	 * Return the server names that select a bundle, with {@code null} for no server name.
	 */
	private static List<@Nullable String> serverNames(String bundle, Ssl properties) {
		List<@Nullable String> names = new ArrayList<>();
		if (bundle.equals(properties.getBundle())) {
			names.add(null);
		}
		properties.getServerNameBundles().forEach((serverName, name) -> {
			if (bundle.equals(name)) {
				names.add(serverName.startsWith(WILDCARD) ? "any." + serverName.substring(WILDCARD.length())
						: serverName);
			}
		});
		return names;
	}

	private ReloadableSslProvider provider(String bundle) {
		ReloadableSslProvider provider = this.providers.get(bundle);
		Assert.state(provider != null, "No provider");
		return provider;
	}

	/**
	 * Configure a server to use TLS.
	 */
	void applyTo(CallosumServer.Builder builder) {
		if (this.byServerName) {
			builder.sslProviders(this);
		}
		else {
			builder.sslProvider(() -> apply(null));
		}
	}

	@Override
	public SslProvider apply(@Nullable String serverName) {
		return this.providersByServerName.map(serverName).get();
	}

	@Override
	public void destroy() {
		this.providers.values().forEach(ReloadableSslProvider::close);
	}

}
