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

import io.netty.handler.ssl.SslContextBuilder;
import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import reactor.netty.tcp.SslProvider;

import io.callosum.server.TestTls;

/**
 * Certificates with host names, which clients verify, and the client's side of TLS.
 */
final class ClientTls {

	/**
	 * The certificate for the name {@code localhost}.
	 */
	static final X509Bundle LOCALHOST = certificate("localhost");

	private ClientTls() {
	}

	/**
	 * Return the certificate of a server.
	 */
	static X509Bundle certificate(String name) {
		try {
			return new CertificateBuilder().ecp256()
				.subject("CN=" + name)
				.addSanDnsName(name)
				.buildIssuedBy(TestTls.AUTHORITY);
		}
		catch (Exception ex) {
			throw new IllegalStateException(ex);
		}
	}

	/**
	 * Return a provider that trusts the authority of the tests.
	 */
	static SslProvider provider() {
		try {
			return SslProvider.builder()
				.sslContext(
						SslContextBuilder.forClient().trustManager(TestTls.AUTHORITY.toTrustManagerFactory()).build())
				.build();
		}
		catch (Exception ex) {
			throw new IllegalStateException(ex);
		}
	}

}
