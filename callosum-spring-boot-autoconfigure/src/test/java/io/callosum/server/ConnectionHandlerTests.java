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
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.channels.ClosedChannelException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.LengthFieldPrepender;
import io.netty.handler.codec.LineBasedFrameDecoder;
import io.netty.handler.codec.MessageToByteEncoder;
import io.netty.handler.codec.TooLongFrameException;
import io.netty.handler.traffic.ChannelTrafficShapingHandler;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.reactivestreams.Publisher;
import org.reactivestreams.Subscriber;
import org.reactivestreams.Subscription;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Schedulers;
import reactor.netty.Connection;
import reactor.netty.ConnectionObserver;
import reactor.netty.NettyOutbound;
import reactor.netty.channel.ChannelOperations;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for the owner of each connection's bytes, and for how the end of the owner ends
 * the connection.
 */
@ParameterizedClass
@EnumSource
class ConnectionHandlerTests {

	private static final byte[] EIGHT_MEGABYTES = Payload.of(8_000_000);

	/**
	 * How long the server discards what still arrives from a peer that has been sent
	 * everything.
	 */
	private static final Duration LINGER = Duration.ofSeconds(1);

	@AutoClose("shutdownNow")
	private final ExecutorService executor = Executors.newCachedThreadPool();

	private final WireTap tap = new WireTap();

	@Parameter
	Transport transport;

	@Test
	void aHandlerThatCompletesHasAllThatItWroteDelivered() {
		try (TestServer server = create(writing(EIGHT_MEGABYTES)).start()) {
			TestClient client = server.connect();
			assertThat(client.readSlot()).isZero();
			Payload.verify(client.readAll(), EIGHT_MEGABYTES);
			verifyEnd(server, EndReason.HANDLER_COMPLETED);
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
		}
	}

	@Test
	void aHandlerThatCompletesWithoutWaitingForItsWritesHasThemDelivered() {
		try (TestServer server = create((connection) -> {
			connection.outbound().sendByteArray(Mono.just(EIGHT_MEGABYTES)).then().subscribe(null, (ex) -> {
			});
			return Mono.empty();
		}).start()) {
			TestClient client = server.connect();
			assertThat(client.readSlot()).isZero();
			Payload.verify(client.readAll(), EIGHT_MEGABYTES);
			verifyEnd(server, EndReason.HANDLER_COMPLETED);
		}
	}

	@Test
	void aCodecOfTheHandlerIsGivenNothingToEncodeAtTheEnd() {
		try (TestServer server = create((connection) -> connection.outbound()
			.withConnection((netty) -> netty.addHandlerLast(new LengthFieldPrepender(1)))
			.sendString(Mono.just("answer"))
			.then()).start()) {
			TestClient client = server.connect();
			assertThat(client.readSlot()).isZero();
			assertThat(client.readAll()).asString(StandardCharsets.US_ASCII).isEqualTo("\006answer");
		}
	}

	@Test
	void aCodecOfTheHandlerThatEncodesAnythingIsGivenNothingElseAtTheEnd() {
		MessageToByteEncoder<Object> encoder = new MessageToByteEncoder<>() {

			@Override
			protected void encode(ChannelHandlerContext ctx, Object message, ByteBuf out) {
				out.writeCharSequence("<" + message.getClass().getSimpleName() + ">", StandardCharsets.US_ASCII);
			}

		};
		try (TestServer server = create((connection) -> connection.outbound()
			.withConnection((netty) -> netty.addHandlerLast(encoder))
			.sendObject("answer")
			.then()).start()) {
			TestClient client = server.connect();
			assertThat(client.readSlot()).isZero();
			assertThat(client.readAll()).asString(StandardCharsets.US_ASCII).isEqualTo("<String>");
		}
	}

	@Test
	void whatIsQueuedByAHandlerIsWrittenBeforeTheEnd() {
		try (TestServer server = create((connection) -> {
			connection.outbound().withConnection((netty) -> {
				netty.addHandlerLast(new ChannelTrafficShapingHandler(200_000, 0));
				netty.channel().writeAndFlush(Unpooled.wrappedBuffer(new byte[100_000]));
				netty.channel().writeAndFlush(Unpooled.wrappedBuffer(new byte[100_000]));
			});
			return Mono.empty();
		}).start()) {
			TestClient client = server.connect();
			assertThat(client.readSlot()).isZero();
			assertThat(client.readAll()).hasSize(200_000);
		}
	}

