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

import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.UnaryOperator;

import io.netty.channel.Channel;
import io.netty.handler.codec.LineBasedFrameDecoder;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

import org.springframework.util.unit.DataSize;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/**
 * Tests for how a server drains before it stops.
 */
@ParameterizedClass
@EnumSource
class ServerDrainTests {

	private static final Duration QUIET_PERIOD = Duration.ofMillis(300);

	private static final Duration LONG = Duration.ofSeconds(60);

	/**
	 * How late a busy machine may be, well below {@link #LONG}.
	 */
	private static final Duration LATE = Duration.ofSeconds(30);

	@AutoClose("shutdownNow")
	private final ExecutorService executor = Executors.newCachedThreadPool();

	private final WireTap tap = new WireTap();

	private final AtomicInteger handled = new AtomicInteger();

	@Parameter
	Transport transport;

	@Test
	void aHandlerThatIsAnsweringWritesItsAnswerWhole() {
		byte[] answer = Payload.of(8_000_000);
		try (TestServer server = create((connection) -> connection.inbound()
			.receive()
			.then(Mono.delay(Duration.ofMillis(500)))
			.then(connection.outbound().sendByteArray(Mono.just(answer)).then())).start()) {
			TestClient client = server.connect().send("request");
			assertThat(client.readSlot()).isZero();
			awaitHandled(1);
			CompletableFuture<Duration> stop = stop(server, LONG);
			Payload.verify(client.readAll(), answer);
			assertThat(stop).succeedsWithin(Duration.ofSeconds(30));
			verifyReasons(server, EndReason.HANDLER_COMPLETED);
		}
	}

	@Test
	void anIdleConnectionEndsAtOnce() {
		try (TestServer server = create((connection) -> connection.inbound().receive().then(),
				(builder) -> builder.shutdownQuietPeriod(LONG))
			.start()) {
			TestClient client = server.connect();
			client.readSlot();
			awaitHandled(1);
			assertThat(stop(server, LONG).join()).isLessThan(LATE);
			assertThat(client.read()).isEqualTo(-1);
			verifyReasons(server, EndReason.HANDLER_COMPLETED);
		}
	}

	@Test
	void thePortRefusesConnectionsMeanwhile() {
		try (TestServer server = create((connection) -> Mono.never()).start()) {
			InetSocketAddress address = server.server().address();
			server.connect().readSlot();
			awaitHandled(1);
			CompletableFuture<Duration> stop = stop(server, LONG);
			TestServer.await("the stop", () -> assertThat(server.events().of(ServerStoppingEvent.class)).hasSize(1));
			assertThatExceptionOfType(ConnectException.class).isThrownBy(() -> {
				try (Socket socket = new Socket()) {
					socket.connect(address);
				}
			});
			assertThat(server.server().isRunning()).isTrue();
			assertThat(stop).isNotDone();
			server.server().stop();
			assertThat(stop).succeedsWithin(LATE);
		}
	}

	@Test
	void aThousandIdleConnectionsEndTogether() {
		try (TestServer server = create((connection) -> connection.inbound().receive().then()).start()) {
			for (int i = 0; i < 1000; i++) {
				server.connect();
			}
			TestServer.await("all", () -> assertThat(server.events().of(ConnectionEvent.class)).hasSize(1000));
			awaitHandled(1000);
			assertThat(stop(server, LONG).join()).isLessThan(QUIET_PERIOD.plus(LATE));
			assertThat(server.events().of(SlotFreeEvent.class)).hasSize(1000);
			assertThat(server.warnings()).isEmpty();
		}
	}

	@Test
	void aThousandIdleConnectionsDoNotKeepTenBusyOnesFromTheirAnswers() {
		byte[] answer = Payload.of(100_000);
		try (TestServer server = create((connection) -> connection.inbound()
			.receive()
			.asByteArray()
			.collectList()
			.filter((request) -> !request.isEmpty())
			.flatMap((request) -> Mono.delay(QUIET_PERIOD.multipliedBy(3))
				.then(connection.outbound().sendByteArray(Mono.just(answer)).then())))
			.start()) {
			for (int i = 0; i < 1000; i++) {
				server.connect();
			}
			List<TestClient> busy = new ArrayList<>();
			for (int i = 0; i < 10; i++) {
				TestClient client = server.connect().send("request");
				client.readSlot();
				busy.add(client);
			}
			awaitHandled(1010);
			this.tap.awaitBytesRead(10 * "request".length());
			CompletableFuture<Duration> stop = stop(server, LONG);
			busy.forEach((client) -> Payload.verify(client.readAll(), answer));
			assertThat(stop).succeedsWithin(LONG);
			assertThat(server.events().of(SlotFreeEvent.class)).hasSize(1010)
				.extracting(SlotFreeEvent::getReason)
				.containsOnly(EndReason.HANDLER_COMPLETED);
		}
	}

