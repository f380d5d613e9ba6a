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

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.HexFormat;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BiConsumer;
import java.util.function.UnaryOperator;

import javax.net.ssl.SSLException;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;
import javax.net.ssl.SSLSocket;

import ch.qos.logback.classic.Level;
import io.netty.buffer.Unpooled;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.NotSslRecordException;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandshakeTimeoutException;
import io.netty.pkitesting.X509Bundle;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.netty.tcp.SslProvider;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/**
 * Tests for connections with TLS.
 */
@ParameterizedClass
@EnumSource
class TlsTests {

	private static final String TLS_1_2 = "TLSv1.2";

	private static final String TLS_1_3 = "TLSv1.3";

	private static final Duration HANDSHAKE_TIMEOUT = Duration.ofSeconds(4);

	private static final int CLOSE_NOTIFY = 21;

	@Parameter
	Transport transport;

	// The handshake

	@ParameterizedTest
	@ValueSource(strings = { TLS_1_2, TLS_1_3 })
	void theSlotLineArrivesAloneInTheFirstRecord(String protocol) throws IOException {
		try (TestServer server = secure((builder) -> builder
			.connectionHandler((connection) -> connection.outbound().sendString(Mono.just("hello")).then())).start()) {
			SSLSocket socket = TestTls.socket(null, protocol);
			TestClient client = server.connect(socket);
			byte[] first = new byte[100];
			int length = socket.getInputStream().read(first);
			assertThat(new String(first, 0, length, StandardCharsets.US_ASCII)).isEqualTo("0\r\n");
			assertThat(socket.getSession().getProtocol()).isEqualTo(protocol);
			assertThat(client.readAll()).asString().isEqualTo("hello");
		}
	}

	@Test
	void noSlotIsAskedForBeforeTheHandshakeIsDone() {
		try (TestServer server = secure().start()) {
			TestClient stalled = server.connect();
			stalled.send(TestTls.clientHello());
			assertThat(stalled.read()).isNotEqualTo(-1);
			assertThat(server.connect(TestTls.socket()).readSlot()).isZero();
			assertThat(server.events().of(SlotRequestEvent.class)).hasSize(1);
		}
	}

	@Test
	void theCertificateIsThatOfTheNameThatTheClientAsksFor() {
		SslProvider right = TestTls.provider(TestTls.SERVER, ClientAuth.NONE);
		SslProvider other = TestTls.provider(TestTls.OTHER_SERVER, ClientAuth.NONE);
		List<String> names = new CopyOnWriteArrayList<>();
		try (TestServer server = TestServer.create(this.transport, (builder) -> builder.sslProviders((name) -> {
			names.add(String.valueOf(name));
			return "other.example.org".equals(name) ? other : right;
		})).start()) {
			assertThat(serverOf(server, TestTls.socket())).isEqualTo("CN=server");
			assertThat(serverOf(server, TestTls.socketFor("oTHer.EXAMPLE.org"))).isEqualTo("CN=other");
			assertThat(serverOf(server, TestTls.socketFor("unknown.example.org"))).isEqualTo("CN=server");
			// Once at the start for the default
			assertThat(names).containsExactly("null", "null", "other.example.org", "unknown.example.org");
		}
	}

	private static String serverOf(TestServer server, SSLSocket socket) {
		TestClient client = server.connect(socket);
		String name = TestTls.serverOf(socket);
		assertThat(client.readLine()).endsWith("\r\n");
		return name;
	}

	// Certificates of clients

	@ParameterizedTest
	@ValueSource(strings = { TLS_1_2, TLS_1_3 })
	void theCertificateOfTheClientIsInTheSession(String protocol) throws SSLPeerUnverifiedException {
		try (TestServer server = secure(ClientAuth.REQUIRE).start().expectNobodyNext()) {
			assertThat(server.connect(TestTls.socket(TestTls.CLIENT, protocol)).readSlot()).isZero();
			SSLSession session = session(server);
			X509Certificate certificate = (X509Certificate) session.getPeerCertificates()[0];
			assertThat(certificate.getSubjectX500Principal().getName()).isEqualTo("CN=client");
			assertThat(session.getProtocol()).isEqualTo(protocol);
		}
	}

