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
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;

import ch.qos.logback.classic.Level;
import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.LineBasedFrameDecoder;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Schedulers;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for what a handler may do with what its peer had sent before leaving.
 */
@ParameterizedClass
@EnumSource
class HandlerCompletionTests {

	private static final int LINES = 20;

	private static final Duration LONG = Duration.ofHours(1);

	private static final Duration SHORT = Duration.ofMillis(300);

	private final ExecutorService executor = Executors.newCachedThreadPool();

	private final WireTap tap = new WireTap();

	private final List<String> stored = new CopyOnWriteArrayList<>();

	private final CountDownLatch atWork = new CountDownLatch(1);

	/**
	 * Lets the handlers continue their work.
	 */
	private final CountDownLatch gate = new CountDownLatch(1);

	private final AtomicInteger cancelled = new AtomicInteger();

	@Parameter
	Link link;

	@AfterEach
	void shutDown() {
		this.gate.countDown();
		this.executor.shutdownNow();
	}

	static Stream<Case> cases() {
		return Stream.of(Work.values())
			.flatMap((work) -> Stream.of(Leave.values())
				.flatMap((leave) -> Stream.of(new Case(work, leave, false), new Case(work, leave, true))));
	}

	@ParameterizedTest
	@MethodSource("cases")
	void whatAPeerHasSentBeforeItLeftIsProcessed(Case given) {
		try (TestServer server = create((connection) -> given.work.handle(this, connection), given.onExecutor)) {
			sendAndLeave(server.start(), given.leave);
			verifyProcessed(server);
		}
	}

	@ParameterizedTest
	@EnumSource
	void whatAPeerHasSentToAListenerThatAnswersIsProcessed(Leave leave) {
		try (TestServer server = create(null, false)) {
			server.events()
				.on(ConnectionEvent.class,
						(event) -> Mono.from(Work.ANSWERS.handle(this, event.getConnection())).subscribe());
			sendAndLeave(server.start(), leave);
			verifyProcessed(server);
		}
	}