	@Test
	void aPeerWhoseBytesTheHandlersCodecDoesNotUnderstandEarnsNoStackTrace() {
		try (TestServer server = create((connection) -> connection.inbound()
			.withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(10)))
			.receive()
			.then()).start()) {
			TestClient client = server.connect();
			assertThat(client.readSlot()).isZero();
			client.send("more than ten characters\n");
			assertThat(client.readAll()).isEmpty();
			TestServer.await("the error", () -> assertThat(server.events().of(ServerErrorEvent.class)).singleElement()
				.satisfies((event) -> assertThat(event.getError()).isInstanceOf(TooLongFrameException.class)));
			assertThat(server.warnings()).singleElement()
				.asString()
				.contains("TooLongFrameException")
				.doesNotEndWith("]");
		}
	}

	@Test
	void aCodecIsGivenNothingToEncodeWhenTheServerDrains() {
		try (TestServer server = TestServer.create(this.transport)) {
			server.events()
				.on(ConnectionEvent.class,
						(event) -> event.getConnection()
							.outbound()
							.withConnection((netty) -> netty.addHandlerLast(new LengthFieldPrepender(1))));
			server.start();
			TestClient client = server.connect();
			assertThat(client.readSlot()).isZero();
			server.server().stop(Duration.ofSeconds(30));
			assertThat(client.readAll()).isEmpty();
		}
	}

	@Test
	void aHandlerThatClaimsTheBytesWhileTheServerDrainsSeesTheirEnd() {
		Sinks.Empty<Void> stopping = Sinks.empty();
		try (TestServer server = TestServer.create(this.transport,
				(builder) -> builder.shutdownQuietPeriod(Duration.ofMillis(100))
					.connectionHandler((connection) -> stopping.asMono()
						.then(Mono.delay(Duration.ofMillis(500)))
						.thenMany(Flux.defer(() -> connection.inbound().receive()))
						.then()))) {
			server.events().on(ServerStoppingEvent.class, (event) -> stopping.tryEmitEmpty());
			server.start();
			TestClient client = server.connect();
			assertThat(client.readSlot()).isZero();
			Awaitility.await("handler").until(() -> stopping.currentSubscriberCount() == 1);
			server.server().stop(Duration.ofSeconds(30));
			verifyEnd(server, EndReason.HANDLER_COMPLETED);
		}
	}

	@Test
	void aPeerThatIsStillSendingGetsAllThatWasWrittenToo() {
		try (TestServer server = create(writing(EIGHT_MEGABYTES)).start()) {
			int late = 0;
			for (int round = 0; round < 20 + late; round++) {
				TestClient client = server.connect();
				AtomicBoolean over = new AtomicBoolean();
				CompletableFuture<?> sender = CompletableFuture.runAsync(() -> {
					byte[] chunk = new byte[10_000];
					while (!over.get()) {
						client.send(chunk);
					}
				}, this.executor);
				client.readSlot();
				long start = System.nanoTime();
				byte[] received = readToTheEnd(client);
				if (received.length < EIGHT_MEGABYTES.length && System.nanoTime() - start > LINGER.toNanos()
						&& late < 5) {
					// This machine was too busy while the server lingered
					late++;
				}
				else {
					Payload.verify(received, EIGHT_MEGABYTES);
				}
				over.set(true);
				client.close();
				sender.exceptionally((ex) -> null).join();
			}
		}
	}

	private static byte[] readToTheEnd(TestClient client) {
		ByteArrayOutputStream received = new ByteArrayOutputStream();
		try {
			client.socket().getInputStream().transferTo(received);
		}
		catch (IOException ex) {
			// What was received before the error counts
		}
		return received.toByteArray();
	}

	@Test
	void aPeerThatReadsSlowlyGetsAllThatWasWrittenToo() throws Exception {
		try (TestServer server = create(writing(EIGHT_MEGABYTES)).start()) {
			Socket socket = new Socket();
			socket.setReceiveBufferSize(16 * 1024);
			try (TestClient client = new TestClient(server.server().address(), socket)) {
				client.readSlot();
				byte[] first = client.read(1000);
				// Well beyond the time for which the server discards what a peer sends
				Mono.delay(Duration.ofMillis(1500)).block();
				assertThat(server.events().of(SlotFreeEvent.class)).isEmpty();
				byte[] rest = client.readAll();
				byte[] all = Arrays.copyOf(first, first.length + rest.length);
				System.arraycopy(rest, 0, all, first.length, rest.length);
				Payload.verify(all, EIGHT_MEGABYTES);
			}
			verifyEnd(server, EndReason.HANDLER_COMPLETED);
		}
	}

	@Test
	void aPeerThatIgnoresTheEndIsClosedAfterASecond() {
		verifyEndAfterCompletion((client) -> {
		}, Duration.ofMillis(800), Duration.ofSeconds(5));
	}

	@Test
	void aPeerThatTakesTheEndIsClosedAtOnce() {
		verifyEndAfterCompletion(TestClient::close, Duration.ZERO, Duration.ofMillis(800));
	}

	/**
	 * Check how much time passes between signalling the end to the peer and closing the
	 * connection. This machine may be late, but not every time.
	 */
	private void verifyEndAfterCompletion(Consumer<TestClient> peer, Duration shortest, Duration longest) {
		try (TestServer server = create((connection) -> Mono.empty()).start()) {
			TestServer.await("an end in time", () -> {
				int before = server.events().of(SlotFreeEvent.class).size();
				TestClient client = server.connect();
				client.readSlot();
				assertThat(client.read()).isEqualTo(-1);
				long end = System.nanoTime();
				peer.accept(client);
				TestServer.await("the end",
						() -> assertThat(server.events().of(SlotFreeEvent.class)).hasSize(before + 1));
				assertThat(Duration.ofNanos(System.nanoTime() - end)).isBetween(shortest, longest);
			});
			assertThat(server.events().of(SlotFreeEvent.class)).extracting(SlotFreeEvent::getReason)
				.containsOnly(EndReason.HANDLER_COMPLETED);
		}
	}

	@Test
	void whatStillComesAfterTheEndIsDiscarded() {
		List<String> received = new CopyOnWriteArrayList<>();
		CompletableFuture<?> end = new CompletableFuture<>();
		try (TestServer server = create((connection) -> {
			connection.inbound().receive().asString().subscribe(received::add);
			return Mono.fromFuture(end).then();
		}).start()) {
			TestClient client = server.connect().send("before");
			client.readSlot();
			TestServer.await("what came before", () -> assertThat(String.join("", received)).isEqualTo("before"));
			end.complete(null);
			assertThat(client.read()).isEqualTo(-1);
			client.send("after");
			this.tap.awaitBytesRead(11);
			client.close();
			verifyEnd(server, EndReason.HANDLER_COMPLETED);
			assertThat(String.join("", received)).isEqualTo("before");
		}
	}

	@ParameterizedTest
	@EnumSource
	void aHandlerThatFailsHasItsConnectionClosedAndIsReportedOnce(Failure failure) {
		verifyReported(failure, null);
	}

	@ParameterizedTest
	@EnumSource
	void aHandlerThatFailsOnAnExecutorHasItsConnectionClosedAndIsReportedOnce(Failure failure) {
		verifyReported(failure, this.executor);
	}

	private void verifyReported(Failure failure, ExecutorService listenerExecutor) {
		try (TestServer server = create(failure, (builder) -> builder.listenerExecutor(listenerExecutor)).start()) {
			TestClient client = server.connect();
			client.readSlot();
			client.send("go");
			assertThat(client.read()).isEqualTo(-1);
			verifyEnd(server, EndReason.HANDLER_FAILED);
			TestServer.await("the error", () -> assertThat(server.events().of(ServerErrorEvent.class)).isNotEmpty());
			client.close();
			server.server().stop();
			assertThat(server.events().of(ServerErrorEvent.class)).singleElement().satisfies((event) -> {
				assertThat(event.getError()).isInstanceOf(failure.expected);
				assertThat(event.getConnectionId()).isEqualTo("c1");
			});
		}
	}

	@Test
	void aFailureOfOneConnectionDoesNotHarmAnother() {
		AtomicInteger count = new AtomicInteger();
		try (TestServer server = create((connection) -> {
			if (count.getAndIncrement() == 1) {
				throw new StackOverflowError();
			}
			return connection.outbound().send(connection.inbound().receive().retain()).then();
		}, (builder) -> builder.workerThreads(1)).start()) {
			TestClient first = server.connect();
			first.readSlot();
			TestClient second = server.connect();
			second.readSlot();
			assertThat(second.read()).isEqualTo(-1);
			assertThat(first.send("abc").read(3)).asString().isEqualTo("abc");
			TestClient third = server.connect();
			assertThat(third.readSlot()).isOne();
			assertThat(third.send("def").read(3)).asString().isEqualTo("def");
		}
	}

	@Test
	void anErrorOfAnotherConnectionThatTheHandlerUsesIsReported() {
		try (TestServer server = create((connection) -> connection.inbound()
			.receive()
			.take(1)
			.then(Mono.error(new IOException("Connection reset by peer")))).start()) {
			TestClient client = server.connect();
			client.readSlot();
			assertThat(client.send("go").read()).isEqualTo(-1);
			verifyEnd(server, EndReason.HANDLER_FAILED);
			TestServer.await("the error", () -> assertThat(server.events().of(ServerErrorEvent.class)).hasSize(1));
		}
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void theResetOfThePeerIsNoErrorOfItsHandler(boolean onExecutor) {
		try (TestServer server = create((connection) -> connection.inbound().receive().then(),
				(builder) -> builder.listenerExecutor(onExecutor ? this.executor : null))
			.start()) {
			TestClient client = server.connect();
			client.readSlot();
			TestServer.await("the connection", () -> assertThat(server.server().connections()).hasSize(1));
			client.reset();
			verifyEnd(server, EndReason.PEER_RESET);
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
			assertThat(server.warnings()).isEmpty();
		}
	}

	@Test
	void aHandlerThatWritesWhenItsPeerHasLeftIsNotTakenForFailed() {
		AtomicBoolean written = new AtomicBoolean();
		verifyNotTakenForFailed((connection) -> {
			// Assembled while the peer is still connected
			Publisher<Void> answer = connection.outbound().send(Mono.fromSupplier(() -> {
				written.set(true);
				return Unpooled.wrappedBuffer(new byte[1]);
			}));
			return () -> answer;
		});
		assertThat(written).isTrue();
	}

	@Test
	void aHandlerThatBeginsToWriteJustAsItsPeerLeavesIsNotTakenForFailed() {
		AtomicReference<Throwable> thrown = new AtomicReference<>();
		verifyNotTakenForFailed((connection) -> () -> {
			// What the handler meets in this case, which no test can time: a channel that
			// was active when checked, but whose pipeline is empty a moment later
			NettyOutbound outbound = new ChannelOperations<>(Connection.from(new EmbeddedChannel()),
					ConnectionObserver.emptyListener());
			try {
				return outbound.send(Flux.never());
			}
			catch (RuntimeException ex) {
				thrown.set(ex);
				throw ex;
			}
		});
		assertThat(thrown.get()).isInstanceOf(NullPointerException.class);
	}

	@Test
	void thePeerHasClosedAlsoWhereTheHandlersErrorIsTheFirstToTellOfIt() {
		CompletableFuture<?> called = new CompletableFuture<>();
		CountDownLatch failed = new CountDownLatch(1);
		try (TestServer server = create((connection) -> {
			called.complete(null);
			TestServer.await("the end", () -> assertThat(this.tap.openChannels()).isEmpty());
			return Mono.<Void>error(new ClosedChannelException()).doFinally((signal) -> failed.countDown());
		}, (builder) -> builder.listenerExecutor(this.executor)
			.customizer(
					(tcpServer) -> tcpServer.doOnChannelInit((observer, channel, remoteAddress) -> channel.closeFuture()
						// Runs before the server learns of the end, and after the tap did
						.addListener((closed) -> failed.await(30, TimeUnit.SECONDS)))))
			.start()) {
			TestClient client = server.connect();
			client.readSlot();
			called.join();
			client.close();
			verifyEnd(server, EndReason.PEER_CLOSED);
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
			assertThat(server.warnings()).isEmpty();
		}
	}

	/**
	 * Check that no error is reported for a handler whose peer leaves in the meantime.
	 * @param handler called while the peer is connected; the supplier that it returns is
	 * called when the connection has ended
	 */
	private void verifyNotTakenForFailed(Function<CallosumConnection, Supplier<Publisher<Void>>> handler) {
		CompletableFuture<?> called = new CompletableFuture<>();
		try (TestServer server = create((connection) -> {
			Supplier<Publisher<Void>> answer = handler.apply(connection);
			called.complete(null);
			TestServer.await("the end", () -> assertThat(this.tap.openChannels()).isEmpty());
			return answer.get();
		}, (builder) -> builder.listenerExecutor(this.executor)).start()) {
			TestClient client = server.connect();
			client.readSlot();
			called.join();
			client.close();
			verifyEnd(server, EndReason.PEER_CLOSED);
			server.verifyNothingLeft();
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
			assertThat(server.warnings()).isEmpty();
		}
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void thePublisherIsCancelledWhenTheConnectionIsGone(boolean onExecutor) {
		AtomicInteger cancelled = new AtomicInteger();
		CompletableFuture<?> subscribed = new CompletableFuture<>();
		try (TestServer server = create(
				(connection) -> Mono.<Void>never()
					.doOnSubscribe((subscription) -> subscribed.complete(null))
					.doOnCancel(cancelled::incrementAndGet),
				(builder) -> builder.listenerExecutor(onExecutor ? this.executor : null))
			.start()) {
			TestClient client = server.connect();
			client.readSlot();
			subscribed.join();
			client.close();
			TestServer.await("the cancellation", () -> assertThat(cancelled).hasValue(1));
			server.verifyNothingLeft();
			assertThat(cancelled).hasValue(1);
		}
	}

	@Test
	void aPublisherThatHasCompletedIsNotCancelled() {
		AtomicInteger cancelled = new AtomicInteger();
		try (TestServer server = create((connection) -> Mono.<Void>empty().doOnCancel(cancelled::incrementAndGet))
			.start()) {
			TestClient client = server.connect();
			client.readSlot();
			assertThat(client.read()).isEqualTo(-1);
			client.close();
			server.verifyNothingLeft();
			assertThat(cancelled).hasValue(0);
		}
	}

	@Test
	void aCancelHookThatThrowsHarmsNothing() {
		try (TestServer server = create((connection) -> (subscriber) -> subscriber.onSubscribe(new Subscription() {

			@Override
			public void request(long n) {
			}

			@Override
			public void cancel() {
				throw new IllegalStateException("cancel");
			}

		})).start()) {
			TestClient client = server.connect();
			client.readSlot();
			client.close();
			verifyEnd(server, EndReason.PEER_CLOSED);
			server.verifyNothingLeft();
			server.server().stop();
			assertThat(server.events().of(ServerErrorEvent.class)).singleElement()
				.extracting((event) -> event.getError().getMessage())
				.isEqualTo("cancel");
		}
	}

	@Test
	void aHandlerMayCompleteOnAnotherThread() {
		try (TestServer server = create((connection) -> connection.outbound()
			.sendString(Flux.just("a", "b", "c"))
			.then()
			.publishOn(Schedulers.boundedElastic())).start()) {
			TestClient client = server.connect();
			assertThat(client.readAll()).asString().isEqualTo("0\r\nabc");
			client.close();
			verifyEnd(server, EndReason.HANDLER_COMPLETED);
		}
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void aHandlerThatCompletesAtOnceEndsItsConnection(boolean onExecutor) {
		try (TestServer server = create((connection) -> Mono.empty(),
				(builder) -> builder.listenerExecutor(onExecutor ? this.executor : null))
			.start()) {
			for (int i = 0; i < 100; i++) {
				TestClient client = server.connect();
				assertThat(client.readAll()).asString().matches("[0-9]+\r\n");
				client.close();
			}
			server.verifyNothingLeft();
			assertThat(server.events().of(SlotFreeEvent.class)).hasSize(100)
				.allSatisfy((event) -> assertThat(event.getReason()).isEqualTo(EndReason.HANDLER_COMPLETED));
		}
	}

	@Test
	void aConnectionWhoseHandlerNeverCompletesStaysOpen() {
		try (TestServer server = create((connection) -> Mono.never()).start()) {
			TestClient client = server.connect();
			client.readSlot();
			client.send("abc");
			this.tap.awaitBytesRead(3);
			assertThat(server.server().connections()).hasSize(1);
			client.close();
			verifyEnd(server, EndReason.PEER_CLOSED);
		}
	}

	@Test
	void closeDropsWhatIsNotFlushedAlsoWhereThePeerNeverReads() {
		CompletableFuture<CallosumConnection> connection = new CompletableFuture<>();
		try (TestServer server = create((accepted) -> {
			accepted.outbound().sendByteArray(Mono.just(new byte[64_000_000])).then().subscribe(null, (ex) -> {
			});
			connection.complete(accepted);
			return Mono.never();
		}).start()) {
			TestClient client = server.connect();
			connection.join();
			long start = System.nanoTime();
			connection.join().close();
			verifyEnd(server, EndReason.APPLICATION_CLOSED);
			assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(20));
			assertThat(this.tap.openChannels()).isEmpty();
			client.readSlot();
			assertThat(client.readAll().length).isLessThan(64_000_000);
		}
	}

	@Test
	void closeEndsAConnectionThatIsBeingFinished() {
		CompletableFuture<CallosumConnection> connection = new CompletableFuture<>();
		try (TestServer server = create((accepted) -> {
			connection.complete(accepted);
			accepted.outbound().sendByteArray(Mono.just(new byte[64_000_000])).then().subscribe(null, (ex) -> {
			});
			return Mono.empty();
		}).start()) {
			TestClient client = server.connect();
			client.readSlot();
			connection.join().close();
			TestServer.await("the end", () -> assertThat(this.tap.openChannels()).isEmpty());
			client.close();
		}
	}

	@Test
	void onCloseCompletesWhenTheConnectionIsGone() {
		CompletableFuture<?> closed = new CompletableFuture<>();
		try (TestServer server = create((connection) -> {
			connection.onClose().subscribe(null, closed::completeExceptionally, () -> closed.complete(null));
			return Mono.never();
		}).start()) {
			TestClient client = server.connect();
			client.readSlot();
			TestServer.await("the connection", () -> assertThat(server.server().connections()).hasSize(1));
			assertThat(closed).isNotDone();
			client.close();
			assertThat(closed).succeedsWithin(Duration.ofSeconds(30));
		}
	}

	@Test
	void theHandlerIsCalledAfterTheListenersHaveReturned() {
		List<String> order = new CopyOnWriteArrayList<>();
		try (TestServer server = create((connection) -> {
			order.add("handler");
			return Mono.empty();
		})) {
			server.events().on(ConnectionEvent.class, (event) -> order.add("first"));
			server.events().on(ConnectionEvent.class, (event) -> order.add("second"));
			server.events().on(SlotFreeEvent.class, (event) -> order.add("free"));
			server.start();
			server.connect().readAll();
			TestServer.await("the end", () -> assertThat(order).containsExactly("first", "second", "handler", "free"));
		}
	}

	@Test
	void theConnectionTellsWhoIsOnIt() throws Exception {
		CompletableFuture<CallosumConnection> connection = new CompletableFuture<>();
		try (TestServer server = create((accepted) -> {
			accepted.attributes().put("key", "value");
			connection.complete(accepted);
			return Mono.never();
		}).start()) {
			TestClient client = server.connect();
			client.readSlot();
			CallosumConnection accepted = connection.get();
			assertThat(accepted.slot()).isZero();
			assertThat(accepted.id()).isEqualTo("c1");
			assertThat(accepted.remoteAddress()).isEqualTo(client.socket().getLocalSocketAddress());
			assertThat(((InetSocketAddress) accepted.localAddress()).getPort()).isEqualTo(client.socket().getPort());
			assertThat(accepted.sslSession()).isNull();
			assertThat(accepted.attributes()).containsEntry("key", "value");
			client.close();
			server.verifyNothingLeft();
			// The addresses outlive the connection
			assertThat(((InetSocketAddress) accepted.remoteAddress()).getPort()).isPositive();
			assertThat(accepted)
				.hasToString("CallosumConnection[id=c1, slot=0, remoteAddress=" + accepted.remoteAddress() + "]");
		}
	}

	private static ConnectionHandler writing(byte[] bytes) {
		return (connection) -> connection.outbound().sendByteArray(Mono.just(bytes)).then();
	}

	private static void verifyEnd(TestServer server, EndReason reason) {
		TestServer.await("the end",
				() -> assertThat(server.events().of(SlotFreeEvent.class)).singleElement()
					.extracting(SlotFreeEvent::getReason)
					.isEqualTo(reason));
	}

	private TestServer create(ConnectionHandler handler) {
		return create(handler, UnaryOperator.identity());
	}

	private TestServer create(ConnectionHandler handler, UnaryOperator<CallosumServer.Builder> customizer) {
		return TestServer.create(this.transport,
				(builder) -> customizer.apply(builder.customizer(this.tap).connectionHandler(handler)));
	}

	/**
	 * How a handler fails.
	 */
	enum Failure implements ConnectionHandler {

		THROWS(IllegalArgumentException.class) {
			@Override
			public Publisher<Void> handle(CallosumConnection connection) {
				throw new IllegalArgumentException("throws");
			}
		},

		THROWS_AN_ERROR(StackOverflowError.class) {
			@Override
			public Publisher<Void> handle(CallosumConnection connection) {
				throw new StackOverflowError();
			}
		},

		RETURNS_NULL(IllegalStateException.class) {
			@Override
			@SuppressWarnings("NullAway")
			public Publisher<Void> handle(CallosumConnection connection) {
				return null;
			}
		},

		FAILS_AT_ONCE(IllegalArgumentException.class) {
			@Override
			public Publisher<Void> handle(CallosumConnection connection) {
				return Mono.error(new IllegalArgumentException("fails"));
			}
		},

		FAILS_LATER(IllegalArgumentException.class) {
			@Override
			public Publisher<Void> handle(CallosumConnection connection) {
				return connection.inbound()
					.receive()
					.take(1)
					.then(Mono.error(() -> new IllegalArgumentException("later")));
			}
		},

		FAILS_ON_ANOTHER_THREAD(IllegalArgumentException.class) {
			@Override
			public Publisher<Void> handle(CallosumConnection connection) {
				return Mono.delay(Duration.ofMillis(20)).then(Mono.error(new IllegalArgumentException("elsewhere")));
			}
		},

		OVERFLOWS_ON_SUBSCRIBE(StackOverflowError.class) {
			@Override
			public Publisher<Void> handle(CallosumConnection connection) {
				return (subscriber) -> {
					throw new StackOverflowError();
				};
			}
		},

		OVERFLOWS_IN_AN_OPERATOR(StackOverflowError.class) {
			@Override
			public Publisher<Void> handle(CallosumConnection connection) {
				return Mono.defer(() -> {
					throw new StackOverflowError();
				});
			}
		},

		FAILS_TWICE(IllegalArgumentException.class) {
			@Override
			public Publisher<Void> handle(CallosumConnection connection) {
				return (Subscriber<? super Void> subscriber) -> {
					subscriber.onError(new IllegalArgumentException("first"));
					subscriber.onError(new IllegalArgumentException("second"));
					subscriber.onComplete();
				};
			}
		};

		private final Class<? extends Throwable> expected;

		Failure(Class<? extends Throwable> expected) {
			this.expected = expected;
		}

	}

}