	@Test
	void aCertificateThatIsOnlyWantedMayBeMissing() {
		try (TestServer server = secure(ClientAuth.OPTIONAL).start()) {
			assertThat(server.connect(TestTls.socket()).readSlot()).isZero();
			assertThatExceptionOfType(SSLPeerUnverifiedException.class)
				.isThrownBy(() -> session(server).getPeerCertificates());
		}
	}

	private static SSLSession session(TestServer server) {
		TestServer.await("ConnectionEvent", () -> assertThat(server.events().of(ConnectionEvent.class)).hasSize(1));
		SSLSession session = server.events().of(ConnectionEvent.class).get(0).getConnection().sslSession();
		assertThat(session).isNotNull();
		return session;
	}

	@Test
	void aPlainConnectionHasNoSession() {
		try (TestServer server = TestServer.create(this.transport).start()) {
			assertThat(server.connect().readSlot()).isZero();
			TestServer.await("ConnectionEvent", () -> assertThat(server.events().of(ConnectionEvent.class)).hasSize(1));
			assertThat(server.events().of(ConnectionEvent.class).get(0).getConnection().sslSession()).isNull();
		}
	}

	@ParameterizedTest
	@ValueSource(strings = { TLS_1_2, TLS_1_3 })
	void aClientWithAWrongCertificateIsRefused(String protocol) {
		verifyRefused(TestTls.WRONG_CLIENT, protocol, ClientAuth.REQUIRE);
		verifyRefused(TestTls.WRONG_CLIENT, protocol, ClientAuth.OPTIONAL);
	}

	@ParameterizedTest
	@ValueSource(strings = { TLS_1_2, TLS_1_3 })
	void aClientWithAnExpiredCertificateIsRefused(String protocol) {
		verifyRefused(TestTls.EXPIRED_CLIENT, protocol, ClientAuth.REQUIRE);
	}

	@ParameterizedTest
	@ValueSource(strings = { TLS_1_2, TLS_1_3 })
	void aClientWithoutTheCertificateThatItNeedsIsRefused(String protocol) {
		verifyRefused(null, protocol, ClientAuth.REQUIRE);
	}

	private void verifyRefused(X509Bundle certificate, String protocol, ClientAuth clientAuth) {
		RecordedMetrics metrics = new RecordedMetrics();
		try (TestServer server = TestServer
			.create(this.transport,
					(builder) -> TestTls.secure(builder.metricsRecorder(metrics), clientAuth).maxConnections(1))
			.start()) {
			for (int i = 0; i < 3; i++) {
				int errors = i + 1;
				// The place of the previous one has been released
				try (TestClient client = new TestClient(server.server().address(),
						TestTls.socket(certificate, protocol))) {
					assertThatExceptionOfType(IOException.class)
						.isThrownBy(() -> client.socket().getInputStream().read());
				}
				TestServer.await("the refusal", () -> assertThat(metrics.refused).hasSize(errors));
			}
			server.server().stop();
			assertThat(metrics.refused).containsOnly(RefusalReason.HANDSHAKE_FAILED);
			assertThat(server.events().of(SlotRequestEvent.class)).isEmpty();
			assertThat(server.events().of(ServerErrorEvent.class)).hasSize(3)
				.allSatisfy((event) -> assertThat(event.getError()).isInstanceOf(SSLException.class))
				.extracting(ServerErrorEvent::getConnectionId)
				.doesNotHaveDuplicates()
				.doesNotContainNull();
			verifyLog(server, 1);
		}
	}

	@Test
	void aServerNameThatJavaTakesForIllegalIsRefusedAndNoError() {
		byte[] hello = TestTls.clientHello("my-service.internal");
		int dash = new String(hello, StandardCharsets.ISO_8859_1).indexOf("my-service") + 2;
		hello[dash] = '_';
		RecordedMetrics metrics = new RecordedMetrics();
		try (TestServer server = TestServer
			.create(this.transport, (builder) -> TestTls.secure(builder.metricsRecorder(metrics)))
			.start()) {
			for (int i = 0; i < 3; i++) {
				TestClient client = server.connect();
				client.send(hello);
				// A fatal alert, then the end
				assertThat(client.readAll()).startsWith(21, 3);
			}
			TestServer.await("the refusals", () -> assertThat(metrics.refused).hasSize(3));
			assertThat(metrics.refused).containsOnly(RefusalReason.HANDSHAKE_FAILED);
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
			verifyLog(server, 0);
		}
	}

