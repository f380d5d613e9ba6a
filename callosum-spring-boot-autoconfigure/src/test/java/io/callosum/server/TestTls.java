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

package io.callosum.server;

import java.io.ByteArrayOutputStream;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.security.GeneralSecurityException;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.function.UnaryOperator;

import javax.net.ssl.KeyManager;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.X509ExtendedKeyManager;

import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.util.InsecureTrustManagerFactory;
import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.X509Bundle;
import reactor.netty.tcp.SslProvider;

/**
 * Certificates, and clients that use them. All are issued by the same authority, except
 * where noted.
 */
public final class TestTls {

	public static final X509Bundle AUTHORITY = authority("Right");

	public static final X509Bundle SERVER = issue("server", AUTHORITY);

	public static final X509Bundle OTHER_SERVER = issue("other", AUTHORITY);

	public static final X509Bundle CLIENT = issue("client", AUTHORITY);

	public static final X509Bundle EXPIRED_CLIENT = issue("expired", AUTHORITY,
			(builder) -> builder.notBefore(Instant.now().minus(Duration.ofDays(2)))
				.notAfter(Instant.now().minus(Duration.ofDays(1))));

	/**
	 * A client certificate that was issued by another authority.
	 */
	public static final X509Bundle WRONG_CLIENT = issue("wrong", authority("Wrong"));

	private static final SSLContext CONTEXT = context(null);

	/**
	 * Four times as fast as AES in tests, which run without C2.
	 */
	private static final List<String> CIPHERS = List.of("TLS_CHACHA20_POLY1305_SHA256",
			"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256");

	private TestTls() {
	}

	public static X509Bundle authority(String name) {
		try {
			return new CertificateBuilder().ecp256()
				.subject("CN=" + name)
				.setIsCertificateAuthority(true)
				.buildSelfSigned();
		}
		catch (Exception ex) {
			throw new IllegalStateException(ex);
		}
	}

	public static X509Bundle issue(String name, X509Bundle authority) {
		return issue(name, authority, UnaryOperator.identity());
	}

	public static X509Bundle issue(String name, X509Bundle authority, UnaryOperator<CertificateBuilder> customizer) {
		try {
			return customizer.apply(new CertificateBuilder().ecp256().subject("CN=" + name)).buildIssuedBy(authority);
		}
		catch (Exception ex) {
			throw new IllegalStateException(ex);
		}
	}

	public static SslProvider provider(X509Bundle certificate, ClientAuth clientAuth) {
		try {
			return SslProvider.builder()
				.sslContext(SslContextBuilder.forServer(certificate.toKeyManagerFactory())
					.ciphers(CIPHERS)
					.trustManager(AUTHORITY.toTrustManagerFactory())
					.clientAuth(clientAuth)
					.build())
				.build();
		}
		catch (GeneralSecurityException | SSLException ex) {
			throw new IllegalStateException(ex);
		}
	}

	/**
	 * Let a server use TLS.
	 */
	public static CallosumServer.Builder secure(CallosumServer.Builder builder) {
		return secure(builder, ClientAuth.NONE);
	}

	public static CallosumServer.Builder secure(CallosumServer.Builder builder, ClientAuth clientAuth) {
		SslProvider provider = provider(SERVER, clientAuth);
		return builder.sslProvider(() -> provider);
	}

	private static SSLContext context(X509Bundle certificate) {
		try {
			SSLContext context = SSLContext.getInstance("TLS");
			KeyManager[] keys = (certificate != null) ? new KeyManager[] { new StubbornKeyManager(certificate) } : null;
			context.init(keys, AUTHORITY.toTrustManagerFactory().getTrustManagers(), null);
			return context;
		}
		catch (GeneralSecurityException ex) {
			throw new IllegalStateException(ex);
		}
	}

	/**
	 * Return a client socket that is not connected yet.
	 */
	public static SSLSocket socket() {
		return socket(null);
	}

	/**
	 * Return a client socket that accepts every certificate, and is not connected yet.
	 */
	public static SSLSocket socketThatTrustsAll() {
		try {
			SSLContext context = SSLContext.getInstance("TLS");
			context.init(null, InsecureTrustManagerFactory.INSTANCE.getTrustManagers(), null);
			return (SSLSocket) context.getSocketFactory().createSocket();
		}
		catch (GeneralSecurityException | IOException ex) {
			throw new IllegalStateException(ex);
		}
	}

	public static SSLSocket socket(X509Bundle certificate, String... protocols) {
		try {
			SSLSocket socket = (SSLSocket) context(certificate).getSocketFactory().createSocket();
			if (protocols.length > 0) {
				socket.setEnabledProtocols(protocols);
			}
			return socket;
		}
		catch (IOException ex) {
			throw new IllegalStateException(ex);
		}
	}

	/**
	 * Return a client socket that requests a server name.
	 */
	public static SSLSocket socketFor(String serverName) {
		SSLSocket socket = socket();
		SSLParameters parameters = socket.getSSLParameters();
		parameters.setServerNames(List.of(new SNIHostName(serverName)));
		socket.setSSLParameters(parameters);
		return socket;
	}

