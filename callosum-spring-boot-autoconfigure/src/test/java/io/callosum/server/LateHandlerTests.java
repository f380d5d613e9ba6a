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
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BiConsumer;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

import ch.qos.logback.classic.Level;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoop;
import io.netty.handler.codec.LineBasedFrameDecoder;
import io.netty.handler.codec.TooLongFrameException;
import io.netty.handler.codec.string.StringDecoder;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.reactivestreams.Subscriber;
import org.reactivestreams.Subscription;
import reactor.core.publisher.BaseSubscriber;
import reactor.core.publisher.Mono;
import reactor.core.publisher.SignalType;
import reactor.core.publisher.Sinks;
import reactor.netty.Connection;
import reactor.netty.NettyInbound;
import reactor.netty.tcp.TcpServer;

import org.springframework.util.unit.DataSize;

import io.callosum.server.HandlerCompletionTests.Leave;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests that a handler that runs on an executor receives what its peer has sent, even if
 * the peer leaves before the handler subscribes.
 *
 * @author The Callosum authors
 */
@ParameterizedClass
@EnumSource
class LateHandlerTests {

	private static final String SENT = IntStream.range(0, 20)
		.mapToObj((line) -> "line " + line + "\n")
		.collect(Collectors.joining());

	private static final Duration LONG = Duration.ofHours(1);

	@AutoClose("shutdownNow")
	private final ExecutorService executor = Executors.newCachedThreadPool();

	private final WireTap tap = new WireTap();

	private final CountDownLatch reached = new CountDownLatch(1);

	private final CountDownLatch left = new CountDownLatch(1);

	private final List<String> received = new CopyOnWriteArrayList<>();

	private final AtomicInteger errors = new AtomicInteger();

	private final CountDownLatch over = new CountDownLatch(1);

	@Parameter
	Link link;

	static Stream<Case> cases() {
		return Stream.of(Moment.values())
			.flatMap((moment) -> Stream.of(Leave.values())
				.flatMap((leave) -> Stream.of(Decoder.values()).map((decoder) -> new Case(moment, leave, decoder))));
	}

	@ParameterizedTest
	@MethodSource("cases")
	void whatAPeerHasSentReachesAHandlerThatIsLate(Case given) {
		boolean ofHandler = given.decoder == Decoder.OF_HANDLER;
		try (TestServer server = create((connection) -> receive(connection, given.moment, ofHandler),
				(builder) -> (given.decoder == Decoder.OF_CUSTOMIZER)
						? builder.customizer((tcpServer) -> tcpServer.doOnConnection(LateHandlerTests::decodeLines))
						: builder)) {
			sendAndLeave(server, given.moment, given.leave);
			TestServer.await("the end", () -> assertThat(this.over.getCount()).isZero());
			if (given.decoder != Decoder.NONE) {
				assertThat(this.received).containsExactlyElementsOf(SENT.lines().toList());
			}
			else {
				assertThat(String.join("", this.received)).isEqualTo(SENT);
			}
			assertThat(this.errors).hasValue((given.leave == Leave.RST) ? 1 : 0);
			server.verifyNothingLeft();
			assertThat(server.events().of(SlotFreeEvent.class)).singleElement()
				.extracting(SlotFreeEvent::getReason)
				.isEqualTo((given.leave == Leave.RST) ? EndReason.PEER_RESET : EndReason.PEER_CLOSED);
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
			assertThat(server.warnings()).isEmpty();
		}
	}

	private Mono<Void> receive(CallosumConnection connection, Moment moment, boolean lines) {
		pause(moment, Moment.CLAIM);
		NettyInbound inbound = connection.inbound();
		pause(moment, Moment.CODEC);
		if (lines) {
			inbound = inbound.withConnection(LateHandlerTests::decodeLines);
		}
		pause(moment, Moment.SUBSCRIPTION);
		return inbound.receive()
			.asString()
			.doOnNext(this.received::add)
			.onErrorComplete((error) -> error instanceof IOException && this.errors.incrementAndGet() > 0)
			.doFinally((signal) -> this.over.countDown())
			.then();
	}