	// Handshakes that stall

	@Test
	void aHandshakeThatStallsIsClosedAtTheTimeoutAtWhateverByteItStalls() {
		byte[] hello = TestTls.clientHello();
		int[] lengths = { 0, 1, 4, 5, 6, 9, 40, hello.length - 1, hello.length };
		RecordedMetrics metrics = new RecordedMetrics();
		try (TestServer server = secure(
				(builder) -> builder.sslHandshakeTimeout(HANDSHAKE_TIMEOUT).metricsRecorder(metrics))
			.start()) {
			List<TestClient> clients = new ArrayList<>();
			for (int length : lengths) {
				clients.add(server.connect().send(Arrays.copyOf(hello, length)));
			}
			clients.forEach(TestClient::readAll);
			TestServer.await("errors",
					() -> assertThat(server.events().of(ServerErrorEvent.class)).hasSize(lengths.length));
			assertThat(server.connect(TestTls.socket()).readSlot()).isZero();
			server.server().stop();
			assertThat(server.events().of(ServerErrorEvent.class))
				.allSatisfy((event) -> assertThat(event.getError()).isInstanceOf(SslHandshakeTimeoutException.class))
				.hasSize(lengths.length);
			assertThat(server.events().of(SlotRequestEvent.class)).hasSize(1);
			assertThat(metrics.refused).hasSize(lengths.length).containsOnly(RefusalReason.HANDSHAKE_FAILED);
			verifyLog(server, 1);
		}
	}

	@Test
	void theTimeoutRunsFromTheConnectHoweverTheHandshakeGetsOn() {
		Duration timeout = Duration.ofSeconds(2);
		AtomicReference<Long> failed = new AtomicReference<>();
		// On one event loop, whose timers fire in order however late they are
		try (TestServer server = secure((builder) -> builder.workerThreads(1).sslHandshakeTimeout(timeout))) {
			server.events().on(ServerErrorEvent.class, (event) -> failed.compareAndSet(null, System.nanoTime()));
			server.start();
			long connected = System.nanoTime();
			TestClient client = server.connect();
			TestServer.await("the first", () -> assertThat(server.measured("accepted")).isOne());
			server.connect();
			TestServer.await("the second", () -> assertThat(server.measured("accepted")).isEqualTo(2));
			client.send(TestTls.clientHello());
			TestServer.await("the errors", () -> assertThat(server.events().of(ServerErrorEvent.class)).hasSize(2));
			assertThat(failed.get() - connected).isGreaterThanOrEqualTo(timeout.toNanos());
			assertThat(server.events().of(ServerErrorEvent.class)).extracting(ServerErrorEvent::getConnectionId)
				.containsExactly("c1", "c2");
		}
	}

	@Test
	void aTimeoutOfACustomizerIsAnErrorToo() {
		SslContext context = TestTls.provider(TestTls.SERVER, ClientAuth.NONE).getSslContext();
		try (TestServer server = TestServer
			.create(this.transport,
					(builder) -> builder.customizer((tcpServer) -> tcpServer
						.secure((spec) -> spec.sslContext(context).handshakeTimeout(HANDSHAKE_TIMEOUT))))
			.start()
			.expectNobodyNext()) {
			server.connect().readAll();
			TestServer.await("the error", () -> assertThat(server.events().of(ServerErrorEvent.class)).hasSize(1));
			assertThat(server.events().of(ServerErrorEvent.class).get(0).getError())
				.isInstanceOf(SslHandshakeTimeoutException.class);
		}
	}

	@Test
	void aHandshakeThatIsDoneIsNotTimed() {
		try (TestServer server = secure((builder) -> builder.sslHandshakeTimeout(HANDSHAKE_TIMEOUT)).start()) {
			TestClient client = server.connect(TestTls.socket());
			assertThat(client.readSlot()).isZero();
			Mono.delay(HANDSHAKE_TIMEOUT.multipliedBy(3).dividedBy(2)).block();
			assertThat(server.server().connections()).hasSize(1);
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
		}
	}