	@Test
	void aHandlerThatNeverCompletesIsClosedAtTheTimeout() {
		try (TestServer server = create((connection) -> Mono.never()).start()) {
			server.connect().readSlot();
			awaitHandled(1);
			assertThat(stop(server, Duration.ofMillis(1200)).join()).isBetween(Duration.ofMillis(1200), LATE);
			verifyReasons(server, EndReason.SERVER_STOPPED);
		}
	}

	@Test
	void stopCutsItShort() {
		try (TestServer server = create((connection) -> Mono.never()).start()) {
			server.connect().readSlot();
			awaitHandled(1);
			CompletableFuture<Duration> stop = stop(server, LONG);
			TestServer.await("the stop", () -> assertThat(server.events().of(ServerStoppingEvent.class)).hasSize(1));
			server.server().stop();
			assertThat(stop).succeedsWithin(LATE);
			verifyReasons(server, EndReason.SERVER_STOPPED);
		}
	}

	@Test
	void aConnectionWithoutASlotIsClosedAtOnce() {
		CompletableFuture<Integer> answer = new CompletableFuture<>();
		// The stop must not wait for either of these
		try (TestServer server = create(null, (builder) -> builder.shutdownQuietPeriod(LONG).slotTimeout(LONG))) {
			server.events().on(SlotRequestEvent.class, (event) -> event.assign(Mono.fromFuture(answer, true)));
			server.start();
			TestClient client = server.connect();
			TestServer.await("the request", () -> assertThat(server.events().of(SlotRequestEvent.class)).hasSize(1));
			assertThat(stop(server, LONG).join()).isLessThan(LATE);
			assertThat(client.isRefused()).isTrue();
			answer.complete(0);
			TestServer.await("the slot", () -> verifyReasons(server, EndReason.SERVER_STOPPED));
		}
	}