	private void verifyProcessed(TestServer server) {
		this.gate.countDown();
		TestServer.await("all lines", () -> assertThat(this.stored)
			.containsExactlyElementsOf(IntStream.range(0, LINES).mapToObj((line) -> "line " + line).toList()));
		server.verifyNothingLeft();
		assertThat(this.cancelled).hasValue(0);
		assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
		assertThat(server.warnings()).isEmpty();
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void aHandlerThatNeverCompletesIsCancelledAtTheTimeout(boolean onExecutor) {
		verifyTimedOut((connection) -> connection.inbound().receive().then(Mono.never()), onExecutor);
	}

	@Test
	void aHandlerThatClaimsAndNeverSubscribesIsCancelledAtTheTimeout() {
		verifyTimedOut((connection) -> {
			connection.inbound();
			return Mono.never();
		}, false);
	}

	@Test
	void aHandlerThatStopsToAskWhileMoreIsThereIsCancelledAtTheTimeout() {
		verifyTimedOut((connection) -> lines(connection).concatMap((line) -> Mono.never(), 1).then(), false);
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void aHandlerThatPushesForEverIsCancelledAtTheTimeout(boolean onExecutor) {
		AtomicInteger ticking = new AtomicInteger();
		Flux<String> ticks = Flux.interval(Duration.ofMillis(1))
			.onBackpressureDrop()
			.map((tick) -> "tick " + tick)
			.doOnSubscribe((subscription) -> ticking.incrementAndGet())
			.doOnCancel(ticking::decrementAndGet);
		verifyTimedOut((connection) -> {
			connection.inbound().receive().subscribe(null, (error) -> {
			});
			return connection.outbound().sendString(ticks).then();
		}, onExecutor);
		assertThat(ticking).hasValue(0);
	}

	@Test
	void aHandlerThatPushesAsFastAsItCanDoesNotHoldItsEventLoop() {
		Flux<String> flood = Flux.generate((sink) -> sink.next("flood"));
		AtomicInteger handled = new AtomicInteger();
		try (TestServer server = create((connection) -> {
			connection.inbound().receive().subscribe(null, (error) -> {
			});
			return (handled.getAndIncrement() == 0)
					? connection.outbound().sendString(flood).then().doOnCancel(this.cancelled::incrementAndGet)
					: Mono.empty();
		}, false, (builder) -> builder.workerThreads(1).completionTimeout(Duration.ofSeconds(1)))) {
			server.start();
			TestClient client = server.connect();
			client.readSlot();
			client.reset();
			server.awaitConnections(0);
			for (int i = 0; i < 10; i++) {
				assertThat(server.connect().readSlot()).isZero();
				server.closeClients();
				server.awaitConnections(0);
			}
			TestServer.await("the cancellation", () -> assertThat(this.cancelled).hasValue(1));
		}
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void aHandlerThatWritesOneMessageAfterAnotherDoesNotHoldItsEventLoop(boolean single) {
		AtomicInteger handled = new AtomicInteger();
		try (TestServer server = create((connection) -> {
			connection.inbound().receive().subscribe(null, (error) -> {
			});
			Publisher<String> message = single ? Mono.just("flood") : Flux.just("flood");
			return (handled.getAndIncrement() == 0) ? Mono.defer(() -> connection.outbound().sendString(message).then())
				.repeat()
				.then()
				.doOnCancel(this.cancelled::incrementAndGet) : Mono.empty();
		}, false, (builder) -> builder.workerThreads(1).completionTimeout(Duration.ofSeconds(1)))) {
			server.start();
			TestClient client = server.connect();
			client.readSlot();
			client.reset();
			server.awaitConnections(0);
			assertThat(server.connect().readSlot()).isZero();
			server.closeClients();
			TestServer.await("the cancellation", () -> assertThat(this.cancelled).hasValue(1));
		}
	}

	private void verifyTimedOut(ConnectionHandler handler, boolean onExecutor) {
		CompletableFuture<Long> end = new CompletableFuture<>();
		try (TestServer server = create((connection) -> Mono.from(handler.handle(connection))
			.doOnSubscribe((subscription) -> this.atWork.countDown())
			.doOnCancel(() -> {
				this.cancelled.incrementAndGet();
				end.complete(System.nanoTime());
			}), onExecutor, (builder) -> builder.completionTimeout(SHORT))) {
			long start = System.nanoTime();
			sendAndLeave(server.start(), Leave.FIN);
			assertThat(end).succeedsWithin(Duration.ofSeconds(30));
			assertThat(Duration.ofNanos(end.join() - start)).isBetween(SHORT, Duration.ofSeconds(20));
			server.verifyNothingLeft();
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
			assertThat(server.warnings()).singleElement()
				.asString()
				.contains("connection c1", "300 ms", "callosum.server.completion-timeout");
		}
	}

	@Test
	void aHandlerThatTakesManyMessagesAtATimeMayTakeTheTimeoutForEach() {
		// The handler requests more only after 12 lines, which take several timeouts
		Duration timeout = Duration.ofMillis(400);
		try (TestServer server = create((connection) -> lines(connection)
			.concatMap((line) -> Mono.delay(timeout.dividedBy(4)).doOnSubscribe((subscription) -> {
				this.stored.add(line);
				this.atWork.countDown();
			}), 16)
			.then(), false, (builder) -> builder.completionTimeout(timeout))) {
			sendAndLeave(server.start(), Leave.FIN);
			// Includes lines that had not been delivered when it requested more
			TestServer.await("lines", () -> assertThat(this.stored).hasSizeGreaterThan(12));
		}
	}

	@Test
	void theTimeoutRunsFromWhenEverythingIsDelivered() {
		// Long enough for a busy machine, but shorter than all lines take together
		Duration timeout = Duration.ofSeconds(5);
		try (TestServer server = create((connection) -> lines(connection)
			.concatMap((line) -> Mono.delay(timeout.dividedBy(16)).doOnSubscribe((subscription) -> {
				this.stored.add(line);
				this.atWork.countDown();
			}), 1)
			.then(), false, (builder) -> builder.completionTimeout(timeout))) {
			sendAndLeave(server.start(), Leave.FIN);
			verifyProcessed(server);
		}
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void aHandlerThatHasNotClaimedTheBytesIsCancelledAtOnce(boolean onExecutor) {
		try (TestServer server = create((connection) -> Mono.<Void>never()
			.doOnSubscribe((subscription) -> this.atWork.countDown())
			.doOnCancel(this.cancelled::incrementAndGet), onExecutor)) {
			sendAndLeave(server.start(), Leave.FIN);
			TestServer.await("the cancellation", () -> assertThat(this.cancelled).hasValue(1));
		}
	}

	@Test
	void aHandlerThatHasNotClaimedTheBytesAndPushesForEverIsCancelledAtOnce() {
		Sinks.Many<String> ticks = Sinks.many().multicast().directBestEffort();
		try (TestServer server = create((connection) -> connection.outbound()
			.sendString(ticks.asFlux().doOnSubscribe((subscription) -> this.atWork.countDown()))
			.then(), false)) {
			sendAndLeave(server.start(), Leave.RST);
			TestServer.await("the cancellation", () -> assertThat(ticks.currentSubscriberCount()).isZero());
		}
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void aHandlerWhoseConnectionThisSideClosesIsCancelledAtOnce(boolean onExecutor) {
		try (TestServer server = create((connection) -> Mono.from(Work.STORES.handle(this, connection))
			.doOnCancel(this.cancelled::incrementAndGet), onExecutor)) {
			TestClient client = server.start().connect().send("line 0\n");
			client.readSlot();
			await(this.atWork);
			server.server().connections().forEach(CallosumConnection::close);
			TestServer.await("the cancellation", () -> assertThat(this.cancelled).hasValue(1));
		}
	}

	@Test
	void aHandlerThatWorksOnCountsForTheLimitAlthoughItsSlotIsFree() {
		try (TestServer server = create((connection) -> Work.STORES.handle(this, connection), false,
				(builder) -> builder.maxConnections(1))) {
			sendAndLeave(server.start(), Leave.FIN);
			assertThat(server.connect().isRefused()).isTrue();
			this.gate.countDown();
			TestServer.await("a place", () -> assertThat(server.connect().readLine()).isEqualTo("0\r\n"));
			// The handler of the last connection may still count when its slot is free
			server.expectNobodyNext();
		}
	}

	@Test
	void aGracefulStopWaitsForAHandlerWhosePeerHasLeft() {
		try (TestServer server = create((connection) -> Work.ANSWERS.handle(this, connection), false)) {
			sendAndLeave(server.start(), Leave.FIN);
			CompletableFuture<?> stop = CompletableFuture.runAsync(() -> server.server().stop(Duration.ofMinutes(1)),
					this.executor);
			TestServer.await("the drain", () -> assertThat(server.logged(Level.INFO))
				.anyMatch((line) -> line.contains("Draining 1 connections")));
			assertThat(stop).isNotDone();
			this.gate.countDown();
			assertThat(stop).succeedsWithin(Duration.ofSeconds(30));
			assertThat(this.stored).hasSize(LINES);
		}
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void anImmediateStopCancelsAHandlerWhosePeerHasLeft(boolean onExecutor) {
		try (TestServer server = create((connection) -> Mono.from(Work.STORES.handle(this, connection))
			.doOnCancel(this.cancelled::incrementAndGet), onExecutor)) {
			sendAndLeave(server.start(), Leave.FIN);
			server.server().stop();
			assertThat(this.cancelled).hasValue(1);
		}
	}

	@Test
	void aHandlerThatFailsWhenItsPeerHasLeftIsReported() {
		try (TestServer server = create((connection) -> Mono.from(Work.STORES.handle(this, connection))
			.then(Mono.error(new IllegalStateException("database"))), false)) {
			sendAndLeave(server.start(), Leave.FIN);
			this.gate.countDown();
			TestServer.await("the error", () -> assertThat(server.events().of(ServerErrorEvent.class)).singleElement()
				.satisfies((event) -> assertThat(event.getError()).hasMessage("database")));
		}
	}

	/**
	 * Send lines to a handler that is held up by the first, leave, and wait until the
	 * slot is free.
	 */
	private void sendAndLeave(TestServer server, Leave leave) {
		StringBuilder lines = new StringBuilder();
		for (int i = 0; i < LINES; i++) {
			lines.append("line ").append(i).append('\n');
		}
		TestClient client = server.connect();
		client.readSlot();
		client.send(lines.toString());
		await(this.atWork);
		leave.accept(client);
		TestServer.await("the slot", () -> {
			assertThat(server.events().of(SlotFreeEvent.class)).hasSize(1);
			assertThat(server.server().connections()).isEmpty();
			assertThat(server.slotsInUse()).isZero();
			assertThat(this.tap.openChannels()).isEmpty();
		});
		EndReason reason = server.events().of(SlotFreeEvent.class).get(0).getReason();
		assertThat(reason.isOfPeer()).as("reason " + reason).isTrue();
	}

	private Flux<String> lines(CallosumConnection connection) {
		return connection.inbound()
			.withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(1024)))
			.receive()
			.asString()
			.onErrorComplete(IOException.class);
	}

	private Mono<String> store(String line) {
		return Mono.fromCallable(() -> {
			this.atWork.countDown();
			this.gate.await();
			this.stored.add(line);
			return line + "\n";
		}).subscribeOn(Schedulers.boundedElastic());
	}

	private static void await(CountDownLatch latch) {
		TestServer.await("the handler", () -> assertThat(latch.getCount()).isZero());
	}

	private TestServer create(ConnectionHandler handler, boolean onExecutor) {
		return create(handler, onExecutor, (builder) -> builder.completionTimeout(LONG));
	}

	private TestServer create(ConnectionHandler handler, boolean onExecutor,
			UnaryOperator<CallosumServer.Builder> customizer) {
		return TestServer.create(this.link,
				(builder) -> customizer.apply(builder.customizer(this.tap)
					.completionTimeout(LONG)
					.connectionHandler(handler)
					.listenerExecutor(onExecutor ? this.executor : null)));
	}

	/**
	 * What a handler does with lines.
	 */
	enum Work {

		STORES {
			@Override
			Publisher<Void> handle(HandlerCompletionTests test, CallosumConnection connection) {
				return test.lines(connection).concatMap(test::store).then();
			}
		},

		ANSWERS {
			@Override
			Publisher<Void> handle(HandlerCompletionTests test, CallosumConnection connection) {
				return connection.outbound().sendString(test.lines(connection).concatMap(test::store)).then();
			}
		},

		ANSWERS_ONE_BY_ONE {
			@Override
			Publisher<Void> handle(HandlerCompletionTests test, CallosumConnection connection) {
				return test.lines(connection)
					.concatMap(test::store)
					.concatMap((answer) -> connection.outbound().sendString(Mono.just(answer)).then())
					.then();
			}
		},

		ANSWERS_ONE_BY_ONE_BY_SEVERAL_WRITES {
			@Override
			Publisher<Void> handle(HandlerCompletionTests test, CallosumConnection connection) {
				return test.lines(connection).concatMap(test::store).concatMap((answer) -> {
					ByteBuf buffer = connection.outbound().alloc().buffer();
					buffer.writeCharSequence(answer, StandardCharsets.US_ASCII);
					return connection.outbound()
						.sendString(Flux.just("answer ", "to "))
						.sendObject(buffer)
						.sendString(Flux.just("."))
						.then();
				}).then();
			}
		};

		abstract Publisher<Void> handle(HandlerCompletionTests test, CallosumConnection connection);

	}

	/**
	 * How a peer leaves.
	 */
	enum Leave implements Consumer<TestClient> {

		FIN {
			@Override
			public void accept(TestClient client) {
				client.close();
			}
		},

		HALF_CLOSE {
			@Override
			public void accept(TestClient client) {
				try {
					client.socket().shutdownOutput();
				}
				catch (IOException ex) {
					throw new UncheckedIOException(ex);
				}
			}
		},

		RST {
			@Override
			public void accept(TestClient client) {
				client.reset();
			}
		}

	}

	record Case(Work work, Leave leave, boolean onExecutor) {
	}

}