	private static void decodeLines(Connection connection) {
		connection.addHandlerLast(new LineBasedFrameDecoder(1024));
	}

	private void pause(Moment actual, Moment moment) {
		if (actual == moment) {
			this.reached.countDown();
			TestThreads.await(this.left);
		}
	}

	/**
	 * Connect a client, wait until the application has reached the point at which it
	 * pauses, and send. When this returns, the bytes have been received.
	 */
	private TestClient connectAndSend(TestServer server, String text) {
		TestClient client = server.connect();
		client.readSlot();
		TestThreads.await(this.reached);
		client.send(text);
		TestServer.await("the bytes", () -> assertThat(server.server().connections()).singleElement()
			.satisfies((connection) -> assertThat(connection.bytesReceived()).isEqualTo(text.length())));
		return client;
	}

	private CompletableFuture<?> beginDrain(TestServer server) {
		CompletableFuture<?> stop = CompletableFuture.runAsync(() -> server.server().stop(Duration.ofMinutes(1)),
				this.executor);
		TestServer.await("the drain", () -> assertThat(server.logged(Level.INFO))
			.anyMatch((line) -> line.contains("Draining 1 connections")));
		return stop;
	}

	/**
	 * Send lines, leave at a given moment, and let the application continue when the
	 * connection is closed.
	 */
	private void sendAndLeave(TestServer server, Moment moment, Leave leave) {
		server.events().on(ConnectionEvent.class, (event) -> pause(moment, Moment.HANDLER));
		server.start();
		TestClient client = connectAndSend(server, SENT);
		leave.accept(client);
		TestServer.await("the end", () -> assertThat(this.tap.openChannels()).isEmpty());
		this.left.countDown();
	}

	@ParameterizedTest
	@EnumSource
	void aCodecThatIsOnItsWayWhenThePeerLeavesDecodesWhatItHasSent(Leave leave) {
		verifyDecodesWhatAPeerSendsThatLeavesMeanwhile(leave, UnaryOperator.identity(),
				(add) -> (connection) -> (subscriber) -> {
					NettyInbound inbound = connection.inbound();
					this.reached.countDown();
					add.accept(inbound, subscriber);
				});
	}

	@ParameterizedTest
	@EnumSource
	void aCodecFromAnotherThreadForBytesClaimedOnTheEventLoopDecodesThem(Leave leave) {
		verifyDecodesWhatAPeerSendsThatLeavesMeanwhile(leave, (builder) -> builder.listenerExecutor(null),
				(add) -> (connection) -> {
					NettyInbound inbound = connection.inbound();
					this.reached.countDown();
					return (subscriber) -> this.executor.execute(() -> add.accept(inbound, subscriber));
				});
	}

	/**
	 * Check that a codec still decodes the bytes if it is added, followed by a
	 * subscription, after they were read and before the event loop handles anything other
	 * than their end.
	 * @param leave how the peer leaves
	 * @param customizer determines where the handler runs
	 * @param handler returns a handler that claims the bytes, and lets a thread other
	 * than the event loop add the codec and subscribe
	 */
	private void verifyDecodesWhatAPeerSendsThatLeavesMeanwhile(Leave leave,
			UnaryOperator<CallosumServer.Builder> customizer,
			Function<BiConsumer<NettyInbound, Subscriber<? super Void>>, ConnectionHandler> handler) {
		CountDownLatch reading = new CountDownLatch(1);
		CountDownLatch subscribed = new CountDownLatch(1);
		BiConsumer<NettyInbound, Subscriber<? super Void>> add = (inbound, subscriber) -> {
			TestThreads.await(reading);
			inbound.withConnection(LateHandlerTests::decodeLines)
				.receive()
				.asString()
				.doOnNext(this.received::add)
				.onErrorComplete(IOException.class)
				.doFinally((signal) -> this.over.countDown())
				.then()
				.subscribe(subscriber);
			subscribed.countDown();
		};
		try (TestServer server = create(handler.apply(add), (builder) -> customizer
			.apply(builder.customizer((tcpServer) -> holdReads(tcpServer, reading, subscribed))))) {
			server.start();
			TestClient client = server.connect();
			client.readSlot();
			TestThreads.await(this.reached);
			client.send(SENT);
			leave.accept(client);
			TestServer.await("the end", () -> assertThat(this.over.getCount()).isZero());
			assertThat(this.received).containsExactlyElementsOf(SENT.lines().toList());
			server.verifyNothingLeft();
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
		}
	}