	@Test
	void aPeerThatDribblesBytesThatAreDiscardedDoesNotDelayTheStop() {
		AtomicBoolean over = new AtomicBoolean();
		try (TestServer server = create(null, (builder) -> builder.shutdownQuietPeriod(LONG)).start()) {
			TestClient client = server.connect();
			client.readSlot();
			CompletableFuture<?> dribble = CompletableFuture.runAsync(() -> {
				while (!over.get()) {
					client.send("x");
					Mono.delay(Duration.ofMillis(50)).block();
				}
			}, this.executor);
			this.tap.awaitBytesRead(2);
			assertThat(stop(server, LONG).join()).isLessThan(LATE);
			over.set(true);
			dribble.exceptionally((ex) -> null).join();
			verifyReasons(server, EndReason.SERVER_STOPPED);
		}
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void clientsThatAskWithoutAPauseAreDrainedAfterTheirAnswer(boolean secure) {
		AtomicInteger processed = new AtomicInteger();
		AtomicInteger answered = new AtomicInteger();
		try (TestServer server = TestServer.create(Link.of(this.transport, secure),
				(builder) -> builder.shutdownQuietPeriod(LONG)
					.customizer(this.tap)
					.connectionHandler(counting((connection) -> answering(connection, processed))))) {
			server.start();
			List<CompletableFuture<?>> clients = new ArrayList<>();
			for (int i = 0; i < 50; i++) {
				TestClient client = server.connect();
				clients.add(CompletableFuture.runAsync(() -> ask(client, answered), this.executor));
			}
			awaitHandled(50);
			TestServer.await("answers", () -> assertThat(answered).hasValueGreaterThan(200));
			assertThat(stop(server, LONG).join()).isLessThan(LATE);
			clients.forEach((client) -> assertThat(client).succeedsWithin(LATE));
			assertThat(answered).hasValue(processed.get());
			assertThat(server.warnings()).isEmpty();
			assertThat(server.events().of(SlotFreeEvent.class)).extracting(SlotFreeEvent::getReason)
				.containsOnly(EndReason.HANDLER_COMPLETED);
		}
	}

	private static void ask(TestClient client, AtomicInteger answered) {
		client.readSlot();
		for (int number = 0;; number++) {
			try {
				client.send("question " + number + "\n");
			}
			catch (UncheckedIOException ex) {
				return;
			}
			String answer = client.readLine();
			if (answer.isEmpty()) {
				client.close();
				return;
			}
			assertThat(answer).isEqualTo("question " + number + "\n");
			answered.incrementAndGet();
		}
	}

	private static Publisher<Void> answering(CallosumConnection connection, AtomicInteger processed) {
		return connection.outbound()
			.sendString(connection.inbound()
				.withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(1024)))
				.receive()
				.asString()
				.concatMap((line) -> Mono.delay(Duration.ofMillis(20)).thenReturn(line + "\n"))
				.doOnNext((answer) -> processed.incrementAndGet()))
			.then();
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void pipelinedRequestsThatHaveComeAreAnswered(boolean secure) {
		AtomicInteger processed = new AtomicInteger();
		try (TestServer server = create(secure, (connection) -> answering(connection, processed),
				(builder) -> builder.shutdownQuietPeriod(LONG))
			.start()) {
			TestClient client = server.connect();
			client.readSlot();
			client.send("one\ntwo\nthree\n");
			awaitReceived(server, 14);
			assertThat(stop(server, LONG).join()).isLessThan(LATE);
			assertThat(client.readAll()).asString().isEqualTo("one\ntwo\nthree\n");
		}
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void aRequestOfWhichAPartHasComeIsAnsweredToo(boolean secure) {
		AtomicInteger processed = new AtomicInteger();
		try (TestServer server = create(secure, (connection) -> answering(connection, processed),
				(builder) -> builder.shutdownQuietPeriod(LONG))
			.start()) {
			TestClient client = server.connect();
			client.readSlot();
			assertThat(client.send("one\n").readLine()).isEqualTo("one\n");
			client.send("tw");
			awaitReceived(server, 6);
			CompletableFuture<Duration> stop = stop(server, LONG);
			TestServer.await("the stop", () -> assertThat(server.events().of(ServerStoppingEvent.class)).hasSize(1));
			client.send("o\n");
			assertThat(client.readAll()).asString().isEqualTo("two\n");
			assertThat(stop.join()).isLessThan(LATE);
		}
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void theEndOfThePhaseIsLoggedAsAWarningWithTheNumberOfConnections(boolean secure) {
		try (TestServer server = create(secure,
				(connection) -> connection.outbound()
					.sendString(connection.inbound()
						.receive()
						.asString()
						.thenMany(Flux.interval(QUIET_PERIOD.dividedBy(10)).onBackpressureDrop())
						.map(String::valueOf))
					.then(),
				UnaryOperator.identity())
			.start()) {
			server.connect().readSlot();
			server.connect().readSlot();
			awaitHandled(2);
			stop(server, Duration.ofSeconds(1)).join();
			assertThat(server.warnings()).singleElement().asString().contains("Closing 2 of 2 connections");
		}
	}

	@Test
	void aConnectionIsToldOfTheStopBeforeItDrains() {
		try (TestServer server = create((connection) -> {
			connection.draining().then(connection.outbound().sendString(Mono.just("bye")).then()).subscribe();
			return connection.inbound().receive().then();
		}).start()) {
			TestClient client = server.connect();
			client.readSlot();
			awaitHandled(1);
			stop(server, LONG).join();
			assertThat(client.readAll()).asString().isEqualTo("bye");
		}
	}

	@Test
	void aConnectionThatAsksDuringTheStopIsToldAtOnce() {
		AtomicReference<CallosumConnection> accepted = new AtomicReference<>();
		AtomicInteger told = new AtomicInteger();
		try (TestServer server = create((connection) -> {
			accepted.set(connection);
			return Mono.never();
		}).start()) {
			server.connect().readSlot();
			awaitHandled(1);
			accepted.get().draining().subscribe(null, null, told::incrementAndGet);
			CompletableFuture<Duration> stop = stop(server, LONG);
			TestServer.await("the stop", () -> assertThat(told).hasValue(1));
			accepted.get().draining().subscribe(null, null, told::incrementAndGet);
			assertThat(told).hasValue(2);
			server.server().stop();
			stop.join();
		}
	}

	@Test
	void aConnectionThatEndsIsNotToldOfAStop() {
		AtomicInteger told = new AtomicInteger();
		try (TestServer server = create((connection) -> {
			connection.draining().subscribe(null, null, told::incrementAndGet);
			return connection.inbound().receive().then();
		}).start()) {
			TestClient client = server.connect();
			client.readSlot();
			awaitHandled(1);
			client.close();
			server.verifyNothingLeft();
			server.server().stop();
			assertThat(told).hasValue(0);
		}
	}

	@Test
	void connectionsWhoseBytesAreDiscardedAreClosedAQuietPeriodBeforeThoseThatAreClaimed() {
		// On one event loop, whose timers fire in order however late they are, provided
		// that all connections begin to drain within one period
		try (TestServer server = create(null,
				(builder) -> builder.workerThreads(1).shutdownQuietPeriod(Duration.ofSeconds(5)))) {
			server.events().on(ConnectionEvent.class, (event) -> {
				if (event.getSlot() % 2 == 0) {
					event.getConnection().inbound().receive().subscribe();
				}
			});
			server.start();
			for (int i = 0; i < 16; i++) {
				server.connect().readSlot();
			}
			TestServer.await("the listeners", () -> assertThat(server.events().of(ConnectionEvent.class)).hasSize(16));
			stop(server, LONG).join();
			assertThat(server.events().of(SlotFreeEvent.class)).extracting((event) -> event.getSlot() % 2)
				.containsExactly(1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0);
		}
	}

	@Test
	void aConnectionThatAListenerHasClaimedIsClosedAfterOneMoreQuietPeriod() {
		Payload.Sink sink = new Payload.Sink();
		List<CallosumConnection> connections = new ArrayList<>();
		try (TestServer server = create(null)) {
			server.events().on(ConnectionEvent.class, (event) -> {
				connections.add(event.getConnection());
				receiveAndAnswerLast(event.getConnection(), sink);
			});
			server.start();
			TestClient client = server.connect().send("request");
			client.readSlot();
			this.tap.awaitBytesRead(7);
			Duration duration = stop(server, LONG).join();
			assertThat(duration).isBetween(QUIET_PERIOD.multipliedBy(2), QUIET_PERIOD.multipliedBy(2).plus(LATE));
			assertThat(sink.end()).succeedsWithin(Duration.ofSeconds(30)).isNull();
			assertThat(sink.received()).asString().isEqualTo("request");
			assertThat(client.readAll()).asString().isEqualTo("last");
			verifyReasons(server, EndReason.SERVER_STOPPED);
		}
	}

	@Test
	void aListenerThatClaimsWhenTheFirstQuietPeriodIsOverGetsItsBytesAndAnswers() {
		Duration quietPeriod = Duration.ofSeconds(5);
		Payload.Sink sink = new Payload.Sink();
		CompletableFuture<?> claim = new CompletableFuture<>();
		try (TestServer server = create(null,
				(builder) -> builder.shutdownQuietPeriod(quietPeriod).listenerExecutor(this.executor))) {
			server.events().on(ConnectionEvent.class, (event) -> {
				claim.join();
				receiveAndAnswerLast(event.getConnection(), sink);
			});
			server.start();
			TestClient client = server.connect().send("request");
			client.readSlot();
			this.tap.awaitBytesRead(7);
			CompletableFuture<Duration> stop = stop(server, LONG);
			Mono.delay(quietPeriod.multipliedBy(3).dividedBy(2)).block();
			claim.complete(null);
			assertThat(client.readAll()).asString().isEqualTo("last");
			assertThat(sink.received()).asString().isEqualTo("request");
			assertThat(stop).succeedsWithin(Duration.ofSeconds(30));
			verifyReasons(server, EndReason.SERVER_STOPPED);
		}
	}

	@Test
	void aPeerThatKeepsSendingKeepsItsConnectionUntilTheTimeout() {
		// How long a busy machine may keep the peer from sending
		Duration quietPeriod = Duration.ofSeconds(4);
		Duration timeout = quietPeriod.multipliedBy(3).dividedBy(2);
		Payload.Sink sink = new Payload.Sink();
		AtomicBoolean over = new AtomicBoolean();
		try (TestServer server = create((connection) -> {
			connection.inbound().receive().asByteArray().subscribe(sink);
			return Mono.never();
		}, (builder) -> builder.shutdownQuietPeriod(quietPeriod)).start()) {
			TestClient client = server.connect();
			client.readSlot();
			CompletableFuture<?> sender = CompletableFuture.runAsync(() -> {
				while (!over.get()) {
					client.send("more");
					Mono.delay(QUIET_PERIOD.dividedBy(10)).block();
				}
			}, this.executor);
			this.tap.awaitBytesRead(4);
			awaitHandled(1);
			CompletableFuture<Long> completed = sink.end().handle((end, ex) -> System.nanoTime());
			long start = System.nanoTime();
			assertThat(stop(server, timeout).join()).isBetween(timeout, timeout.plus(LATE));
			assertThat(completed.orTimeout(30, TimeUnit.SECONDS).join() - start)
				.isGreaterThanOrEqualTo(timeout.toNanos());
			over.set(true);
			sender.exceptionally((ex) -> null).join();
			verifyReasons(server, EndReason.SERVER_STOPPED);
		}
	}

	@Test
	void aRequestThatBeganBeforeTheSlotLineIsAwaited() throws InterruptedException {
		CompletableFuture<Integer> slot = new CompletableFuture<>();
		try (TestServer server = create((connection) -> connection.outbound()
			.sendString(connection.inbound()
				.withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(100)))
				.receive()
				.asString()
				.map((line) -> line + " too\n")), (builder) -> builder.shutdownQuietPeriod(LONG))) {
			server.events().on(SlotRequestEvent.class, (event) -> event.assign(Mono.fromFuture(slot, true)));
			server.start();
			TestClient client = server.connect().send("hel");
			this.tap.awaitBytesRead(3);
			slot.complete(0);
			client.readSlot();
			awaitHandled(1);
			CallosumConnection connection = server.server().connections().iterator().next();
			CompletableFuture<Duration> stop = stop(server, LONG);
			connection.draining().block(LATE);
			Channel channel = this.tap.openChannels().iterator().next();
			channel.eventLoop().schedule(() -> {
			}, 50, TimeUnit.MILLISECONDS).sync();
			assertThat(client.send("lo\n").readLine()).isEqualTo("hello too\n");
			assertThat(stop).succeedsWithin(LATE);
			verifyReasons(server, EndReason.HANDLER_COMPLETED);
		}
	}