	@Test
	void handshakesThatStallCountAsConnections() {
		try (TestServer server = secure((builder) -> builder.maxConnections(2).sslHandshakeTimeout(Duration.ofHours(1)))
			.start()) {
			TestClient first = server.connect();
			TestClient second = server.connect().send(Arrays.copyOf(TestTls.clientHello(), 10));
			// Several event loops admit them, in any order
			TestServer.await("both", () -> assertThat(server.measured("accepted")).isEqualTo(2));
			assertThat(server.connect().isRefused()).isTrue();
			first.close();
			second.reset();
			TestServer.await("a place", () -> {
				SSLSocket socket = TestTls.socket();
				try (TestClient client = new TestClient(server.server().address(), socket)) {
					assertThat(client.read()).isEqualTo('0');
				}
				catch (RuntimeException ex) {
					throw new AssertionError(ex);
				}
			});
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
		}
	}

	@Test
	void aStopClosesHandshakesThatStallAtOnce() {
		try (TestServer server = secure((builder) -> builder.sslHandshakeTimeout(Duration.ofHours(1))).start()) {
			List<TestClient> clients = new ArrayList<>();
			for (int i = 0; i < 10; i++) {
				clients.add(server.connect().send(Arrays.copyOf(TestTls.clientHello(), i * 20)));
			}
			assertThat(server.connect(TestTls.socket()).readSlot()).isZero();
			server.server().stop(Duration.ofMinutes(10));
			clients.forEach(TestClient::readAll);
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
			verifyLog(server, 0);
		}
	}

	// Peers that speak something else, or leave

	@Test
	void aPeerThatLeavesInTheHandshakeIsNoError() {
		byte[] hello = TestTls.clientHello();
		RecordedMetrics metrics = new RecordedMetrics();
		try (TestServer server = secure((builder) -> builder.metricsRecorder(metrics)).start()) {
			for (int length : new int[] { 0, 1, 5, 50, hello.length }) {
				server.connect().send(Arrays.copyOf(hello, length)).close();
				server.connect().send(Arrays.copyOf(hello, length)).reset();
				TestClient answered = server.connect().send(hello);
				assertThat(answered.read()).isNotEqualTo(-1);
				answered.reset();
			}
			TestServer.await("refusals", () -> assertThat(metrics.refused).hasSize(15));
			assertThat(server.connect(TestTls.socket()).readSlot()).isZero();
			server.server().stop();
			assertThat(metrics.refused).containsOnly(RefusalReason.CONNECTION_GONE);
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
			verifyLog(server, 0);
		}
	}

	@Test
	void aPlainClientOnATlsServerIsClosedAndToldOfOnce() {
		try (TestServer server = secure().start()) {
			for (int i = 0; i < 20; i++) {
				TestClient client = server.connect().send("GET / HTTP/1.1\r\n\r\n");
				assertThat(client.readAll()).asString().doesNotContain("\r\n");
			}
			TestServer.await("errors", () -> assertThat(server.events().of(ServerErrorEvent.class)).hasSize(20));
			server.server().stop();
			assertThat(server.events().of(ServerErrorEvent.class)).hasSize(20)
				.allSatisfy((event) -> assertThat(event.getError()).isInstanceOf(NotSslRecordException.class));
			verifyLog(server, 1);
		}
	}

	@Test
	void nothingOfAPlainClientIsLoggedOrInAnEvent() {
		String secret = "AUTH secret";
		String hex = HexFormat.of().formatHex(secret.getBytes(StandardCharsets.US_ASCII));
		try (TestServer server = secure().start()) {
			server.connect().send(secret).readAll();
			TestServer.await("error", () -> assertThat(server.events().of(ServerErrorEvent.class)).hasSize(1));
			assertThat(printStackTrace(server.events().of(ServerErrorEvent.class).get(0).getError()))
				.contains("something other than TLS")
				.doesNotContain(secret, hex);
			server.server().stop();
			assertThat(server.logged(Level.TRACE)).noneMatch((line) -> line.contains(secret) || line.contains(hex));
		}
	}

