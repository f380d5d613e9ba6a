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

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

import io.netty.util.DomainWildcardMappingBuilder;
import io.netty.util.Mapping;
import org.jspecify.annotations.Nullable;
import reactor.netty.tcp.SslProvider;

import org.springframework.beans.factory.DisposableBean;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;
import org.springframework.boot.ssl.NoSuchSslBundleException;
import org.springframework.boot.ssl.SslBundles;

import io.callosum.server.autoconfigure.CallosumServerProperties.Ssl;

/**
 * Finds what to use for a TLS handshake by the name of the server that the client asks
 * for.
 */
final class ServerSslProviders implements Function<@Nullable String, SslProvider>, DisposableBean {

	private static final String BUNDLE = "callosum.server.ssl.bundle";

	private static final String SERVER_NAME_BUNDLES = "callosum.server.ssl.server-name-bundles";

	/**
	 * One for each bundle, whatever names it is for.
	 */
	private final Map<String, ReloadableSslProvider> providers = new HashMap<>();

	private final Mapping<String, ReloadableSslProvider> providersByServerName;

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
		DomainWildcardMappingBuilder<ReloadableSslProvider> mapping = new DomainWildcardMappingBuilder<>(
				provider(BUNDLE, bundle, properties, bundles));
		properties.getServerNameBundles().forEach((serverName, serverNameBundle) -> {
			String key = SERVER_NAME_BUNDLES + "[" + serverName + "]";
			ReloadableSslProvider provider = provider(key, serverNameBundle, properties, bundles);
			try {
				mapping.add(serverName, provider);
			}
			catch (IllegalArgumentException ex) {
				throw new InvalidConfigurationPropertyValueException(key, serverNameBundle,
						"'" + serverName + "' is neither a server name nor a wildcard such as '*.example.org'."
								+ " In YAML, write \"[*.example.org]\", in quotation marks.");
			}
		});
		this.providersByServerName = mapping.build();
	}

	/**
	 * Return whether to use TLS.
	 * @param properties the properties
	 * @return whether it is on
	 */
	static boolean isEnabled(Ssl properties) {
		Boolean enabled = properties.getEnabled();
		if (enabled == null && properties.getBundle() == null && !properties.getServerNameBundles().isEmpty()) {
			throw new InvalidConfigurationPropertyValueException(SERVER_NAME_BUNDLES, properties.getServerNameBundles(),
					"There must be a certificate for other names too. Set '" + BUNDLE
							+ "' to the name of an SSL bundle.");
		}
		return (enabled != null) ? enabled : (properties.getBundle() != null);
	}

	private ReloadableSslProvider provider(String key, String bundle, Ssl properties, SslBundles bundles) {
		ReloadableSslProvider provider = this.providers.get(bundle);
		if (provider == null) {
			try {
				provider = ReloadableSslProvider.of(bundle, bundles, properties.getClientAuth());
			}
			catch (NoSuchSslBundleException ex) {
				List<String> names = bundles.getBundleNames();
				throw new InvalidBundleException(key, bundle, "There is no such SSL bundle. "
						+ (names.isEmpty() ? "Declare it under spring.ssl.bundle." : "There are " + names + "."), ex);
			}
			catch (IllegalArgumentException ex) {
				throw new InvalidBundleException(key, bundle, "The SSL bundle " + ex.getMessage() + ".", ex);
			}
			this.providers.put(bundle, provider);
		}
		return provider;
	}

	@Override
	public SslProvider apply(@Nullable String serverName) {
		return this.providersByServerName.map(serverName).current();
	}

	@Override
	public void destroy() {
		this.providers.values().forEach(ReloadableSslProvider::close);
	}

	/**
	 * Has a cause, for which Spring Boot 4.0 has no constructor.
	 */
	private static final class InvalidBundleException extends InvalidConfigurationPropertyValueException {

		private final Exception cause;

		private InvalidBundleException(String key, String bundle, String reason, Exception cause) {
			super(key, bundle, reason);
			this.cause = cause;
		}

		@Override
		public synchronized Throwable getCause() {
			return this.cause;
		}

	}

}
