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
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

import io.netty.channel.ChannelOption;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.reactivestreams.Subscription;
import reactor.core.publisher.BaseSubscriber;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.netty.DisposableChannel;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests that a peer that leaves is noticed, whatever the application does with its
 * connection.
 */
@ParameterizedClass
@EnumSource
class PeerGoneTests {

	/**
	 * One second is promised, and a few milliseconds are usual. The rest allows for a
	 * busy machine.
	 */
	private static final Duration PROMISE = Duration.ofSeconds(5);

	@AutoClose("shutdownNow")
	private final ExecutorService executor = Executors.newCachedThreadPool();

	private final WireTap tap = new WireTap();

	@Parameter
	Transport transport;

	@ParameterizedTest
	@EnumSource
	void aPeerThatLeavesIsNoticedOnTheEventLoop(Owner owner) {
		verifyNoticed(owner, null);
	}

	@ParameterizedTest
	@EnumSource
	void aPeerThatLeavesIsNoticedWithAListenerExecutor(Owner owner) {
		verifyNoticed(owner, this.executor);
	}

	private void verifyNoticed(Owner owner, ExecutorService listenerExecutor) {
		try (TestServer server = TestServer.create(this.transport,
				(builder) -> builder.customizer(this.tap)
					.connectionHandler(owner.handler)
					.listenerExecutor(listenerExecutor))) {
			if (owner.listens) {
				server.events().on(ConnectionEvent.class, (event) -> {
				});
			}
			server.start();
			for (Leave leave : Leave.values()) {
				TestClient client = server.connect();
				assertThat(client.readSlot()).isZero();
				TestServer.await("ConnectionEvent",
						() -> assertThat(server.events().of(ConnectionEvent.class)).hasSize(leave.ordinal() + 1));
				leave.accept(client);
				long left = System.nanoTime();
				Stalls stalls = Stalls.from();
				TestServer.await("the end after " + leave, () -> assertThat(server.server().connections()).isEmpty());
				verifyInTime(left, stalls);
				List<SlotFreeEvent> events = server.events().of(SlotFreeEvent.class);
				assertThat(events).hasSize(leave.ordinal() + 1);
				if (leave == Leave.FIN && owner == Owner.HANDLER_THAT_ONLY_WRITES) {
					// A write may run into the reset caused by bytes that the client has
					// not read
					assertThat(events.get(leave.ordinal()).getReason()).isIn(EndReason.PEER_CLOSED,
							EndReason.PEER_RESET);
				}
				else {
					assertThat(events.get(leave.ordinal()).getReason()).as(leave.name()).isEqualTo(leave.reason);
				}
				client.close();
			}
			assertThat(this.tap.openChannels()).isEmpty();
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
			assertThat(server.warnings()).isEmpty();
		}
	}

	@ParameterizedTest
	@EnumSource
	void aPeerThatLeavesBeforeAnAsynchronousAnswerIsNoticed(Leave leave) {
		CompletableFuture<Integer> answer = new CompletableFuture<>();
		try (TestServer server = TestServer.create(this.transport, (builder) -> builder.customizer(this.tap))) {
			server.events().on(SlotRequestEvent.class, (event) -> event.assign(Mono.fromFuture(answer, true)));
			server.start();
			TestClient client = server.connect();
			TestServer.await("the request", () -> assertThat(server.events().of(SlotRequestEvent.class)).hasSize(1));
			leave.accept(client);
			long left = System.nanoTime();
			Stalls stalls = Stalls.from();
			TestServer.await("the end", () -> assertThat(server.measured("refused")).isOne());
			verifyInTime(left, stalls);
			assertThat(server.events().of(SlotFreeEvent.class)).isEmpty();
			answer.complete(4);
			TestServer.await("the slot to be free",
					() -> assertThat(server.events().of(SlotFreeEvent.class)).singleElement()
						.extracting(SlotFreeEvent::getReason)
						.isEqualTo(leave.reason));
			assertThat(server.events().of(ConnectionEvent.class)).isEmpty();
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
			assertThat(server.warnings()).isEmpty();
			client.close();
		}
	}