	/**
	 * Hold the event loop in a read once the handler is running, so that the loop sees
	 * the end before anything that the handler does in the meantime.
	 */
	private TcpServer holdReads(TcpServer tcpServer, CountDownLatch reading, CountDownLatch go) {
		return tcpServer.doOnChannelInit(
				(observer, channel, address) -> channel.pipeline().addFirst(new ChannelInboundHandlerAdapter() {

					@Override
					public void channelRead(ChannelHandlerContext ctx, Object message) {
						if (LateHandlerTests.this.reached.getCount() == 0) {
							reading.countDown();
							TestThreads.await(go);
						}
						ctx.fireChannelRead(message);
					}

				}));
	}

	@Test
	void aCodecThatIsAddedLateHoldsNoEventLoopMeanwhile() {
		CountDownLatch closed = new CountDownLatch(1);
		CountDownLatch free = new CountDownLatch(1);
		AtomicReference<EventLoop> eventLoop = new AtomicReference<>();
		try (TestServer server = create((connection) -> {
			// Runs after the event loop has notified everybody that the connection is
			// closed
			eventLoop.get().execute(closed::countDown);
			TestThreads.await(closed);
			NettyInbound inbound = connection.inbound();
			Mono<Void> receive = inbound.receive()
				.asString()
				.doOnNext(this.received::add)
				.doFinally((signal) -> this.over.countDown())
				.then();
			inbound.withConnection((netty) -> netty.addHandlerLast(new ChannelInboundHandlerAdapter() {

				@Override
				public void handlerAdded(ChannelHandlerContext ctx) {
					// The event loop checks for codecs that were added late
					receive.subscribe();
					inbound.withConnection((again) -> eventLoop.get().execute(free::countDown));
					TestThreads.await(free);
				}

			}));
			return Mono.fromRunnable(() -> TestThreads.await(this.over));
		})) {
			server.events()
				.on(ConnectionEvent.class,
						(event) -> this.tap.openChannels().forEach((channel) -> eventLoop.set(channel.eventLoop())));
			sendAndLeave(server, Moment.HANDLER, Leave.FIN);
			TestServer.await("the end", () -> assertThat(this.over.getCount()).isZero());
			TestThreads.await(free);
			assertThat(String.join("", this.received)).isEqualTo(SENT);
		}
	}

