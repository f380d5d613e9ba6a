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
import java.util.function.UnaryOperator;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Mono;

import io.callosum.server.SlotFreeEvent.Reason;

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
	private static final Duration LATE = Duration.ofSeconds(10);

	private final ExecutorService executor = Executors.newCachedThreadPool();

	private final WireTap tap = new WireTap();

	private final AtomicInteger handled = new AtomicInteger();

	@Parameter
	Transport transport;

	@AfterEach
	void shutDown() {
		this.executor.shutdownNow();
	}

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
			verifyReasons(server, Reason.HANDLER_COMPLETED);
		}
	}

	@Test
	void anIdleConnectionEndsAfterTheQuietPeriod() {
		try (TestServer server = create((connection) -> connection.inbound().receive().then()).start()) {
			TestClient client = server.connect();
			client.readSlot();
			awaitHandled(1);
			Duration duration = stop(server, LONG).join();
			assertThat(duration).isBetween(QUIET_PERIOD, QUIET_PERIOD.plus(LATE));
			assertThat(client.read()).isEqualTo(-1);
			verifyReasons(server, Reason.HANDLER_COMPLETED);
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
			CompletableFuture<Duration> stop = stop(server, LONG);
			busy.forEach((client) -> Payload.verify(client.readAll(), answer));
			assertThat(stop).succeedsWithin(LONG);
			assertThat(server.events().of(SlotFreeEvent.class)).hasSize(1010)
				.extracting(SlotFreeEvent::getReason)
				.containsOnly(Reason.HANDLER_COMPLETED);
		}
	}

	@Test
	void aHandlerThatNeverCompletesIsClosedAtTheTimeOut() {
		try (TestServer server = create((connection) -> Mono.never()).start()) {
			server.connect().readSlot();
			awaitHandled(1);
			assertThat(stop(server, Duration.ofMillis(1200)).join()).isBetween(Duration.ofMillis(1200), LATE);
			verifyReasons(server, Reason.SERVER_STOPPED);
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
			verifyReasons(server, Reason.SERVER_STOPPED);
		}
	}

	@Test
	void aConnectionWithoutASlotIsClosedAtOnce() {
		CompletableFuture<Integer> answer = new CompletableFuture<>();
		// Neither of which it is to wait for
		try (TestServer server = create(null, (builder) -> builder.shutdownQuietPeriod(LONG).slotTimeout(LONG))) {
			server.events().on(SlotRequestEvent.class, (event) -> event.assign(Mono.fromFuture(answer, true)));
			server.start();
			TestClient client = server.connect();
			TestServer.await("the request", () -> assertThat(server.events().of(SlotRequestEvent.class)).hasSize(1));
			assertThat(stop(server, LONG).join()).isLessThan(LATE);
			assertThat(client.isRefused()).isTrue();
			answer.complete(0);
			TestServer.await("the slot", () -> verifyReasons(server, Reason.SERVER_STOPPED));
		}
	}

	@Test
	void aConnectionWhoseBytesAreDiscardedIsClosedAfterTheQuietPeriod() {
		try (TestServer server = create(null).start()) {
			server.connect().readSlot();
			TestServer.await("the listeners", () -> assertThat(server.events().of(ConnectionEvent.class)).hasSize(1));
			assertThat(stop(server, LONG).join()).isBetween(QUIET_PERIOD, QUIET_PERIOD.plus(LATE));
			verifyReasons(server, Reason.SERVER_STOPPED);
		}
	}

	@Test
	void connectionsWhoseBytesAreDiscardedAreClosedAQuietPeriodBeforeThoseThatAreClaimed() {
		// On one event loop, whose timers keep their order however late they are
		try (TestServer server = create(null,
				(builder) -> builder.workerThreads(1).shutdownQuietPeriod(Duration.ofSeconds(1)))) {
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
			verifyReasons(server, Reason.SERVER_STOPPED);
		}
	}

	@Test
	void aListenerThatClaimsWhenTheFirstQuietPeriodIsOverGetsItsBytesAndAnswers() {
		Duration quietPeriod = Duration.ofSeconds(3);
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
			verifyReasons(server, Reason.SERVER_STOPPED);
		}
	}

	@Test
	void aPeerThatKeepsSendingKeepsItsConnectionUntilTheTimeOut() {
		Duration quietPeriod = Duration.ofSeconds(1);
		Duration timeout = quietPeriod.multipliedBy(3);
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
			verifyReasons(server, Reason.SERVER_STOPPED);
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
			CompletableFuture<Duration> stop = stop(server, LONG);
			assertThat(stop).succeedsWithin(Duration.ofSeconds(50));
			Payload.verify(sink.received(), bytes);
			verifyReasons(server, Reason.HANDLER_COMPLETED);
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
			verifyReasons(server, Reason.HANDLER_COMPLETED);
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
	 * Wait until the handlers of all connections have been called, which they are not
	 * once a stop has begun.
	 */
	private void awaitHandled(int count) {
		TestServer.await("the handlers", () -> assertThat(this.handled).hasValue(count));
	}

	private ConnectionHandler counting(ConnectionHandler handler) {
		return (connection) -> {
			Publisher<Void> publisher = handler.handle(connection);
			this.handled.incrementAndGet();
			return publisher;
		};
	}

	private static void verifyReasons(TestServer server, Reason... reasons) {
		assertThat(server.events().of(SlotFreeEvent.class)).extracting(SlotFreeEvent::getReason)
			.containsExactly(reasons);
	}

	private TestServer create(ConnectionHandler handler) {
		return create(handler, UnaryOperator.identity());
	}

	private TestServer create(ConnectionHandler handler, UnaryOperator<CallosumServer.Builder> customizer) {
		return TestServer.create(this.transport,
				(builder) -> customizer.apply(builder.customizer(this.tap)
					.shutdownQuietPeriod(QUIET_PERIOD)
					.connectionHandler((handler != null) ? counting(handler) : null)));
	}

}