	@Test
	void nothingOfAClientThatStopsSpeakingTlsIsLoggedOrInAnEvent() throws IOException {
		String secret = "AUTH secret";
		String hex = HexFormat.of().formatHex(secret.getBytes(StandardCharsets.US_ASCII));
		try (TestServer server = secure(
				(builder) -> builder.connectionHandler((connection) -> connection.inbound().receive().then()))
			.start()) {
			try (Socket socket = new Socket()) {
				socket.connect(server.server().address());
				SSLSocket tls = TestTls.layeredSocket(socket);
				assertThat(tls.getInputStream().read()).isEqualTo('0');
				socket.getOutputStream().write(secret.getBytes(StandardCharsets.US_ASCII));
				TestServer.await("error", () -> assertThat(server.events().of(ServerErrorEvent.class)).hasSize(1));
			}
			assertThat(printStackTrace(server.events().of(ServerErrorEvent.class).get(0).getError()))
				.doesNotContain(secret, hex);
			server.server().stop();
			assertThat(server.logged(Level.TRACE)).noneMatch((line) -> line.contains(secret) || line.contains(hex));
		}
	}

	@Test
	void aTlsClientOnAPlainServerEndsCleanly() throws IOException {
		try (TestServer server = TestServer.create(this.transport).start()) {
			for (int i = 0; i < 5; i++) {
				SSLSocket socket = TestTls.socket();
				TestClient client = server.connect(socket);
				// The client waits for more than a slot line
				socket.setSoTimeout(200);
				assertThatExceptionOfType(IOException.class).isThrownBy(socket::startHandshake);
				client.close();
			}
			server.verifyNothingLeft();
			server.server().stop();
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
			verifyLog(server, 0);
		}
	}

	// After the handshake

	@Test
	void whatAClientSendsBeforeItHasASlotIsNotLost() throws IOException {
		CompletableFuture<Integer> slot = new CompletableFuture<>();
		byte[] sent = new byte[50_000];
		Arrays.fill(sent, (byte) 'x');
		try (TestServer server = secure((builder) -> builder.connectionHandler((connection) -> connection.outbound()
			.sendString(connection.inbound()
				.receive()
				.map((buffer) -> buffer.readableBytes())
				.scan(Integer::sum)
				.filter((sum) -> sum == sent.length)
				.next()
				.map(String::valueOf))
			.then()))) {
			server.events().on(SlotRequestEvent.class, (event) -> event.assign(Mono.fromFuture(slot)));
			server.start();
			SSLSocket socket = TestTls.socket();
			TestClient client = server.connect(socket);
			socket.startHandshake();
			client.send(sent);
			slot.complete(3);
			assertThat(client.readSlot()).isEqualTo(3);
			assertThat(client.readAll()).asString().isEqualTo("50000");
		}
	}

	@Test
	void whatComesInOneSegmentWithTheEndOfTheHandshakeIsReleasedIfThereIsNoSlot() throws IOException {
		try (TestServer server = secure()) {
			server.events().on(SlotRequestEvent.class, (event) -> event.reject(new NoSlotAvailableException("none")));
			server.start();
			for (int i = 0; i < 10; i++) {
				TestTls.Cork cork = new TestTls.Cork();
				SSLSocket socket = TestTls.corkedSocket(server.server().address(), cork);
				TestClient client = server.connect(socket);
				socket.startHandshake();
				client.send("question");
				client.send("question");
				cork.pull();
				assertThat(client.isRefused()).isTrue();
			}
		}
	}

	@Test
	void whatComesInOneSegmentWithTheEndOfTheHandshakeIsNotLost() throws IOException {
		try (TestServer server = secure((builder) -> builder.connectionHandler(
				(connection) -> connection.outbound().send(connection.inbound().receive().retain()).then()))
			.start()) {
			TestTls.Cork cork = new TestTls.Cork();
			SSLSocket socket = TestTls.corkedSocket(server.server().address(), cork);
			TestClient client = server.connect(socket);
			socket.startHandshake();
			client.send("ques");
			client.send("tion");
			cork.pull();
			assertThat(client.readSlot()).isZero();
			assertThat(client.read(8)).asString().isEqualTo("question");
		}
	}