	@ParameterizedTest
	@ValueSource(booleans = { true, false })
	void aCodecHearsOfTheFailureThatEndsItsConnectionOnce(boolean late) {
		AtomicInteger heard = new AtomicInteger();
		AtomicInteger ended = new AtomicInteger();
		try (TestServer server = create((connection) -> {
			NettyInbound inbound = connection.inbound()
				.withConnection((netty) -> netty.addHandlerLast(new ChannelInboundHandlerAdapter() {

					@Override
					public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
						heard.incrementAndGet();
					}

					@Override
					public void channelInactive(ChannelHandlerContext ctx) {
						ended.incrementAndGet();
						ctx.fireChannelInactive();
					}

				}));
			pause(late ? Moment.SUBSCRIPTION : Moment.HANDLER, Moment.SUBSCRIPTION);
			return inbound.receive()
				.asString()
				.doOnNext(this.received::add)
				.doOnRequest((n) -> this.reached.countDown())
				.then();
		})) {
			sendAndLeave(server, Moment.SUBSCRIPTION, Leave.RST);
			TestServer.await("the end", () -> assertThat(ended).hasValue(1));
			server.verifyNothingLeft();
			assertThat(heard).hasValue(1);
			assertThat(String.join("", this.received)).isEqualTo(SENT);
		}
	}

	@Test
	void aHandlerThatIsLateMayAnswerAndItsAnswersAreDropped() {
		try (TestServer server = create((connection) -> connection.outbound()
			.sendString(connection.inbound()
				.withConnection(LateHandlerTests::decodeLines)
				.receive()
				.asString()
				.concatMap((line) -> Mono.fromCallable(() -> {
					this.received.add(line);
					return line + "\n";
				})))
			.then()
			.doFinally((signal) -> this.over.countDown()))) {
			sendAndLeave(server, Moment.HANDLER, Leave.FIN);
			TestServer.await("the end", () -> assertThat(this.over.getCount()).isZero());
			assertThat(this.received).containsExactlyElementsOf(SENT.lines().toList());
			server.verifyNothingLeft();
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
			assertThat(server.warnings()).isEmpty();
		}
	}

	@Test
	void aHandlerThatIsLateGetsNoMoreThanItAsksFor() {
		try (TestServer server = create((connection) -> connection.inbound()
			.withConnection(LateHandlerTests::decodeLines)
			.receive()
			.asString()
			.doOnNext(this.received::add)
			.next()
			.doFinally((signal) -> this.over.countDown())
			.then())) {
			sendAndLeave(server, Moment.HANDLER, Leave.FIN);
			TestServer.await("the end", () -> assertThat(this.over.getCount()).isZero());
			server.verifyNothingLeft();
			assertThat(this.received).containsExactly("line 0");
		}
	}

	@Test
	void aCodecThatFailsFailsAHandlerThatIsLate() {
		try (TestServer server = create((connection) -> connection.inbound()
			.withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(3)))
			.receive()
			.then())) {
			sendAndLeave(server, Moment.HANDLER, Leave.FIN);
			TestServer.await("the error", () -> assertThat(server.events().of(ServerErrorEvent.class)).singleElement()
				.satisfies((event) -> assertThat(event.getError()).isInstanceOf(TooLongFrameException.class)));
			server.verifyNothingLeft();
		}
	}

	@ParameterizedTest
	@EnumSource
	void aCodecOfACustomizerThatFailsFailsAHandlerThatIsLateAfterWhatItHasDecoded(Leave leave) {
		try (TestServer server = create(
				(connection) -> connection.inbound().receive().asString().doOnNext(this.received::add).then(),
				(builder) -> builder.customizer((tcpServer) -> tcpServer
					.doOnConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(6)))))) {
			sendAndLeave(server, Moment.HANDLER, leave);
			TestServer.await("the error", () -> assertThat(server.events().of(ServerErrorEvent.class)).singleElement()
				.satisfies((event) -> assertThat(event.getError()).isInstanceOf(TooLongFrameException.class)));
			server.verifyNothingLeft();
			// Lines of 7 characters follow
			assertThat(this.received).containsExactlyElementsOf(SENT.lines().limit(10).toList());
			assertThat(server.warnings()).singleElement().asString().contains("The connection handler failed");
		}
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void whatCodecsMakeOfTheBytesOfAPeerThatHasLeftStaysWithinTheBudget(boolean ofCustomizer) {
		int sent = 10_000;
		IdleSubscriber lines = new IdleSubscriber();
		try (TestServer server = create((connection) -> {
			NettyInbound inbound = ofCustomizer ? connection.inbound()
					: connection.inbound().withConnection(LateHandlerTests::decodeLines);
			inbound.receive().asString().subscribe(lines);
			this.reached.countDown();
			return lines.done.asMono();
		}, (builder) -> (ofCustomizer
				? builder.customizer((tcpServer) -> tcpServer.doOnConnection(LateHandlerTests::decodeLines)) : builder)
			.readAheadBudget(DataSize.ofKilobytes(32)))) {
			if (ofCustomizer) {
				server.events().on(ConnectionEvent.class, (event) -> pause(Moment.HANDLER, Moment.HANDLER));
			}
			server.start();
			TestClient client = connectAndSend(server, "\n".repeat(sent));
			client.close();
			TestServer.await("the end", () -> assertThat(this.tap.openChannels()).isEmpty());
			this.left.countDown();
			TestThreads.await(lines.subscribed);
			lines.requestUnbounded();
			assertThat(lines.failure).succeedsWithin(Duration.ofSeconds(30)).isInstanceOf(OutOfMemoryError.class);
			assertThat(lines.received).hasValueBetween(1, sent / 10);
			server.verifyNothingLeft();
		}
	}

	@Test
	void whatACustomizersCodecDecodesWhenAPeerHasLeftPassesThroughThoseOfItsHandler() {
		try (TestServer server = create(
				(connection) -> connection.inbound()
					.withConnection((netty) -> netty.addHandlerLast(new StringDecoder()))
					.receiveObject()
					.cast(String.class)
					.doOnNext(this.received::add)
					.doFinally((signal) -> this.over.countDown())
					.then(),
				(builder) -> builder
					.customizer((tcpServer) -> tcpServer.doOnConnection(LateHandlerTests::decodeLines)))) {
			sendAndLeave(server, Moment.HANDLER, Leave.FIN);
			TestServer.await("the end", () -> assertThat(this.over.getCount()).isZero());
			server.verifyNothingLeft();
			assertThat(this.received).containsExactlyElementsOf(SENT.lines().toList());
		}
	}

	@Test
	void whatAPeerSendsThatLeavesBeforeItHasASlotReachesNoCodec() {
		AtomicInteger decoded = new AtomicInteger();
		try (TestServer server = create((connection) -> Mono.never(),
				(builder) -> builder.customizer((tcpServer) -> tcpServer
					.doOnConnection((netty) -> netty.addHandlerLast(new ChannelInboundHandlerAdapter() {

						@Override
						public void channelRead(ChannelHandlerContext ctx, Object message) {
							decoded.incrementAndGet();
							ctx.fireChannelRead(message);
						}

					}))))) {
			server.events().on(SlotRequestEvent.class, (event) -> event.assign(Mono.never()));
			server.start();
			TestClient client = server.connect();
			client.send(SENT);
			this.tap.awaitBytesRead(SENT.length());
			client.close();
			TestServer.await("the end", () -> assertThat(this.tap.openChannels()).isEmpty());
			server.verifyNothingLeft();
			assertThat(decoded).hasValue(0);
		}
	}

	@Test
	void aHandlerIsNotCalledForAPeerThatHasLeftWithoutAWord() {
		try (TestServer server = create((connection) -> {
			this.over.countDown();
			return connection.inbound().receive().then();
		})) {
			server.events().on(ConnectionEvent.class, (event) -> pause(Moment.HANDLER, Moment.HANDLER));
			server.start();
			TestClient client = server.connect();
			client.readSlot();
			TestThreads.await(this.reached);
			client.close();
			TestServer.await("the end", () -> assertThat(this.tap.openChannels()).isEmpty());
			this.left.countDown();
			server.verifyNothingLeft();
			assertThat(this.over.getCount()).isOne();
		}
	}

	@Test
	void aHandlerIsNotCalledIfAListenerClosesTheConnectionOfAPeerThatHasLeft() {
		try (TestServer server = create((connection) -> {
			this.over.countDown();
			return connection.inbound().receive().then();
		})) {
			server.events().on(ConnectionEvent.class, (event) -> {
				pause(Moment.HANDLER, Moment.HANDLER);
				event.getConnection().close();
			});
			server.start();
			TestClient client = connectAndSend(server, SENT);
			client.close();
			TestServer.await("the end", () -> assertThat(this.tap.openChannels()).isEmpty());
			this.left.countDown();
			server.verifyNothingLeft();
			assertThat(this.over.getCount()).isOne();
		}
	}

	@Test
	void aHandlerThatIsLateAndNeverCompletesIsCancelledAtTheTimeout() {
		try (TestServer server = create(
				(connection) -> connection.inbound()
					.withConnection(LateHandlerTests::decodeLines)
					.receive()
					.then(Mono.<Void>never())
					.doOnCancel(this.over::countDown),
				(builder) -> builder.completionTimeout(Duration.ofMillis(300)))) {
			sendAndLeave(server, Moment.HANDLER, Leave.FIN);
			TestServer.await("the cancellation", () -> assertThat(this.over.getCount()).isZero());
			server.verifyNothingLeft();
			assertThat(server.warnings()).singleElement().asString().contains("callosum.server.completion-timeout");
		}
	}

	@Test
	void aGracefulStopWaitsForAHandlerThatIsLate() {
		CompletableFuture<Void> work = new CompletableFuture<>();
		try (TestServer server = create((connection) -> connection.inbound()
			.withConnection(LateHandlerTests::decodeLines)
			.receive()
			.asString()
			.doOnNext(this.received::add)
			.doFinally((signal) -> this.over.countDown())
			.then(Mono.fromFuture(work)))) {
			sendAndLeave(server, Moment.HANDLER, Leave.FIN);
			TestServer.await("the lines", () -> assertThat(this.over.getCount()).isZero());
			TestServer.await("the slot", () -> assertThat(server.slotsInUse()).isZero());
			CompletableFuture<?> stop = beginDrain(server);
			assertThat(stop).isNotDone();
			work.complete(null);
			assertThat(stop).succeedsWithin(Duration.ofSeconds(30));
			assertThat(this.received).hasSize(20);
		}
	}

	@Test
	void aDrainDoesNotEndWhatAHandlerReceivesBeforeItHasAddedItsCodecs() {
		Duration quietPeriod = Duration.ofMillis(50);
		CountDownLatch decided = new CountDownLatch(1);
		try (TestServer server = create((connection) -> receive(connection, Moment.CODEC, true),
				(builder) -> builder.shutdownQuietPeriod(quietPeriod))) {
			server.start();
			connectAndSend(server, SENT);
			CompletableFuture<?> stop = beginDrain(server);
			// Runs on the event loop, which has made its decision about a quiet peer by
			// then
			this.tap.openChannels()
				.forEach((channel) -> channel.eventLoop()
					.schedule(decided::countDown, 10 * quietPeriod.toMillis(), TimeUnit.MILLISECONDS));
			TestThreads.await(decided);
			this.left.countDown();
			assertThat(stop).succeedsWithin(Duration.ofSeconds(30));
			assertThat(this.received).containsExactlyElementsOf(SENT.lines().toList());
		}
	}

	private TestServer create(ConnectionHandler handler) {
		return create(handler, UnaryOperator.identity());
	}

	private TestServer create(ConnectionHandler handler, UnaryOperator<CallosumServer.Builder> customizer) {
		return TestServer.create(this.link,
				(builder) -> customizer.apply(builder.customizer(this.tap)
					.completionTimeout(LONG)
					.connectionHandler(handler)
					.listenerExecutor(this.executor)));
	}

	/**
	 * What comes next when the peer leaves.
	 */
	enum Moment {

		HANDLER, CLAIM, CODEC, SUBSCRIPTION

	}

	/**
	 * Whether and where lines are decoded.
	 */
	enum Decoder {

		NONE, OF_HANDLER, OF_CUSTOMIZER

	}

	record Case(Moment moment, Leave leave, Decoder decoder) {
	}

	/**
	 * Requests nothing by itself.
	 */
	private static final class IdleSubscriber extends BaseSubscriber<String> {

		private final CountDownLatch subscribed = new CountDownLatch(1);

		private final AtomicInteger received = new AtomicInteger();

		private final CompletableFuture<Throwable> failure = new CompletableFuture<>();

		private final Sinks.Empty<Void> done = Sinks.empty();

		@Override
		protected void hookOnSubscribe(Subscription subscription) {
			this.subscribed.countDown();
		}

		@Override
		protected void hookOnNext(String line) {
			this.received.incrementAndGet();
		}

		@Override
		protected void hookOnError(Throwable error) {
			this.failure.complete(error);
		}

		@Override
		protected void hookFinally(SignalType signal) {
			this.done.tryEmitEmpty();
		}

	}

}