	@Test
	void whatAPeerHasSentToASlowHandlerIsNotCutOff() {
		Payload.Sink sink = new Payload.Sink();
		try (TestServer server = create((connection) -> connection.inbound()
			.receive()
			.asByteArray()
			.concatMap((bytes) -> Mono.delay(QUIET_PERIOD.dividedBy(2)).thenReturn(bytes), 1)
			.doOnNext(sink::onNext)
			.then(), (builder) -> builder.shutdownQuietPeriod(Duration.ofMillis(50))).start()) {
			byte[] bytes = Payload.of(600_000);
			TestClient client = server.connect().send(bytes);
			client.readSlot();
			awaitHandled(1);
			this.tap.awaitBytesRead(1);
			CompletableFuture<Duration> stop = stop(server, LONG);
			assertThat(stop).succeedsWithin(Duration.ofSeconds(50));
			Payload.verify(sink.received(), bytes);
			verifyReasons(server, EndReason.HANDLER_COMPLETED);
		}
	}

	@Test
	void aPeerThatIsNotReadForWantOfRoomInTheBudgetIsNotQuiet() {
		CompletableFuture<?> ask = new CompletableFuture<>();
		Payload.Sink sink = new Payload.Sink();
		try (TestServer server = create((connection) -> {
			Flux<byte[]> inbound = connection.inbound().receive().asByteArray();
			return (connection.slot() == 0) ? Mono.never()
					: Mono.fromFuture(ask).thenMany(inbound.doOnNext(sink::onNext)).then();
		}, (builder) -> builder.readAheadBudget(DataSize.ofBytes(1000))).start()) {
			TestClient greedy = server.connect();
			greedy.readSlot();
			greedy.send(new byte[2000]);
			this.tap.awaitBytesRead(2000);
			byte[] bytes = Payload.of(10_000);
			TestClient client = server.connect();
			client.readSlot();
			client.send(bytes);
			this.tap.awaitBytesRead(2001);
			awaitHandled(2);
			CallosumConnection holder = server.server().connections().iterator().next();
			CompletableFuture<Duration> stop = stop(server, LONG);
			Mono.delay(QUIET_PERIOD.multipliedBy(5)).block();
			holder.close();
			ask.complete(null);
			assertThat(stop).succeedsWithin(Duration.ofSeconds(50));
			Payload.verify(sink.received(), bytes);
		}
	}

