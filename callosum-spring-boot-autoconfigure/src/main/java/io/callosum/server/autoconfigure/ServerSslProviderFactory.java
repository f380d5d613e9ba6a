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

import java.security.KeyStore;
import java.security.KeyStoreException;
import java.util.Collections;
import java.util.List;

import javax.net.ssl.SSLException;

import io.netty.handler.ssl.SslContext;
import org.jspecify.annotations.Nullable;
import reactor.netty.tcp.SslProvider;
import reactor.netty.tcp.TcpSslContextSpec;

import org.springframework.boot.ssl.SslBundle;
import org.springframework.boot.ssl.SslManagerBundle;
import org.springframework.boot.ssl.SslOptions;

import io.callosum.autoconfigure.ReloadableSslProvider;
import io.callosum.server.autoconfigure.CallosumServerProperties.Ssl.ClientAuth;

/**
 * Creates the server's {@link SslProvider} for an SSL bundle, and verifies that clients
 * can connect with each server name that selects it.
 */
final class ServerSslProviderFactory implements ReloadableSslProvider.Factory {

	private final ClientAuth clientAuth;

	private final List<@Nullable String> serverNames;

	ServerSslProviderFactory(ClientAuth clientAuth, List<@Nullable String> serverNames) {
		this.clientAuth = clientAuth;
		this.serverNames = serverNames;
	}

	@Override
	public SslProvider create(SslBundle bundle) throws SSLException {
		SslManagerBundle managers = bundle.getManagers();
		SslOptions options = bundle.getOptions();
		SslContext context = TcpSslContextSpec.forServer(managers.getKeyManagerFactory())
			.configure((builder) -> builder.trustManager(managers.getTrustManagerFactory())
				.protocols(options.getEnabledProtocols())
				.ciphers(SslOptions.asSet(options.getCiphers()))
				.clientAuth(map(this.clientAuth)))
			.sslContext();
		for (String serverName : this.serverNames) {
			try {
				InMemoryHandshake.verify(context, serverName);
			}
			catch (SSLException ex) {
				throw new SSLException("A handshake " + ((serverName != null) ? "for '" + serverName + "' " : "")
						+ "fails" + describeAlias(bundle), ex);
			}
		}
		return SslProvider.builder().sslContext(context).build();
	}

	/**
	 * Some key stores ignore the case of an alias, but key managers do not.
	 */
	private static String describeAlias(SslBundle bundle) {
		String alias = bundle.getKey().getAlias();
		KeyStore keyStore = bundle.getStores().getKeyStore();
		if (alias == null || keyStore == null) {
			return "";
		}
		try {
			List<String> aliases = Collections.list(keyStore.aliases());
			return aliases.contains(alias) ? "" : ", the alias '" + alias + "' is not one of " + aliases;
		}
		catch (KeyStoreException ex) {
			return "";
		}
	}

	private static io.netty.handler.ssl.ClientAuth map(ClientAuth clientAuth) {
		return switch (clientAuth) {
			case NONE -> io.netty.handler.ssl.ClientAuth.NONE;
			case WANT -> io.netty.handler.ssl.ClientAuth.OPTIONAL;
			case NEED -> io.netty.handler.ssl.ClientAuth.REQUIRE;
		};
	}

}
