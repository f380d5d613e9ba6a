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

import java.net.Socket;
import java.nio.ByteBuffer;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.List;

import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLEngineResult;
import javax.net.ssl.SSLEngineResult.HandshakeStatus;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.X509ExtendedTrustManager;

import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.handler.ssl.JdkSslContext;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import io.netty.util.ReferenceCountUtil;
import org.jspecify.annotations.Nullable;

/**
 * A TLS handshake in memory, which checks whether a server can use a context. Only a
 * handshake can check this, because key managers and the TLS implementation select the
 * key and the certificate.
 * <p>
 * The client accepts every certificate and presents none, so the trust store of the
 * server is not checked.
 */
final class InMemoryHandshake {

	/**
	 * More than any handshake needs.
	 */
	private static final int MAX_FLIGHTS = 20;

	private static final int BUFFER_SIZE = 256 * 1024;

	private static final ByteBuffer NOTHING = ByteBuffer.allocate(0);

	private final SSLEngine server;

	private final SSLEngine client;

	private final AcceptingTrustManager trustManager = new AcceptingTrustManager();

	private InMemoryHandshake(SslContext context, @Nullable String serverName) throws SSLException {
		this.server = context.newEngine(UnpooledByteBufAllocator.DEFAULT);
		// Also turns off 'want'
		this.server.setNeedClientAuth(false);
		this.client = SslContextBuilder.forClient()
			.sslProvider((context instanceof JdkSslContext) ? SslProvider.JDK : SslProvider.OPENSSL)
			.trustManager(this.trustManager)
			.protocols(this.server.getEnabledProtocols())
			.ciphers(Arrays.asList(this.server.getEnabledCipherSuites()))
			.build()
			.newEngine(UnpooledByteBufAllocator.DEFAULT);
		SSLParameters parameters = this.client.getSSLParameters();
		parameters.setEndpointIdentificationAlgorithm("");
		if (serverName != null) {
			parameters.setServerNames(List.of(new SNIHostName(serverName)));
		}
		this.client.setSSLParameters(parameters);
	}

	/**
	 * Perform a handshake with a server.
	 * @param context the context of the server
	 * @param serverName the name that the client asks for, or {@code null} for none
	 * @throws SSLException if the handshake fails; the message contains the reason
	 */
	static void verify(SslContext context, @Nullable String serverName) throws SSLException {
		InMemoryHandshake handshake = new InMemoryHandshake(context, serverName);
		try {
			handshake.run();
		}
		finally {
			ReferenceCountUtil.release(handshake.client);
			ReferenceCountUtil.release(handshake.server);
		}
	}

	private void run() throws SSLException {
		ByteBuffer toServer = ByteBuffer.allocate(BUFFER_SIZE);
		ByteBuffer toClient = ByteBuffer.allocate(BUFFER_SIZE);
		this.client.beginHandshake();
		this.server.beginHandshake();
		for (int i = 0; i < MAX_FLIGHTS; i++) {
			if (advanceClient(toClient, toServer)) {
				return;
			}
			advanceServer(toServer, toClient);
		}
		throw new SSLException("The handshake did not complete");
	}

	private boolean advanceClient(ByteBuffer in, ByteBuffer out) throws SSLException {
		try {
			return advance(this.client, in, out);
		}
		catch (SSLException ex) {
			throw this.trustManager.called ? new SSLException("The private key does not match the certificate", ex)
					: ex;
		}
	}

	private void advanceServer(ByteBuffer in, ByteBuffer out) throws SSLException {
		try {
			advance(this.server, in, out);
		}
		catch (SSLException ex) {
			throw new SSLException(
					"The bundle has no private key that fits its certificate, protocols and cipher suites", ex);
		}
	}

	/**
	 * Process the received bytes as far as possible, and return whether the handshake is
	 * done.
	 */
	private static boolean advance(SSLEngine engine, ByteBuffer in, ByteBuffer out) throws SSLException {
		in.flip();
		try {
			while (true) {
				HandshakeStatus status = engine.getHandshakeStatus();
				switch (status) {
					case NEED_TASK -> runTasks(engine);
					case NEED_WRAP -> engine.wrap(NOTHING, out);
					case NEED_UNWRAP, NEED_UNWRAP_AGAIN -> {
						SSLEngineResult result = engine.unwrap(in, ByteBuffer.allocate(BUFFER_SIZE));
						if (result.getStatus() == SSLEngineResult.Status.BUFFER_UNDERFLOW) {
							return false;
						}
					}
					default -> {
						return true;
					}
				}
			}
		}
		finally {
			in.compact();
		}
	}

	private static void runTasks(SSLEngine engine) {
		Runnable task = engine.getDelegatedTask();
		while (task != null) {
			task.run();
			task = engine.getDelegatedTask();
		}
	}

	private static final class AcceptingTrustManager extends X509ExtendedTrustManager {

		private boolean called;

		@Override
		public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine) {
			this.called = true;
		}

		@Override
		public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket) {
			this.called = true;
		}

		@Override
		public void checkServerTrusted(X509Certificate[] chain, String authType) {
			this.called = true;
		}

		@Override
		public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine) {
		}

		@Override
		public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket) {
		}

		@Override
		public void checkClientTrusted(X509Certificate[] chain, String authType) {
		}

		@Override
		public X509Certificate[] getAcceptedIssuers() {
			return new X509Certificate[0];
		}

	}

}