	@ParameterizedTest
	@ValueSource(strings = { TLS_1_2, TLS_1_3 })
	void anAnswerArrivesWholeAndThenTheCloseWhenTheHandlerCompletes(String protocol) throws IOException {
		int size = 8 * 1024 * 1024;
		try (TestServer server = secure((builder) -> builder.connectionHandler((connection) -> connection.outbound()
			.send(Flux.range(0, size / 65536).map((i) -> Unpooled.wrappedBuffer(new byte[65536])))
			.then())).start()) {
			ByteArrayOutputStream recorded = new ByteArrayOutputStream();
			SSLSocket socket = TestTls.recordingSocket(server.server().address(), recorded);
			socket.setEnabledProtocols(new String[] { protocol });
			TestClient client = server.connect(socket);
			assertThat(client.readSlot()).isZero();
			// The client keeps sending, which must not cost it the answer
			client.send(new byte[100_000]);
			assertThat(client.readAll()).hasSize(size);
			assertThat(types(recorded.toByteArray())).last().isEqualTo(TLS_1_2.equals(protocol) ? CLOSE_NOTIFY : 23);
			client.close();
			server.verifyNothingLeft();
			assertThat(server.events().of(SlotFreeEvent.class)).extracting(SlotFreeEvent::getReason)
				.containsExactly(EndReason.HANDLER_COMPLETED);
		}
	}

	/**
	 * Return the types of records.
	 */
	private static List<Integer> types(byte[] records) {
		List<Integer> types = new ArrayList<>();
		int index = 0;
		while (index < records.length) {
			types.add((int) records[index]);
			index += 5 + ((records[index + 3] & 0xff) << 8) + (records[index + 4] & 0xff);
		}
		assertThat(index).as("the end of the last record").isEqualTo(records.length);
		return types;
	}

	@Test
	void aCloseDoesNotWaitForAPeerThatDoesNotRead() {
		verifyClosed((server, connection) -> connection.close(), EndReason.APPLICATION_CLOSED);
	}

	@Test
	void aStopDoesNotWaitForAPeerThatDoesNotRead() {
		verifyClosed((server, connection) -> server.server.stop(), EndReason.SERVER_STOPPED);
	}

	@Test
	void aPeerThatDoesNotReadAndSaysGoodbyeDoesNotKeepItsSlot() {
		verifyClosed((server, connection) -> {
			try {
				server.socket.shutdownOutput();
			}
			catch (IOException ex) {
				throw new IllegalStateException(ex);
			}
		}, EndReason.PEER_CLOSED);
	}

	private void verifyClosed(BiConsumer<Closing, CallosumConnection> close, EndReason reason) {
		// Netty's timeout for such a peer. The default of 3 s is hard to distinguish from
		// a busy machine
		SslProvider patient = SslProvider.addHandlerConfigurator(TestTls.provider(TestTls.SERVER, ClientAuth.NONE),
				(handler) -> handler.setCloseNotifyFlushTimeout(1, TimeUnit.MINUTES));
		try (TestServer server = secure((builder) -> builder.sslProviders((name) -> patient)
			.connectionHandler((connection) -> connection.outbound()
				.send(Flux.range(0, 1000).map((i) -> Unpooled.wrappedBuffer(new byte[65536])))
				.then(Mono.never())))
			.start()) {
			SSLSocket socket = TestTls.socket();
			TestClient client = server.connect(socket);
			assertThat(client.readSlot()).isZero();
			CallosumConnection connection = server.server().connections().iterator().next();
			AtomicReference<Long> sent = new AtomicReference<>(-1L);
			// Until the peer's window and the queue are full
			Awaitility.await()
				.pollInterval(Duration.ofMillis(300))
				.until(() -> connection.bytesSent() > 1_000_000
						&& sent.getAndSet(connection.bytesSent()) == connection.bytesSent());
			long start = System.nanoTime();
			close.accept(new Closing(server.server(), socket), connection);
			TestServer.await("SlotFreeEvent", () -> assertThat(server.events().of(SlotFreeEvent.class)).hasSize(1));
			assertThat(System.nanoTime() - start).isLessThan(TimeUnit.SECONDS.toNanos(20));
			assertThat(server.events().of(SlotFreeEvent.class).get(0).getReason()).isEqualTo(reason);
			verifyLog(server, 0);
		}
	}

