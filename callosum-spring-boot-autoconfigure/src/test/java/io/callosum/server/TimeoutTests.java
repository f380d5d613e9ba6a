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
import java.io.UncheckedIOException;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
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
 * Tests for the timeouts of connections on which nothing moves.
 */
@ParameterizedClass
@EnumSource
class TimeoutTests {

	private static final Duration TIMEOUT = Duration.ofMillis(1500);

	/**
	 * How long connections that must stay open are watched.
	 */
	private static final Duration LONG = Duration.ofMillis(4000);

	private static final Duration OFTEN = Duration.ofMillis(100);

	/**
	 * How late a busy machine may be.
	 */
	private static final Duration LATE = Duration.ofSeconds(15);

	private static final int MAX_ATTEMPTS = 5;

	@Parameter
	Transport transport;

	// Idle

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void anIdleConnectionIsClosedAtTheTimeout(boolean tls) {
		// Long enough to include a handshake, if TLS is used
		Duration timeout = Duration.ofSeconds(3);
		try (TestServer server = create(tls, (builder) -> builder.idleTimeout(timeout)).start()) {
			long start = System.nanoTime();
			TestClient client = connect(server, tls);
			assertThat(client.readLine()).isEqualTo("0\r\n");
			assertThat(client.read()).isEqualTo(-1);
			assertThat(Duration.ofNanos(System.nanoTime() - start)).isBetween(timeout, timeout.plus(LATE));
			verifyEnd(server, EndReason.IDLE_TIMEOUT);
			assertThat(server.warnings()).isEmpty();
		}
	}