	@Test
	void aHandlerThatClaimsOnlyThenGetsItsBytesAndTheirEnd() {
		Payload.Sink sink = new Payload.Sink();
		CompletableFuture<?> claim = new CompletableFuture<>();
		try (TestServer server = create((connection) -> Mono.fromFuture(claim)
			.thenMany(Mono.defer(() -> connection.inbound().receive().asByteArray().doOnNext(sink::onNext).then()))
			.then()).start()) {
			TestClient client = server.connect().send("request");
			client.readSlot();
			this.tap.awaitBytesRead(7);
			awaitHandled(1);
			CompletableFuture<Duration> stop = stop(server, LONG);
			Mono.delay(QUIET_PERIOD.multipliedBy(3)).block();
			claim.complete(null);
			assertThat(stop).succeedsWithin(Duration.ofSeconds(30));
			assertThat(sink.received()).asString().isEqualTo("request");
			verifyReasons(server, EndReason.HANDLER_COMPLETED);
		}
	}

	private static void receiveAndAnswerLast(CallosumConnection connection, Payload.Sink sink) {
		connection.inbound()
			.receive()
			.asByteArray()
			.doOnComplete(() -> connection.outbound().sendString(Mono.just("last")).then().subscribe())
			.subscribe(sink);
	}

	private CompletableFuture<Duration> stop(TestServer server, Duration timeout) {
		return CompletableFuture.supplyAsync(() -> {
			long start = System.nanoTime();
			server.server().stop(timeout);
			assertThat(server.server().isRunning()).isFalse();
			assertThat(this.tap.openChannels()).isEmpty();
			return Duration.ofNanos(System.nanoTime() - start);
		}, this.executor);
	}