	@Test
	void aSlowAnswerArrivesWholeWhileTheServerDrains() {
		Duration slow = Duration.ofMillis(1500);
		byte[] answer = new byte[1_000_000];
		CompletableFuture<Void> asked = new CompletableFuture<>();
		try (TestServer server = secure((builder) -> builder.shutdownQuietPeriod(Duration.ofMillis(100))
			.connectionHandler((connection) -> connection.inbound()
				.receive()
				.doOnNext((question) -> asked.complete(null))
				.then(Mono.delay(slow))
				.then(connection.outbound().sendByteArray(Mono.just(answer)).then())))
			.start()) {
			TestClient client = server.connect(TestTls.socket());
			assertThat(client.readSlot()).isZero();
			client.send("a question");
			asked.join();
			CompletableFuture<Void> stop = CompletableFuture
				.runAsync(() -> server.server().stop(Duration.ofMinutes(10)));
			byte[] got = client.readAll();
			assertThat(got).hasSize(answer.length);
			client.close();
			stop.join();
			verifyLog(server, 0);
		}
	}

	@ParameterizedTest
	@ValueSource(strings = { TLS_1_2, TLS_1_3 })
	void aCloseOfTheClientsSideEndsTheConnectionAndWhatItSentBeforeIsNotLost(String protocol) throws IOException {
		List<String> received = new CopyOnWriteArrayList<>();
		try (TestServer server = secure((builder) -> builder.connectionHandler(
				(connection) -> connection.inbound().receive().asString().doOnNext(received::add).then()))
			.start()) {
			SSLSocket socket = TestTls.socket(null, protocol);
			TestClient client = server.connect(socket);
			assertThat(client.readSlot()).isZero();
			client.send("bye");
			socket.shutdownOutput();
			TestServer.await("SlotFreeEvent", () -> assertThat(server.events().of(SlotFreeEvent.class)).hasSize(1));
			assertThat(server.events().of(SlotFreeEvent.class).get(0).getReason()).isEqualTo(EndReason.PEER_CLOSED);
			assertThat(String.join("", received)).isEqualTo("bye");
			verifyLog(server, 0);
		}
	}

	@Test
	void garbageAfterTheHandshakeEndsTheConnection() throws IOException {
		try (TestServer server = secure().start()) {
			Socket raw = new Socket();
			raw.connect(server.server().address());
			SSLSocket socket = TestTls.layeredSocket(raw);
			TestClient client = server.connect(socket);
			assertThat(client.readSlot()).isZero();
			raw.getOutputStream().write("garbage, garbage, garbage".getBytes(StandardCharsets.US_ASCII));
			TestServer.await("SlotFreeEvent", () -> assertThat(server.events().of(SlotFreeEvent.class)).hasSize(1));
			assertThat(server.events().of(SlotFreeEvent.class).get(0).getReason())
				.isEqualTo(EndReason.CONNECTION_FAILED);
			verifyLog(server, 0);
		}
	}

	private TestServer secure() {
		return secure(UnaryOperator.identity());
	}

	private TestServer secure(ClientAuth clientAuth) {
		return TestServer.create(this.transport, (builder) -> TestTls.secure(builder, clientAuth));
	}

	private TestServer secure(UnaryOperator<CallosumServer.Builder> customizer) {
		return TestServer.create(this.transport, (builder) -> customizer.apply(TestTls.secure(builder)));
	}

	/**
	 * Check that the log contains no stack trace and the given number of warnings,
	 * including those of Netty and Reactor Netty.
	 */
	private static void verifyLog(TestServer server, int warnings) {
		assertThat(server.logged(Level.INFO)).noneMatch((message) -> message.endsWith("Exception]"));
		assertThat(server.warnings()).hasSize(warnings);
	}

	private record Closing(CallosumServer server, SSLSocket socket) {
	}

	private static final class RecordedMetrics implements CallosumMetricsRecorder {

		private final List<RefusalReason> refused = new CopyOnWriteArrayList<>();

		@Override
		public void refused(RefusalReason reason) {
			this.refused.add(reason);
		}

	}

	private static String printStackTrace(Throwable error) {
		StringWriter writer = new StringWriter();
		error.printStackTrace(new PrintWriter(writer));
		return writer.toString();
	}

}
