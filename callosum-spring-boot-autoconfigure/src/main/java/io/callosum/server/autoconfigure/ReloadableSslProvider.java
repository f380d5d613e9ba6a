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

import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.X509Certificate;
import java.util.Map;

import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLException;
import javax.net.ssl.X509KeyManager;

import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.handler.ssl.SslContext;
import io.netty.util.ReferenceCountUtil;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import org.jspecify.annotations.Nullable;
import reactor.netty.tcp.SslProvider;
import reactor.netty.tcp.TcpSslContextSpec;

import org.springframework.boot.ssl.SslBundle;
import org.springframework.boot.ssl.SslBundles;
import org.springframework.boot.ssl.SslManagerBundle;
import org.springframework.boot.ssl.SslOptions;
import org.springframework.util.Assert;

import io.callosum.server.CallosumServer;
import io.callosum.server.autoconfigure.CallosumServerProperties.Ssl.ClientAuth;

/**
 * What an SSL bundle makes of a handshake: of each new one what the bundle says by then.
 * A bundle that comes to be of no use is not taken over.
 */
final class ReloadableSslProvider {

	private static final Log logger = LogFactory.getLog(CallosumServer.class);

	/**
	 * The types of key that a certificate may have, and how to tell whether the two
	 * belong together. None for those whose signatures need parameters.
	 */
	private static final Map<String, String> SIGNATURE_BY_KEY_TYPE = Map.of("RSA", "SHA256withRSA", "EC",
			"SHA256withECDSA", "EdDSA", "EdDSA", "DSA", "SHA256withDSA", "RSASSA-PSS", "");

	private final String bundleName;

	private final ClientAuth clientAuth;

	private volatile @Nullable SslProvider current;

	private volatile boolean closed;

	private ReloadableSslProvider(String bundleName, ClientAuth clientAuth) {
		this.bundleName = bundleName;
		this.clientAuth = clientAuth;
	}

	/**
	 * Create the provider of a bundle.
	 * @throws IllegalArgumentException if the bundle is of no use to a server
	 */
	static ReloadableSslProvider of(String bundleName, SslBundles bundles, ClientAuth clientAuth) {
		ReloadableSslProvider provider = new ReloadableSslProvider(bundleName, clientAuth);
		provider.initialize(bundles);
		return provider;
	}

	/**
	 * Locked, and in this order, so that no update is missed.
	 */
	private synchronized void initialize(SslBundles bundles) {
		bundles.addBundleUpdateHandler(this.bundleName, this::update);
		SslBundle bundle = bundles.getBundle(this.bundleName);
		try {
			this.current = create(bundle);
		}
		catch (Exception ex) {
			throw new IllegalArgumentException("cannot be used: " + describe(ex), ex);
		}
	}

	private synchronized void update(SslBundle bundle) {
		if (this.closed) {
			return;
		}
		try {
			this.current = create(bundle);
			logger.info("The Callosum server uses the new certificate of SSL bundle '" + this.bundleName
					+ "' for new connections");
		}
		catch (Exception ex) {
			logger.error("SSL bundle '" + this.bundleName + "' has changed, but cannot be used: " + describe(ex)
					+ ". The Callosum server goes on with what the bundle was before");
		}
	}

	/**
	 * Take over no more updates: the bundles may outlive the application context.
	 */
	void close() {
		this.closed = true;
	}

	SslProvider current() {
		SslProvider current = this.current;
		Assert.state(current != null, "Not initialized");
		return current;
	}

	private SslProvider create(SslBundle bundle) throws GeneralSecurityException, SSLException {
		SslManagerBundle managers = bundle.getManagers();
		verifyKeys(managers.getKeyManagers());
		SslOptions options = bundle.getOptions();
		SslContext context = TcpSslContextSpec.forServer(managers.getKeyManagerFactory())
			.configure((builder) -> builder.trustManager(managers.getTrustManagerFactory())
				.protocols(options.getEnabledProtocols())
				.ciphers(SslOptions.asSet(options.getCiphers()))
				.clientAuth(map(this.clientAuth)))
			.sslContext();
		// Tells of protocols and ciphers that are not supported
		ReferenceCountUtil.release(context.newEngine(UnpooledByteBufAllocator.DEFAULT));
		return SslProvider.builder().sslContext(context).build();
	}

	/**
	 * Without a key, or with one that is not the certificate's (the new file of which may
	 * not be there yet), every handshake would fail.
	 */
	private static void verifyKeys(KeyManager[] keyManagers) throws GeneralSecurityException {
		boolean found = false;
		for (KeyManager keyManager : keyManagers) {
			if (keyManager instanceof X509KeyManager x509KeyManager) {
				for (Map.Entry<String, String> type : SIGNATURE_BY_KEY_TYPE.entrySet()) {
					String[] aliases = x509KeyManager.getServerAliases(type.getKey(), null);
					for (String alias : (aliases != null) ? aliases : new String[0]) {
						found = true;
						verifyKey(x509KeyManager, alias, type.getValue());
					}
				}
			}
		}
		Assert.state(found, "it has no private key with a certificate");
	}

	private static void verifyKey(X509KeyManager keyManager, String alias, String algorithm)
			throws GeneralSecurityException {
		PrivateKey privateKey = keyManager.getPrivateKey(alias);
		X509Certificate[] certificates = keyManager.getCertificateChain(alias);
		if (privateKey != null && certificates != null && certificates.length > 0 && !algorithm.isEmpty()) {
			Assert.state(isPair(privateKey, certificates[0].getPublicKey(), algorithm),
					"its private key is not that of its certificate");
		}
	}

	private static boolean isPair(PrivateKey privateKey, PublicKey publicKey, String algorithm)
			throws GeneralSecurityException {
		byte[] data = { 1, 2, 3 };
		Signature signature = Signature.getInstance(algorithm);
		signature.initSign(privateKey);
		signature.update(data);
		byte[] signed = signature.sign();
		signature = Signature.getInstance(algorithm);
		signature.initVerify(publicKey);
		signature.update(data);
		return signature.verify(signed);
	}

	private static io.netty.handler.ssl.ClientAuth map(ClientAuth clientAuth) {
		return switch (clientAuth) {
			case NONE -> io.netty.handler.ssl.ClientAuth.NONE;
			case WANT -> io.netty.handler.ssl.ClientAuth.OPTIONAL;
			case NEED -> io.netty.handler.ssl.ClientAuth.REQUIRE;
		};
	}

	/**
	 * Return the messages of an exception and its causes: those of a bundle say little at
	 * the top.
	 */
	private static String describe(Throwable error) {
		StringBuilder description = new StringBuilder(String.valueOf(error.getMessage()));
		for (Throwable cause = error.getCause(); cause != null; cause = cause.getCause()) {
			if (cause.getMessage() != null && description.indexOf(cause.getMessage()) < 0) {
				description.append(": ").append(cause.getMessage());
			}
		}
		return description.toString();
	}

}
