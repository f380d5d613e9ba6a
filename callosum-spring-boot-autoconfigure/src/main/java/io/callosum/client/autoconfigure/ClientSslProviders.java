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

import javax.net.ssl.SSLException;

import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.handler.ssl.SslContext;
import io.netty.util.ReferenceCountUtil;
import org.jspecify.annotations.Nullable;
import reactor.netty.tcp.SslProvider;
import reactor.netty.tcp.TcpSslContextSpec;

import org.springframework.boot.ssl.SslBundle;
import org.springframework.boot.ssl.SslManagerBundle;
import org.springframework.boot.ssl.SslOptions;

import io.callosum.client.autoconfigure.ClientProperties.Ssl;

/**
 * Creates the {@link SslProvider}s of clients.
 */
final class ClientSslProviders {

	private ClientSslProviders() {
	}

	static boolean isEnabled(Ssl properties) {
		Boolean enabled = properties.getEnabled();
		return (enabled != null) ? enabled : (properties.getBundle() != null);
	}

	/**
	 * Create a provider.
	 * @param bundle the bundle, or {@code null} to use the default trust store of the JVM
	 * @param verifyHostname whether the certificate must match the name of the server
	 * @throws IllegalArgumentException if the bundle cannot be used
	 */
	static SslProvider create(@Nullable SslBundle bundle, boolean verifyHostname) {
		TcpSslContextSpec spec = TcpSslContextSpec.forClient()
			.configure((builder) -> builder.endpointIdentificationAlgorithm(verifyHostname ? "HTTPS" : ""));
		if (bundle != null) {
			SslManagerBundle managers = bundle.getManagers();
			SslOptions options = bundle.getOptions();
			spec.configure((builder) -> builder.keyManager(managers.getKeyManagerFactory())
				.trustManager(managers.getTrustManagerFactory())
				.protocols(options.getEnabledProtocols())
				.ciphers(SslOptions.asSet(options.getCiphers()))
				.endpointIdentificationAlgorithm(verifyHostname ? "HTTPS" : ""));
		}
		try {
			SslContext context = spec.sslContext();
			// Throws if a protocol or a cipher is not supported
			ReferenceCountUtil.release(context.newEngine(UnpooledByteBufAllocator.DEFAULT));
			return SslProvider.builder().sslContext(context).build();
		}
		catch (SSLException ex) {
			throw new IllegalArgumentException(ex.getMessage(), ex);
		}
	}

}
