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
import java.io.InputStream;
import java.net.Socket;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.UnaryOperator;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.handler.flush.FlushConsolidationHandler;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for the ends of connections on which nothing moves.
 */
@ParameterizedClass
@EnumSource
class TimeoutTests {

	private static final Duration TIMEOUT = Duration.ofMillis(1500);

	/**
	 * How long connections are watched that are to stay.
	 */
	private static final Duration LONG = Duration.ofMillis(4000);

	private static final Duration OFTEN = Duration.ofMillis(100);

	@Parameter
	Transport transport;

	// Idle

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void anIdleConnectionIsClosedAtTheTimeout(boolean tls) {
		try (TestServer server = idle(tls, UnaryOperator.identity()).start()) {
			long start = System.nanoTime();
			TestClient client = connect(server, tls);
			assertThat(client.readLine()).isEqualTo("0\r\n");
			assertThat(client.read()).isEqualTo(-1);
			assertThat(System.nanoTime() - start).isBetween(TIMEOUT.toNanos(), TIMEOUT.multipliedBy(5).toNanos());
			verifyEnd(server, EndReason.IDLE_TIMEOUT);
			assertThat(server.warnings()).isEmpty();
		}
	}

	@Test
	void aPeerThatIsNotReadBecauseItsBytesLieUnaskedForIsIdleInTheEnd() {
		try (TestServer server = idle(false, (builder) -> builder.connectionHandler((connection) -> {
			connection.inbound();
			return Mono.never();
		})).start()) {
			TestClient client = server.connect();
			assertThat(client.readSlot()).isZero();
			client.send(new byte[200_000]);
			assertThat(client.isRefused()).isTrue();
			verifyEnd(server, EndReason.IDLE_TIMEOUT);
		}
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void aPeerThatOnlySendsIsNotIdle(boolean tls) {
		try (TestServer server = idle(tls, UnaryOperator.identity()).start()) {
			TestClient client = connect(server, tls);
			assertThat(client.readSlot()).isZero();
			Awaitility.await().pollInterval(OFTEN).atMost(LONG.multipliedBy(4)).during(LONG).until(() -> {
				client.send("x");
				return server.server().connections().size() == 1;
			});
			verifyEnd(server, EndReason.IDLE_TIMEOUT);
		}
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void aPeerThatOnlyReceivesIsNotIdle(boolean tls) {
		try (TestServer server = idle(tls,
				(builder) -> builder.connectionHandler((connection) -> Flux.interval(OFTEN)
					.onBackpressureDrop()
					.concatMap((tick) -> connection.outbound().sendString(Mono.just("x")).then())
					.then()))
			.start()) {
			TestClient client = connect(server, tls);
			assertThat(client.readSlot()).isZero();
			verifyStays(server);
		}
	}

	@Test
	void whoHasSentOrReadWhileTheEventLoopWasHeldIsNotTimedOut() {
		CountDownLatch held = new CountDownLatch(1);
		try (TestServer server = idle(false,
				(builder) -> builder.workerThreads(1)
					.writeTimeout(TIMEOUT)
					.connectionHandler((connection) -> switch (connection.slot()) {
						case 1 -> connection.outbound()
							.sendByteArray(Flux.generate((sink) -> sink.next(new byte[10_000])))
							.then();
						// While the event loop reads, as a long garbage collection may:
						// its timers are next
						case 2 -> connection.inbound().receive().doOnNext((bytes) -> {
							held.countDown();
							LockSupport.parkNanos(TIMEOUT.multipliedBy(2).toNanos());
						}).then();
						default -> connection.inbound().receive().then();
					}))
			.start()) {
			TestClient talker = server.connect();
			assertThat(talker.readSlot()).isZero();
			TestClient reader = server.connect();
			assertThat(reader.readSlot()).isOne();
			TestClient holder = server.connect();
			assertThat(holder.readSlot()).isEqualTo(2);
			holder.send("x");
			TestServer.await("hold", () -> assertThat(held.getCount()).isZero());
			talker.send("x");
			reader.read(1_000_000);
			// Twice, so that the event loop has been through its timers
			assertThat(server.connect().readSlot()).isBetween(2, 4);
			assertThat(server.connect().readSlot()).isBetween(2, 4);
			assertThat(server.events().of(SlotFreeEvent.class)).extracting(SlotFreeEvent::getSlot).doesNotContain(0, 1);
		}
	}

	@Test
	void aLargeMessageThatMakesProgressIsNoIdleness() throws IOException {
		try (TestServer server = idle(false, (builder) -> builder.connectionHandler(this::sendLargeMessage)).start()) {
			verifySlowReaderStays(server);
		}
	}

	@Test
	void aConnectionWithBothTimeoutsAndALargeMessageThatMakesProgressStays() throws IOException {
		try (TestServer server = idle(false,
				(builder) -> builder.writeTimeout(TIMEOUT).connectionHandler(this::sendLargeMessage))
			.start()) {
			verifySlowReaderStays(server);
		}
	}

	@Test
	void aConnectionIsNotIdleFromBeforeALargeMessageOfWhichAPartHasLeft() {
		Duration idleTimeout = Duration.ofSeconds(3);
		AtomicLong written = new AtomicLong();
		try (TestServer server = create(false,
				(builder) -> builder.idleTimeout(idleTimeout)
					.writeTimeout(Duration.ofMinutes(1))
					.connectionHandler((connection) -> Mono.delay(idleTimeout.dividedBy(2)).then(Mono.defer(() -> {
						written.set(System.nanoTime());
						return Mono.from(sendLargeMessage(connection));
					}))))
			.start()) {
			assertThat(server.connect().readSlot()).isZero();
			verifyEnd(server, EndReason.IDLE_TIMEOUT);
			assertThat(System.nanoTime() - written.get()).isGreaterThanOrEqualTo(idleTimeout.toNanos());
		}
	}

	@Test
	void aHandshakeThatStallsIsIdle() {
		try (TestServer server = idle(true, UnaryOperator.identity()).start()) {
			assertThat(server.connect().read()).isEqualTo(-1);
			assertThat(server.events().of(SlotRequestEvent.class)).isEmpty();
		}
	}

	// Writes

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void aPeerThatStopsToReadIsClosedAtTheTimeout(boolean tls) {
		try (TestServer server = writing(tls, (builder) -> builder.connectionHandler(this::sendLargeMessage)).start()) {
			assertThat(connect(server, tls).readSlot()).isZero();
			verifyEnd(server, EndReason.WRITE_TIMEOUT);
			assertThat(server.warnings()).isEmpty();
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
		}
	}

	@Test
	void aPeerThatStopsToReadIsClosedAlthoughMoreIsWrittenAllTheTime() {
		try (TestServer server = writing(false,
				(builder) -> builder.connectionHandler((connection) -> sendWithoutWaiting(connection, 100_000)))
			.start()) {
			assertThat(server.connect().readSlot()).isZero();
			verifyEnd(server, EndReason.WRITE_TIMEOUT);
		}
	}

	@Test
	void aPeerThatStopsToReadIsClosedAlsoWhereACustomizerFlushesByItself() {
		try (TestServer server = writing(false, (builder) -> builder
			.customizer((tcpServer) -> tcpServer.doOnConnection(
					(connection) -> connection.channel().pipeline().addFirst(new FlushConsolidationHandler(256, true))))
			.connectionHandler((connection) -> sendWithoutWaiting(connection, 200_000))).start()) {
			assertThat(server.connect().readSlot()).isZero();
			verifyEnd(server, EndReason.WRITE_TIMEOUT);
		}
	}

	@Test
	void aPeerThatReadsSlowlyButSteadilyStays() throws IOException {
		try (TestServer server = writing(false, (builder) -> builder.connectionHandler(this::sendLargeMessage))
			.start()) {
			verifySlowReaderStays(server);
		}
	}

	@Test
	void aPeerThatHasNothingToReadStays() {
		try (TestServer server = writing(false, UnaryOperator.identity()).start()) {
			assertThat(server.connect().readSlot()).isZero();
			verifyStays(server);
		}
	}

	@Test
	void aPeerThatStopsForLessThanTheTimeoutNowAndThenStays() throws IOException {
		byte[] message = new byte[1_000_000];
		try (TestServer server = TestServer
			.create(this.transport,
					(builder) -> builder.writeTimeout(TIMEOUT)
						.connectionHandler((connection) -> connection.outbound()
							.send(Flux.<ByteBuf>generate((sink) -> sink.next(Unpooled.wrappedBuffer(message))))
							.then()))
			.start()) {
			TestClient client = server.connect();
			assertThat(client.readSlot()).isZero();
			Awaitility.await()
				.pollInterval(TIMEOUT.dividedBy(3))
				.atMost(LONG.multipliedBy(4))
				.during(LONG)
				.until(() -> client.read(3_000_000).length == 3_000_000);
			assertThat(server.events().of(SlotFreeEvent.class)).isEmpty();
		}
	}

	/**
	 * Send more all the time, whether or not what was written before has left.
	 */
	private Publisher<Void> sendWithoutWaiting(CallosumConnection connection, int bytes) {
		return Flux.interval(Duration.ofMillis(20))
			.doOnNext((tick) -> connection.outbound()
				.withConnection((netty) -> netty.channel().writeAndFlush(Unpooled.wrappedBuffer(new byte[bytes]))))
			.then();
	}

	private Publisher<Void> sendLargeMessage(CallosumConnection connection) {
		return connection.outbound().send(Mono.just(Unpooled.wrappedBuffer(new byte[30_000_000]))).then();
	}

	/**
	 * Check that a client stays that takes so little at a time that no message is
	 * complete for a long time.
	 */
	private static void verifySlowReaderStays(TestServer server) throws IOException {
		Socket socket = new Socket();
		socket.setReceiveBufferSize(50_000);
		TestClient client = server.connect(socket);
		assertThat(client.readSlot()).isZero();
		InputStream in = socket.getInputStream();
		Awaitility.await()
			.pollInterval(OFTEN)
			.atMost(LONG.multipliedBy(4))
			.during(LONG)
			// The system lets the server go on when a third of its buffer is free, which
			// must not take long
			.until(() -> in.readNBytes(600_000).length == 600_000);
		assertThat(server.events().of(SlotFreeEvent.class)).isEmpty();
	}

	private static void verifyStays(TestServer server) {
		Awaitility.await()
			.pollInterval(OFTEN)
			.atMost(LONG.multipliedBy(4))
			.during(LONG)
			.until(() -> server.server().connections().size() == 1);
	}

	private static void verifyEnd(TestServer server, EndReason reason) {
		TestServer.await("SlotFreeEvent", () -> assertThat(server.events().of(SlotFreeEvent.class)).hasSize(1));
		assertThat(server.events().of(SlotFreeEvent.class).get(0).getReason()).isEqualTo(reason);
		server.verifyNothingLeft();
	}

	private TestServer idle(boolean tls, UnaryOperator<CallosumServer.Builder> customizer) {
		return create(tls, (builder) -> customizer.apply(builder.idleTimeout(TIMEOUT)));
	}

	private TestServer writing(boolean tls, UnaryOperator<CallosumServer.Builder> customizer) {
		return create(tls, (builder) -> customizer.apply(builder.writeTimeout(TIMEOUT)));
	}

	private TestServer create(boolean tls, UnaryOperator<CallosumServer.Builder> customizer) {
		return TestServer.create(this.transport,
				(builder) -> customizer.apply(tls ? TestTls.secure(builder) : builder));
	}

	private static TestClient connect(TestServer server, boolean tls) {
		return tls ? server.connect(TestTls.socket()) : server.connect();
	}

}