	@Test
	void aPeerThatLeavesIsNoticedAlsoWhereACustomizerAllowsHalfClosure() {
		try (TestServer server = TestServer
			.create(this.transport,
					(builder) -> builder
						.customizer((tcpServer) -> tcpServer.childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)))
			.start()) {
			TestClient client = server.connect();
			assertThat(client.readSlot()).isZero();
			client.close();
			TestServer.await("slot", () -> assertThat(server.slotsInUse()).isZero());
		}
	}

	@Test
	void aPeerThatLeavesWhileItsListenerIsBusyIsNoticed() {
		CompletableFuture<?> release = new CompletableFuture<>();
		try (TestServer server = TestServer.create(this.transport,
				(builder) -> builder.customizer(this.tap).listenerExecutor(this.executor))) {
			server.events().on(ConnectionEvent.class, (event) -> release.join());
			server.start();
			TestClient client = server.connect();
			client.readSlot();
			client.close();
			TestServer.await("the end", () -> assertThat(this.tap.openChannels()).isEmpty());
			assertThat(server.events().of(SlotFreeEvent.class)).isEmpty();
			release.complete(null);
			TestServer.await("SlotFreeEvent", () -> assertThat(server.events().of(SlotFreeEvent.class)).hasSize(1));
		}
	}

	@ParameterizedTest
	@EnumSource
	void aPeerThatLeavesIsNoticedWhereItsOwnerHasAskedAndAsksNoMore(Leave leave) {
		CompletableFuture<Subscription> owner = new CompletableFuture<>();
		try (TestServer server = TestServer
			.create(this.transport, (builder) -> builder.customizer(this.tap).connectionHandler((connection) -> {
				connection.inbound().receive().subscribe(new BaseSubscriber<Object>() {

					@Override
					protected void hookOnSubscribe(Subscription subscription) {
						owner.complete(subscription);
					}

					@Override
					protected void hookOnError(Throwable error) {
					}

				});
				return Mono.never();
			}))
			.start()) {
			TestClient client = server.connect();
			client.readSlot();
			Subscription subscription = owner.join();
			for (int i = 1; i <= 10; i++) {
				client.send(new byte[100]);
				this.tap.awaitBytesRead(i * 100);
				if (i % 3 == 0) {
					subscription.request(1);
				}
			}
			leave.accept(client);
			long left = System.nanoTime();
			Stalls stalls = Stalls.from();
			TestServer.await("the end", () -> assertThat(server.slotsInUse()).isZero());
			verifyInTime(left, stalls);
			client.close();
		}
	}

	@Test
	void noResetIsAnErrorAndNoneIsLogged() {
		try (TestServer server = TestServer.create(this.transport, (builder) -> builder.customizer(this.tap)).start()) {
			for (int i = 0; i < 2000; i++) {
				new TestClient(server.server().address()).reset();
			}
			TestServer.await("all connections", () -> assertThat(this.tap.accepted()).isEqualTo(2000));
			server.verifyNothingLeft();
			server.verifyNextSlotIsZero();
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
			assertThat(server.warnings()).isEmpty();
		}
	}

	@ParameterizedTest
	@EnumSource
	void noResetOfAPeerThatIsBeingAnsweredIsAnError(Answer answer) {
		try (TestServer server = TestServer
			.create(this.transport, (builder) -> builder.customizer(this.tap).connectionHandler(answer.handler))
			.start()) {
			byte[] bytes = new byte[20_000];
			for (int i = 0; i < 300; i++) {
				TestClient client = new TestClient(server.server().address());
				if (i % 3 != 0) {
					client.send(bytes);
				}
				if (i % 3 == 2) {
					client.read(1000);
				}
				client.reset();
			}
			TestServer.await("all connections", () -> assertThat(this.tap.accepted()).isEqualTo(300));
			server.verifyNothingLeft();
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
			if (answer != Answer.LATER) {
				// Reactor logs what an operator does after it was cancelled
				assertThat(server.warnings()).isEmpty();
			}
			assertThat(server.events().of(SlotFreeEvent.class)).extracting(SlotFreeEvent::getReason)
				.contains(EndReason.PEER_RESET)
				.isSubsetOf(EndReason.PEER_RESET, EndReason.PEER_CLOSED, EndReason.HANDLER_COMPLETED);
		}
	}

	@Test
	void theReasonIsTheApplicationWhereThatClosesTheConnection() {
		try (TestServer server = TestServer.create(this.transport)) {
			server.events().on(ConnectionEvent.class, (event) -> event.getConnection().close());
			server.start();
			TestClient client = server.connect();
			assertThat(client.readAll()).asString().isEqualTo("0\r\n");
			verifyReason(server, EndReason.APPLICATION_CLOSED);
		}
	}

	@Test
	void theReasonIsTheApplicationWhereThatDisposesWhatReactorNettyHas() {
		try (TestServer server = TestServer.create(this.transport)) {
			server.events()
				.on(ConnectionEvent.class,
						(event) -> event.getConnection().outbound().withConnection(DisposableChannel::dispose));
			server.start();
			assertThat(server.connect().readSlot()).isZero();
			verifyReason(server, EndReason.APPLICATION_CLOSED);
		}
	}

	@Test
	void theReasonIsTheApplicationWhereItsHandlerDisposesWhatReactorNettyHas() {
		try (TestServer server = TestServer.create(this.transport,
				(builder) -> builder.connectionHandler((connection) -> connection.inbound()
					.withConnection((netty) -> netty.onReadIdle(100, netty::dispose))
					.receive()
					.then()))) {
			server.start();
			TestClient client = server.connect();
			assertThat(client.readAll()).asString().isEqualTo("0\r\n");
			verifyReason(server, EndReason.APPLICATION_CLOSED);
		}
	}

	@Test
	void theReasonIsTheServerWhereThatStops() {
		try (TestServer server = TestServer.create(this.transport).start()) {
			server.connect().readSlot();
			server.server().stop();
			assertThat(server.events().of(SlotFreeEvent.class)).singleElement()
				.extracting(SlotFreeEvent::getReason)
				.isEqualTo(EndReason.SERVER_STOPPED);
		}
	}

	@Test
	void theReasonIsTheListenerWhereOneThrowsAfterTheSlotWasAssigned() {
		try (TestServer server = TestServer.create(this.transport)) {
			server.events().on(SlotRequestEvent.class, (event) -> {
				event.assign(9);
				throw new IllegalStateException("no");
			});
			server.start();
			assertThat(server.connect().isRefused()).isTrue();
			verifyReason(server, EndReason.REFUSED);
		}
	}

	@Test
	void theReasonIsTheTimeoutWhereTheAnswerComesAfterIt() {
		CompletableFuture<Integer> answer = new CompletableFuture<>();
		try (TestServer server = TestServer.create(this.transport,
				(builder) -> builder.slotTimeout(Duration.ofMillis(50)))) {
			server.events().on(SlotRequestEvent.class, (event) -> event.assign(Mono.fromFuture(answer, true)));
			server.start();
			assertThat(server.connect().isRefused()).isTrue();
			answer.complete(4);
			verifyReason(server, EndReason.SLOT_TIMEOUT);
		}
	}

	private static void verifyInTime(long left, Stalls stalls) {
		assertThat(Duration.ofNanos(System.nanoTime() - left)).isLessThan(stalls.allowFor(PROMISE));
	}

	private static void verifyReason(TestServer server, EndReason reason) {
		TestServer.await("SlotFreeEvent",
				() -> assertThat(server.events().of(SlotFreeEvent.class)).singleElement()
					.extracting(SlotFreeEvent::getReason)
					.isEqualTo(reason));
	}

	/**
	 * What an application does with a connection.
	 */
	enum Owner {

		NOBODY(false, null),

		LISTENER_THAT_IGNORES_IT(true, null),

		HANDLER_THAT_NEVER_COMPLETES(false, (connection) -> Mono.never()),

		HANDLER_THAT_ONLY_WRITES(false,
				(connection) -> connection.outbound()
					.sendString(Flux.interval(Duration.ofMillis(10)).onBackpressureDrop().map(String::valueOf))
					.then()),

		HANDLER_WITHOUT_DEMAND(false, (connection) -> {
			connection.inbound().receive().subscribe(new BaseSubscriber<Object>() {

				@Override
				protected void hookOnSubscribe(Subscription subscription) {
				}

				@Override
				protected void hookOnError(Throwable error) {
				}

			});
			return Mono.never();
		}),

		HANDLER_THAT_NEVER_SUBSCRIBES(false, (connection) -> {
			connection.inbound();
			return Mono.never();
		}),

		HANDLER_THAT_READS(false, (connection) -> connection.inbound().receive().then()),

		HANDLER_THAT_ECHOES(false,
				(connection) -> connection.outbound().send(connection.inbound().receive().retain()).then());

		private final boolean listens;

		private final ConnectionHandler handler;

		Owner(boolean listens, ConnectionHandler handler) {
			this.listens = listens;
			this.handler = handler;
		}

	}

	/**
	 * How a handler answers.
	 */
	enum Answer {

		ECHO((connection) -> connection.outbound().send(connection.inbound().receive().retain()).then()),

		MUCH((connection) -> connection.outbound()
			.sendByteArray(Flux.range(0, 1000).map((i) -> new byte[10_000]))
			.then()),

		MUCH_AT_ONCE((connection) -> connection.outbound().sendByteArray(Mono.just(new byte[4_000_000])).then()),

		MUCH_FOR_EACH_REQUEST((connection) -> connection.inbound()
			.receive()
			.concatMap((bytes) -> connection.outbound().sendByteArray(Mono.just(new byte[400_000])))
			.then()),

		LATER((connection) -> connection.inbound()
			.receive()
			.asByteArray()
			.flatMap((bytes) -> Mono.delay(Duration.ofMillis(5))
				.then(connection.outbound().sendByteArray(Mono.just(new byte[40_000])).then()))
			.then());

		private final ConnectionHandler handler;

		Answer(ConnectionHandler handler) {
			this.handler = handler;
		}

	}

	/**
	 * How a peer leaves.
	 */
	enum Leave {

		FIN(EndReason.PEER_CLOSED) {
			@Override
			void accept(TestClient client) {
				finish(client);
				client.close();
			}
		},

		RST(EndReason.PEER_RESET) {
			@Override
			void accept(TestClient client) {
				client.reset();
			}
		},

		KILOBYTE_AND_FIN(EndReason.PEER_CLOSED) {
			@Override
			void accept(TestClient client) {
				client.send(new byte[1024]);
				finish(client);
			}
		},

		KILOBYTE_AND_RST(EndReason.PEER_RESET) {
			@Override
			void accept(TestClient client) {
				client.send(new byte[1024]).reset();
			}
		},

		HALF_CLOSE(EndReason.PEER_CLOSED) {
			@Override
			void accept(TestClient client) {
				finish(client);
			}
		};

		private final EndReason reason;

		Leave(EndReason reason) {
			this.reason = reason;
		}

		abstract void accept(TestClient client);

		private static void finish(TestClient client) {
			try {
				// close() would reset the connection, as there may be unread bytes
				client.socket().shutdownOutput();
			}
			catch (IOException ex) {
				throw new UncheckedIOException(ex);
			}
		}

	}

}