	@Test
	void aPeerThatIsNotReadBecauseItsBytesLieUnaskedForIsIdleInTheEnd() {
		try (TestServer server = create(false,
				(builder) -> builder.idleTimeout(Duration.ofSeconds(3)).connectionHandler((connection) -> {
					connection.inbound();
					return Mono.never();
				}))
			.start()) {
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
			verifyStays(server, () -> connect(server, tls), OFTEN, (client) -> client.send("x"));
			TestServer.await("the end", () -> assertThat(server.server().connections()).isEmpty());
			assertThat(server.events().of(SlotFreeEvent.class)).extracting(SlotFreeEvent::getReason)
				.containsOnly(EndReason.IDLE_TIMEOUT);
		}
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void aPeerThatOnlyReceivesIsNotIdle(boolean tls) {
		AtomicReference<Beats> sent = new AtomicReference<>();
		try (TestServer server = idle(tls,
				(builder) -> builder.connectionHandler((connection) -> Flux.interval(OFTEN)
					.onBackpressureDrop()
					.concatMap((tick) -> connection.outbound()
						.sendString(Mono.just("x"))
						.then()
						.doFinally((signal) -> sent.get().beat()))
					.then()))
			.start()) {
			verifyStays(server, (beats) -> {
				sent.set(beats);
				return connect(server, tls);
			}, OFTEN, (client, beats) -> {
				// Its peer does nothing
			});
		}
	}

	@Test
	void whoHasSentOrReadWhileTheEventLoopWasHeldIsNotTimedOut() {
		Duration timeout = Duration.ofSeconds(5);
		CountDownLatch held = new CountDownLatch(1);
		CountDownLatch release = new CountDownLatch(1);
		try (TestServer server = create(false,
				(builder) -> builder.workerThreads(1)
					.idleTimeout(timeout)
					.writeTimeout(timeout)
					.connectionHandler((connection) -> switch (connection.slot()) {
						case 1 -> connection.outbound()
							.sendByteArray(Flux.generate((sink) -> sink.next(new byte[10_000])))
							.then();
						// Holds the event loop while it reads, as a long garbage
						// collection may: its timers are next
						case 2 -> connection.inbound().receive().doOnNext((bytes) -> {
							held.countDown();
							TestThreads.await(release);
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
			TestThreads.await(held);
			talker.send("x");
			readWhatIsThere(reader);
			Mono.delay(timeout).block();
			release.countDown();
			// Twice, so that the event loop has gone through its timers
			assertThat(server.connect().readSlot()).isBetween(2, 4);
			assertThat(server.connect().readSlot()).isBetween(2, 4);
			assertThat(server.events().of(SlotFreeEvent.class)).extracting(SlotFreeEvent::getSlot).doesNotContain(0, 1);
		}
		finally {
			release.countDown();
		}
	}

	/**
	 * Read everything that the system has buffered, so that it lets the server continue.
	 */
	private static void readWhatIsThere(TestClient client) {
		byte[] bytes = new byte[100_000];
		try {
			client.socket().setSoTimeout(500);
			while (client.socket().getInputStream().read(bytes) != -1) {
				// There is more
			}
		}
		catch (SocketTimeoutException ex) {
			// That was all
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	@Test
	void aLargeMessageThatMakesProgressIsNoIdleness() {
		try (TestServer server = idle(false, (builder) -> builder.connectionHandler(this::sendLargeMessage)).start()) {
			verifySlowReaderStays(server);
		}
	}

	@Test
	void aConnectionWithBothTimeoutsAndALargeMessageThatMakesProgressStays() {
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
					.customizer((tcpServer) -> tcpServer.doOnChannelInit(
							(observer, channel, address) -> channel.pipeline().addFirst(new OnWrite(written))))
					.connectionHandler((connection) -> Mono.delay(idleTimeout.dividedBy(2))
						.then(Mono.defer(() -> Mono.from(sendLargeMessage(connection))))))
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
	void aPeerThatReadsSlowlyButSteadilyStays() {
		try (TestServer server = writing(false, (builder) -> builder.connectionHandler(this::sendLargeMessage))
			.start()) {
			verifySlowReaderStays(server);
		}
	}

	@Test
	void aPeerThatHasNothingToReadStays() {
		try (TestServer server = writing(false, UnaryOperator.identity()).start()) {
			assertThat(server.connect().readSlot()).isZero();
			Awaitility.await()
				.pollInterval(OFTEN)
				.atMost(LONG.multipliedBy(4))
				.during(LONG)
				.until(() -> server.server().connections().size() == 1);
		}
	}

	@Test
	void aPeerThatStopsForLessThanTheTimeoutNowAndThenStays() {
		byte[] message = new byte[1_000_000];
		try (TestServer server = TestServer
			.create(this.transport,
					(builder) -> builder.writeTimeout(TIMEOUT)
						.connectionHandler((connection) -> connection.outbound()
							.send(Flux.<ByteBuf>generate((sink) -> sink.next(Unpooled.wrappedBuffer(message))))
							.then()))
			.start()) {
			verifyStays(server, server::connect, TIMEOUT.dividedBy(3),
					(client) -> assertThat(client.read(3_000_000)).hasSize(3_000_000));
		}
	}

	/**
	 * Keep sending, whether or not earlier writes have completed.
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
	 * Check that a client stays connected that reads so little at a time that no message
	 * is complete for a long time.
	 */
	private static void verifySlowReaderStays(TestServer server) {
		Supplier<TestClient> connect = () -> {
			Socket socket = new Socket();
			try {
				socket.setReceiveBufferSize(50_000);
			}
			catch (SocketException ex) {
				throw new UncheckedIOException(ex);
			}
			return server.connect(socket);
		};
		// The system lets the server continue when a third of its buffer is free, which
		// must not take long
		verifyStays(server, connect, OFTEN, (client) -> assertThat(client.read(600_000)).hasSize(600_000));
	}

	private static void verifyStays(TestServer server, Supplier<TestClient> connect, Duration pause,
			Consumer<TestClient> act) {
		verifyStays(server, (beats) -> connect.get(), pause, (client, beats) -> {
			act.accept(client);
			beats.beat();
		});
	}

	/**
	 * Check that a connection with frequent activity stays open. If the activity was not
	 * frequent because this machine was busy, try again with another connection.
	 * @param connect connects a client, and starts the activity if it is not that of the
	 * client
	 * @param pause the time between actions of the client
	 * @param act what the client does
	 */
	private static void verifyStays(TestServer server, Function<Beats, TestClient> connect, Duration pause,
			BiConsumer<TestClient, Beats> act) {
		for (int attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
			int ended = server.events().of(SlotFreeEvent.class).size();
			Beats beats = new Beats();
			TestClient client = connect.apply(beats);
			AssertionError failure;
			try {
				assertThat(client.readLine()).isEqualTo("0\r\n");
				long start = System.nanoTime();
				while (System.nanoTime() - start < LONG.toNanos()) {
					act.accept(client, beats);
					assertThat(server.events().of(SlotFreeEvent.class)).hasSize(ended);
					Mono.delay(pause).block();
				}
				return;
			}
			catch (AssertionError ex) {
				failure = ex;
			}
			catch (UncheckedIOException ex) {
				failure = new AssertionError(ex);
			}
			if (beats.longestPause().compareTo(TIMEOUT.multipliedBy(2).dividedBy(3)) < 0) {
				throw failure;
			}
			client.close();
			server.awaitConnections(0);
		}
		throw new AssertionError("This machine was too busy each time");
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

	/**
	 * Measures the longest pause between actions.
	 */
	private static final class Beats {

		private long last = System.nanoTime();

		private long longestNanos;

		private synchronized void beat() {
			long now = System.nanoTime();
			this.longestNanos = Math.max(this.longestNanos, now - this.last);
			this.last = now;
		}

		private Duration longestPause() {
			beat();
			return Duration.ofNanos(this.longestNanos);
		}

	}

	/**
	 * Records when something large was written. This happens on the event loop, whose
	 * timers have to wait for it.
	 */
	private static final class OnWrite extends ChannelOutboundHandlerAdapter {

		private final AtomicLong written;

		private OnWrite(AtomicLong written) {
			this.written = written;
		}

		@Override
		public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
			if (message instanceof ByteBuf buffer && buffer.readableBytes() > 1000) {
				this.written.set(System.nanoTime());
			}
			ctx.write(message, promise);
		}

	}

}