	/**
	 * Wait until the handlers of all connections have been called, because none is called
	 * once a stop has begun.
	 */
	private void awaitHandled(int count) {
		TestServer.await("the handlers", () -> assertThat(this.handled).hasValue(count));
	}

	private static void awaitReceived(TestServer server, int bytes) {
		TestServer.await("bytes",
				() -> assertThat(server.server().connections()).singleElement()
					.extracting(CallosumConnection::bytesReceived)
					.isEqualTo((long) bytes));
	}

	private ConnectionHandler counting(ConnectionHandler handler) {
		return (connection) -> {
			Publisher<Void> publisher = handler.handle(connection);
			this.handled.incrementAndGet();
			return publisher;
		};
	}

	private static void verifyReasons(TestServer server, EndReason... reasons) {
		assertThat(server.events().of(SlotFreeEvent.class)).extracting(SlotFreeEvent::getReason)
			.containsExactly(reasons);
	}

	private TestServer create(ConnectionHandler handler) {
		return create(handler, UnaryOperator.identity());
	}

	private TestServer create(ConnectionHandler handler, UnaryOperator<CallosumServer.Builder> customizer) {
		return create(false, handler, customizer);
	}

	private TestServer create(boolean secure, ConnectionHandler handler,
			UnaryOperator<CallosumServer.Builder> customizer) {
		return TestServer.create(Link.of(this.transport, secure),
				(builder) -> customizer.apply(builder.customizer(this.tap)
					.shutdownQuietPeriod(QUIET_PERIOD)
					.connectionHandler((handler != null) ? counting(handler) : null)));
	}

}
