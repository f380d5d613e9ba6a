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

import java.io.IOException;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;

import javax.net.ssl.SNIMatcher;
import javax.net.ssl.SNIServerName;
import javax.net.ssl.SSLHandshakeException;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.StandardConstants;
import javax.net.ssl.X509TrustManager;

import io.netty.channel.ChannelHandler;
import io.netty.handler.ssl.AbstractSniHandler;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslHandler;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.netty.NettyPipeline;
import reactor.netty.tcp.SslProvider;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/**
 * Tests for what TLS handshakes may cost.
 */
@ParameterizedClass
@EnumSource
class HandshakeTests {

	@Parameter
	Transport transport;

	@Test
	void aSecondHandshakeEndsTheConnectionAndIsLoggedOnce() throws IOException {
		try (TestServer server = TestServer
			.create(this.transport, (builder) -> TestTls.secure(builder)
				.connectionHandler(
						(connection) -> connection.outbound().send(connection.inbound().receive().retain()).then()))
			.start()) {
			for (int i = 0; i < 3; i++) {
				int errors = i + 1;
				SSLSocket socket = TestTls.socket(null, "TLSv1.2");
				TestClient client = server.connect(socket);
				assertThat(client.readSlot()).isZero();
				assertThat(client.send("hello\n").readLine()).isEqualTo("hello\n");
				socket.setSoTimeout(30_000);
				assertThatExceptionOfType(IOException.class).isThrownBy(() -> {
					socket.startHandshake();
					assertThat(socket.getInputStream().read()).isEqualTo(-1);
					throw new IOException("closed");
				});
				TestServer.await("the error",
						() -> assertThat(server.events().of(ServerErrorEvent.class)).hasSize(errors));
				TestServer.await("the slot", () -> assertThat(server.slotsInUse()).isZero());
			}
			assertThat(server.events().of(ServerErrorEvent.class))
				.allSatisfy((event) -> assertThat(event.getError()).isInstanceOf(SSLHandshakeException.class)
					.hasMessageContaining("second handshake"));
			assertThat(server.events().of(SlotFreeEvent.class)).extracting(SlotFreeEvent::getReason)
				.containsOnly(EndReason.CONNECTION_FAILED);
			assertThat(server.warnings()).hasSize(1);
		}
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void aFirstMessageOfMoreThan16KibibytesIsRefusedAtItsHeader(boolean byServerName) {
		try (TestServer server = create(byServerName).start()) {
			byte[] hello = { 22, 3, 1, 1, 0, 1, 0, 0x40, 1 };
			TestClient client = server.connect();
			for (byte next : hello) {
				client.send(new byte[] { next });
			}
			assertThat(client.isRefused()).isTrue();
			TestServer.await("the error", () -> assertThat(server.events().of(ServerErrorEvent.class)).singleElement()
				.satisfies((event) -> assertThat(event.getError()).hasMessageContaining("16384 bytes")));
			assertThat(server.connect(TestTls.socket()).readSlot()).isZero();
			assertThat(server.warnings()).hasSize(1);
		}
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void aFirstMessageIsOnlySearchedForANameWhereThatMakesADifference(boolean byServerName) {
		List<ChannelHandler> handlers = new CopyOnWriteArrayList<>();
		try (TestServer server = TestServer.create(this.transport, (builder) -> secure(builder, byServerName)
			.customizer((tcpServer) -> tcpServer.doOnChannelInit(
					(observer, channel, address) -> handlers.add(channel.pipeline().get(NettyPipeline.SslHandler)))))
			.start()) {
			assertThat(server.connect(TestTls.socket()).readSlot()).isZero();
			assertThat(handlers).hasSize(1)
				.hasOnlyElementsOfType(byServerName ? AbstractSniHandler.class : SslHandler.class);
		}
	}

	@Test
	void anErrorOfAHandshakeHasNoControlCharacters() throws Exception {
		SslContext context = SslContextBuilder.forServer(TestTls.SERVER.toKeyManagerFactory())
			.trustManager(new X509TrustManager() {

				@Override
				public void checkClientTrusted(X509Certificate[] chain, String authType) throws CertificateException {
					throw new CertificateException("CN=peer\r\n\u001b[31mforged");
				}

				@Override
				public void checkServerTrusted(X509Certificate[] chain, String authType) {
				}

				@Override
				public X509Certificate[] getAcceptedIssuers() {
					return new X509Certificate[0];
				}

			})
			.clientAuth(ClientAuth.REQUIRE)
			.build();
		SslProvider provider = SslProvider.builder().sslContext(context).build();
		try (TestServer server = TestServer.create(this.transport, (builder) -> builder.sslProvider(() -> provider))
			.expectNobodyNext()
			.start()) {
			assertThat(server.connect(TestTls.socket(TestTls.CLIENT)).isRefused()).isTrue();
			TestServer.await("the error",
					() -> assertThat(server.events().of(ServerErrorEvent.class)).singleElement()
						.satisfies((event) -> assertThat(event.getError()).isInstanceOf(SSLHandshakeException.class)
							.hasNoCause()
							// JDK 25 prepends the alert
							.hasMessageEndingWith("CN=peer???[31mforged")));
		}
	}

	@Test
	void handshakesOfPeersThatHaveLeftAreNotComputed() {
		AtomicInteger computed = new AtomicInteger();
		CountDownLatch storm = new CountDownLatch(1);
		SslProvider provider = counting(computed);
		try (TestServer server = TestServer.create(this.transport,
				(builder) -> builder.workerThreads(1).sslProvider(() -> provider))) {
			server.events().on(ConnectionEvent.class, (event) -> {
				if (event.getConnection().id().equals("c1")) {
					awaitUninterruptibly(storm);
				}
			});
			server.start();
			TestClient first = server.connect(TestTls.socket());
			assertThat(first.readSlot()).isZero();
			byte[] hello = TestTls.clientHello("server.example.org");
			for (int i = 0; i < 200; i++) {
				server.connect().send(hello).reset();
			}
			storm.countDown();
			assertThat(server.connect(TestTls.socket()).readSlot()).isOne();
			server.awaitAccepted();
			TestServer.await("the others", () -> assertThat(server.measured("refused")).isEqualTo(200));
			assertThat(computed).hasValueLessThan(20);
		}
	}

	/**
	 * Return a provider that counts ClientHello messages with a server name.
	 */
	private static SslProvider counting(AtomicInteger computed) {
		SNIMatcher matcher = new SNIMatcher(StandardConstants.SNI_HOST_NAME) {

			@Override
			public boolean matches(SNIServerName serverName) {
				computed.incrementAndGet();
				return true;
			}

		};
		return SslProvider.addHandlerConfigurator(TestTls.provider(TestTls.SERVER, ClientAuth.NONE), (handler) -> {
			SSLParameters parameters = handler.engine().getSSLParameters();
			parameters.setSNIMatchers(List.of(matcher));
			handler.engine().setSSLParameters(parameters);
		});
	}

	private TestServer create(boolean byServerName) {
		return TestServer.create(this.transport, (builder) -> secure(builder, byServerName));
	}

	private static CallosumServer.Builder secure(CallosumServer.Builder builder, boolean byServerName) {
		SslProvider provider = TestTls.provider(TestTls.SERVER, ClientAuth.NONE);
		return byServerName ? builder.sslProviders((name) -> provider) : builder.sslProvider(() -> provider);
	}

	private static void awaitUninterruptibly(CountDownLatch latch) {
		try {
			latch.await();
		}
		catch (InterruptedException ex) {
			throw new IllegalStateException(ex);
		}
	}

}