	/**
	 * Return a connected client socket that records what it receives in encrypted form.
	 */
	public static SSLSocket recordingSocket(InetSocketAddress server, ByteArrayOutputStream recorded) {
		try {
			Socket socket = new Socket() {

				@Override
				public InputStream getInputStream() throws IOException {
					return new RecordingStream(super.getInputStream(), recorded);
				}

			};
			socket.connect(server);
			return layeredSocket(socket);
		}
		catch (IOException ex) {
			throw new IllegalStateException(ex);
		}
	}

	/**
	 * Return a connected client socket that sends everything after its first message in
	 * one piece when the cork is pulled.
	 */
	public static SSLSocket corkedSocket(InetSocketAddress server, Cork cork) throws IOException {
		Socket socket = new Socket() {

			@Override
			public OutputStream getOutputStream() throws IOException {
				return cork.in(super.getOutputStream());
			}

		};
		socket.connect(server);
		return layeredSocket(socket);
	}

	/**
	 * Return a client socket that adds TLS to another, connected socket.
	 */
	public static SSLSocket layeredSocket(Socket socket) throws IOException {
		return (SSLSocket) CONTEXT.getSocketFactory().createSocket(socket, "localhost", socket.getPort(), true);
	}

	/**
	 * Return the first message of a client.
	 */
	public static byte[] clientHello() {
		return clientHello(context(null).createSSLEngine());
	}

	/**
	 * Return the first message of a client that requests a server name.
	 */
	public static byte[] clientHello(String serverName) {
		SSLEngine engine = context(null).createSSLEngine();
		SSLParameters parameters = engine.getSSLParameters();
		parameters.setServerNames(List.of(new SNIHostName(serverName)));
		engine.setSSLParameters(parameters);
		return clientHello(engine);
	}

	private static byte[] clientHello(SSLEngine engine) {
		engine.setUseClientMode(true);
		ByteBuffer message = ByteBuffer.allocate(engine.getSession().getPacketBufferSize());
		try {
			engine.wrap(ByteBuffer.allocate(0), message);
		}
		catch (SSLException ex) {
			throw new IllegalStateException(ex);
		}
		byte[] bytes = new byte[message.flip().remaining()];
		message.get(bytes);
		return bytes;
	}

	/**
	 * Shake hands, and return the name in the certificate that the server presents.
	 */
	public static String serverOf(SSLSocket socket) {
		try {
			socket.startHandshake();
			X509Certificate certificate = (X509Certificate) socket.getSession().getPeerCertificates()[0];
			return certificate.getSubjectX500Principal().getName();
		}
		catch (IOException ex) {
			throw new IllegalStateException(ex);
		}
	}

	/**
	 * Lets one message through, and holds the others until it is pulled.
	 */
	public static final class Cork extends OutputStream {

		private final ByteArrayOutputStream kept = new ByteArrayOutputStream();

		private OutputStream out;

		private boolean first = true;

		private boolean pulled;

		private OutputStream in(OutputStream out) {
			this.out = out;
			return this;
		}

		@Override
		public synchronized void write(int b) throws IOException {
			write(new byte[] { (byte) b }, 0, 1);
		}

		@Override
		public synchronized void write(byte[] bytes, int offset, int length) throws IOException {
			if (this.first || this.pulled) {
				this.first = false;
				this.out.write(bytes, offset, length);
			}
			else {
				this.kept.write(bytes, offset, length);
			}
		}

		public synchronized void pull() throws IOException {
			this.pulled = true;
			this.out.write(this.kept.toByteArray());
		}

	}

	/**
	 * Sends its certificate even if the server has not requested one from its authority.
	 */
	private static final class StubbornKeyManager extends X509ExtendedKeyManager {

		private final X509Bundle certificate;

		private StubbornKeyManager(X509Bundle certificate) {
			this.certificate = certificate;
		}

		@Override
		public String[] getClientAliases(String keyType, Principal[] issuers) {
			return new String[] { "client" };
		}

		@Override
		public String chooseClientAlias(String[] keyTypes, Principal[] issuers, Socket socket) {
			return "client";
		}

		@Override
		public String[] getServerAliases(String keyType, Principal[] issuers) {
			return null;
		}

		@Override
		public String chooseServerAlias(String keyType, Principal[] issuers, Socket socket) {
			return null;
		}

		@Override
		public X509Certificate[] getCertificateChain(String alias) {
			return this.certificate.getCertificatePath();
		}

		@Override
		public PrivateKey getPrivateKey(String alias) {
			return this.certificate.getKeyPair().getPrivate();
		}

	}

	private static final class RecordingStream extends FilterInputStream {

		private final ByteArrayOutputStream recorded;

		private RecordingStream(InputStream in, ByteArrayOutputStream recorded) {
			super(in);
			this.recorded = recorded;
		}

		@Override
		public int read() throws IOException {
			int read = super.read();
			if (read != -1) {
				this.recorded.write(read);
			}
			return read;
		}

		@Override
		public int read(byte[] bytes, int offset, int length) throws IOException {
			int read = super.read(bytes, offset, length);
			if (read > 0) {
				this.recorded.write(bytes, offset, read);
			}
			return read;
		}

	}

}
