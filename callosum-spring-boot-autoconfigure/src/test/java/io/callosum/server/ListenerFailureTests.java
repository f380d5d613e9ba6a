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
import java.lang.reflect.UndeclaredThrowableException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;

import ch.qos.logback.classic.Level;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import reactor.core.Exceptions;
import reactor.core.publisher.Mono;

import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.event.EventListener;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for listeners that throw: no slot is lost, no other connection is affected, and a
 * {@link ServerErrorEvent} reports the cause.
 */
@ParameterizedClass
@MethodSource("io.callosum.server.ListenerThreads#onEveryTransport")
class ListenerFailureTests {

	@Parameter(0)
	Transport transport;

	@Parameter(1)
	ListenerThreads threads;

	@ParameterizedTest
	@EnumSource
	void aListenerOfSlotRequestEventThatThrowsRefusesThatConnection(Failure failure) {
		try (TestServer server = create(UnaryOperator.identity())) {
			server.events().on(SlotRequestEvent.class, (event) -> {
				if (event.getRequest().connectionId().equals("c2")) {
					failure.fail();
				}
			});
			server.start();
			TestClient other = server.connect();
			assertThat(other.readSlot()).isZero();
			assertThat(server.connect().readAll()).isEmpty();
			assertThat(server.connect().readSlot()).as("the next slot").isOne();
			verifyLives(server, "c1", "c3");
			other.close();
			server.server().stop();
			verifyErrors(server, failure, "c2");
			assertThat(server.events().of(SlotFreeEvent.class)).hasSize(2);
		}
	}

	@ParameterizedTest
	@EnumSource
	void aConnectionWhoseConnectionEventListenerThrowsGoesOn(Failure failure) {
		try (TestServer server = create((builder) -> builder.connectionHandler(
				(connection) -> connection.outbound().send(connection.inbound().receive().retain()).then()))) {
			server.events().on(ConnectionEvent.class, (event) -> failure.fail());
			server.start();
			TestClient client = server.connect();
			assertThat(client.readSlot()).isZero();
			assertThat(client.send("hello\n").readLine()).isEqualTo("hello\n");
			client.close();
			TestServer.await("end", () -> assertThat(server.server().connections()).isEmpty());
			server.verifyNextSlotIsZero();
			server.server().stop();
			verifyErrors(server, failure, "c1", "c2");
			assertThat(server.events().of(SlotFreeEvent.class)).hasSize(2);
		}
	}

	@ParameterizedTest
	@EnumSource
	void theSlotWhoseSlotFreeEventListenerThrowsIsFreeNevertheless(Failure failure) {
		try (TestServer server = create(UnaryOperator.identity())) {
			server.events().on(SlotFreeEvent.class, (event) -> failure.fail());
			server.start();
			TestClient other = server.connect();
			assertThat(other.readSlot()).isZero();
			for (int i = 0; i < 3; i++) {
				TestClient client = server.connect();
				assertThat(client.readSlot()).isOne();
				client.close();
				TestServer.await("end", () -> assertThat(server.server().connections()).hasSize(1));
			}
			verifyLives(server, "c1");
			server.server().stop();
			verifyErrors(server, failure, "c2", "c3", "c4", "c1");
		}
	}

	@ParameterizedTest
	@EnumSource
	void listenersOfTheServersOwnEventsThatThrowStopNeitherItsStartNorItsEnd(Failure failure) {
		try (TestServer server = create(UnaryOperator.identity())) {
			server.events()
				.on(ServerStartedEvent.class, (event) -> failure.fail())
				.on(ServerStoppingEvent.class, (event) -> failure.fail())
				.on(ServerStoppedEvent.class, (event) -> failure.fail());
			for (int i = 0; i < 2; i++) {
				server.start();
				TestClient client = server.connect();
				assertThat(client.readSlot()).isZero();
				server.server().stop();
				assertThat(server.server().isRunning()).isFalse();
				assertThat(client.isRefused()).isTrue();
			}
			verifyErrors(server, failure, null, null, null, null, null, null);
		}
	}

	@Test
	void aFailureDoesNotHideAnotherOneFromTheLog() {
		try (TestServer server = create(UnaryOperator.identity())) {
			server.events().on(SlotRequestEvent.class, (event) -> {
				switch (event.getRequest().connectionId()) {
					case "c1", "c2" -> throw new IllegalStateException("first bug");
					case "c3" -> throw new IllegalStateException("second bug");
					default -> throw new IllegalArgumentException("third bug");
				}
			});
			server.start();
			for (int i = 0; i < 5; i++) {
				assertThat(server.connect().isRefused()).isTrue();
			}
			server.server().stop();
			assertThat(server.warnings()).hasSize(3)
				.satisfiesOnlyOnce((line) -> assertThat(line).contains("first bug"))
				.satisfiesOnlyOnce((line) -> assertThat(line).contains("second bug"))
				.satisfiesOnlyOnce((line) -> assertThat(line).contains("third bug"));
		}
	}

	@ParameterizedTest
	@EnumSource
	void aListenerOfServerErrorEventThatThrowsIsOnlyLogged(Failure failure) {
		try (TestServer server = create(UnaryOperator.identity())) {
			server.events().on(SlotRequestEvent.class, (event) -> {
				if (!event.getRequest().connectionId().equals("c3")) {
					throw new IllegalStateException("refused");
				}
			}).on(ServerErrorEvent.class, (event) -> failure.fail());
			server.start();
			assertThat(server.connect().isRefused()).isTrue();
			assertThat(server.connect().isRefused()).isTrue();
			assertThat(server.connect().readSlot()).isZero();
			server.server().stop();
			assertThat(server.events().of(ServerErrorEvent.class)).extracting(ServerErrorEvent::getConnectionId)
				.containsExactlyInAnyOrder("c1", "c2");
			assertThat(server.logged(Level.ERROR)).singleElement()
				.asString()
				.contains("ServerErrorEvent")
				.contains(failure.type().getName());
		}
	}

	@ParameterizedTest
	@EnumSource
	void listenersThatThrowOnEveryEventLoseNoSlot(Failure failure) throws Exception {
		try (TestServer server = create(UnaryOperator.identity())) {
			AtomicInteger count = new AtomicInteger();
			server.events().on(CallosumServerEvent.class, (event) -> {
				// Two out of three, so that some connections succeed
				if (count.incrementAndGet() % 3 != 0) {
					failure.fail();
				}
			});
			server.start();
			for (int i = 0; i < 100; i++) {
				TestClient client = new TestClient(server.server().address());
				if (i % 2 == 0) {
					client.readLine();
				}
				if (i % 3 == 0) {
					client.reset();
				}
				client.close();
			}
			TestServer.await("end", () -> assertThat(server.server().connections()).isEmpty());
			server.server().stop();
			assertThat(server.events().of(ServerErrorEvent.class)).isNotEmpty()
				.allSatisfy((event) -> assertThat(event.getError()).isExactlyInstanceOf(failure.type()));
		}
	}

	@ParameterizedTest
	@EnumSource
	void beansThatThrowInEventListenersAreNoDifferent(Failure failure) {
		try (AnnotationConfigApplicationContext context = new AnnotationConfigApplicationContext()) {
			context.registerBean(FailingListeners.class, () -> new FailingListeners(failure));
			context.registerBean(LaterListeners.class);
			context.refresh();
			FailingListeners listeners = context.getBean(FailingListeners.class);
			LaterListeners later = context.getBean(LaterListeners.class);
			try (TestServer server = create(UnaryOperator.identity())) {
				server.events().on(CallosumServerEvent.class, context::publishEvent);
				listeners.failingOn = ServerStartedEvent.class;
				server.start();
				verifyErrors(server, failure, (String) null);
				TestClient other = server.connect();
				assertThat(other.readSlot()).isZero();

				TestServer.await("connection", () -> assertThat(later.seen).containsEntry("ConnectionEvent", 1));
				listeners.failingOn = SlotRequestEvent.class;
				assertThat(server.connect().readAll()).isEmpty();
				TestServer.await("refusal", () -> assertThat(server.events().of(ServerErrorEvent.class)).hasSize(2));

				listeners.failingOn = ConnectionEvent.class;
				TestClient third = server.connect();
				assertThat(third.readSlot()).isOne();
				TestServer.await("error", () -> assertThat(server.events().of(ServerErrorEvent.class)).hasSize(3));

				listeners.failingOn = SlotFreeEvent.class;
				third.close();
				TestServer.await("end", () -> assertThat(server.server().connections()).hasSize(1));

				listeners.failingOn = ServerErrorEvent.class;
				listeners.refusing = true;
				assertThat(server.connect().isRefused()).isTrue();
				TestServer.await("error", () -> assertThat(server.events().of(ServerErrorEvent.class)).hasSize(5));
				listeners.refusing = false;

				verifyLives(server, "c1");
				TestServer.await("the other listeners", () -> assertThat(later.seen).containsExactlyInAnyOrderEntriesOf(
						Map.of("SlotRequestEvent", 2, "ConnectionEvent", 1, "ServerErrorEvent", 4)));
				listeners.failingOn = ServerStoppingEvent.class;
				server.server().stop();
				verifyErrors(server, failure, null, "c2", "c3", "c3", "c4", null);
			}
		}
	}

	@Test
	void aHandlerThatFailsOrReturnsNullLosesNoSlot() {
		AtomicInteger calls = new AtomicInteger();
		try (TestServer server = create(
				(builder) -> builder.connectionHandler((connection) -> switch (calls.getAndIncrement()) {
					case 0 -> throw new IllegalStateException("thrown");
					case 1 -> returnNull();
					case 2 -> Mono.error(new IOException("failed"));
					case 3 -> Mono.fromRunnable(ListenerFailureTests::overflow);
					default -> throw new StackOverflowError();
				}))
			.start()) {
			for (int i = 0; i < 5; i++) {
				TestClient client = server.connect();
				assertThat(client.readSlot()).isZero();
				assertThat(client.readAll()).isEmpty();
				TestServer.await("end", () -> assertThat(server.server().connections()).isEmpty());
			}
			server.server().stop();
			assertThat(server.events().of(ServerErrorEvent.class)).extracting(ServerErrorEvent::getError)
				.extracting((error) -> (Object) error.getClass())
				.containsExactly(IllegalStateException.class, IllegalStateException.class, IOException.class,
						StackOverflowError.class, StackOverflowError.class);
			assertThat(server.events().of(SlotFreeEvent.class)).hasSize(5)
				.allSatisfy((event) -> assertThat(event.getReason()).isEqualTo(EndReason.HANDLER_FAILED));
		}
	}

	@Test
	void aFailureOfAHandlerDoesNotHideAnotherOneFromTheLog() {
		AtomicInteger calls = new AtomicInteger();
		try (TestServer server = create(
				(builder) -> builder.connectionHandler((connection) -> switch (calls.getAndIncrement()) {
					case 0, 1 -> Mono.error(new IllegalStateException("first bug"));
					case 2 -> Mono.error(new IllegalStateException("second bug"));
					default -> throw new IllegalArgumentException("third bug");
				}))
			.start()) {
			for (int i = 0; i < 5; i++) {
				assertThat(server.connect().readAll()).asString().isEqualTo("0\r\n");
				TestServer.await("end", () -> assertThat(server.server().connections()).isEmpty());
			}
			server.server().stop();
			assertThat(server.warnings()).hasSize(3)
				.satisfiesOnlyOnce((line) -> assertThat(line).contains("first bug"))
				.satisfiesOnlyOnce((line) -> assertThat(line).contains("second bug"))
				.satisfiesOnlyOnce((line) -> assertThat(line).contains("third bug"));
		}
	}

	@Test
	void anAllocatorThatThrowsOnReleaseIsReportedAndTheConnectionEnds() {
		IllegalStateException cause = new IllegalStateException("not mine");
		AtomicInteger next = new AtomicInteger();
		try (TestServer server = create((builder) -> builder.maxConnections(1).slotAllocator(new SlotAllocator() {

			@Override
			public int allocate(SlotRequest request) {
				return next.getAndIncrement();
			}

			@Override
			public void release(int slot) {
				throw cause;
			}

		})).start()) {
			for (int i = 0; i < 3; i++) {
				TestClient client = server.connect();
				assertThat(client.readSlot()).isEqualTo(i);
				client.close();
				TestServer.await("end", () -> assertThat(server.server().connections()).isEmpty());
			}
			server.server().stop();
			assertThat(server.events().of(ServerErrorEvent.class)).hasSize(3)
				.allSatisfy((event) -> assertThat(event.getError()).isSameAs(cause));
		}
	}

	@Test
	void errorsOfAKindAreLoggedOnceAMinuteAtMost() {
		AtomicBoolean throwing = new AtomicBoolean();
		try (TestServer server = create((builder) -> builder.slotTimeout(Duration.ofMillis(20)))) {
			server.events().on(SlotRequestEvent.class, (event) -> {
				int number = Integer.parseInt(event.getRequest().connectionId().substring(1));
				switch (number % 3) {
					case 0 -> throw new IllegalStateException("thrown");
					case 1 -> event.assign(Mono.never());
					default -> {
					}
				}
			})
				.on(ConnectionEvent.class, (event) -> failWhen(throwing))
				.on(SlotFreeEvent.class, (event) -> failWhen(throwing));
			throwing.set(true);
			server.start();
			for (int i = 0; i < 60; i++) {
				try (TestClient client = server.connect()) {
					client.readLine();
				}
			}
			TestServer.await("ends", () -> assertThat(server.server().connections()).isEmpty());
			server.server().stop();
			assertThat(server.events().of(ServerErrorEvent.class)).hasSizeBetween(60, 80);
			List<String> logged = server.warnings();
			assertThat(logged).hasSize(3);
			assertThat(logged).filteredOn((message) -> message.contains("Refused a connection (connection c"))
				.singleElement()
				.asString()
				.contains("thrown")
				.endsWith("[java.lang.IllegalStateException]");
			assertThat(logged).filteredOn((message) -> message.contains("A listener of ")).hasSize(1);
			assertThat(logged).filteredOn((message) -> message.contains("not assigned a slot in time"))
				.singleElement()
				.asString()
				.as("without a stack trace")
				.doesNotEndWith("]");
		}
	}

	private TestServer create(UnaryOperator<CallosumServer.Builder> customizer) {
		return TestServer.create(this.transport, (builder) -> customizer.apply(this.threads.applyTo(builder)));
	}

	private static void failWhen(AtomicBoolean throwing) {
		if (throwing.get()) {
			throw new IllegalStateException("listener");
		}
	}

	private static void verifyLives(TestServer server, String... connectionIds) {
		assertThat(server.server().connections()).extracting(CallosumConnection::id).containsExactly(connectionIds);
	}

	private static void verifyErrors(TestServer server, Failure failure, String... connectionIds) {
		assertThat(server.events().of(ServerErrorEvent.class)).extracting(ServerErrorEvent::getConnectionId)
			.containsExactlyInAnyOrder(connectionIds);
		assertThat(server.events().of(ServerErrorEvent.class)).extracting(ServerErrorEvent::getError)
			.allSatisfy((error) -> assertThat(error).isExactlyInstanceOf(failure.type()));
	}

	@SuppressWarnings("NullAway")
	private static Mono<Void> returnNull() {
		return null;
	}

	private static int overflow() {
		return overflow() + 1;
	}

	/**
	 * What a listener throws, and what must be reported.
	 */
	enum Failure {

		UNCHECKED(IllegalStateException.class) {

			@Override
			void fail() {
				throw new IllegalStateException("unchecked");
			}

		},

		CHECKED(IOException.class) {

			@Override
			void fail() {
				throw new UndeclaredThrowableException(new IOException("checked"));
			}

			@Override
			void failInBean() throws Exception {
				throw new IOException("checked");
			}

		},

		WRAPPED(IOException.class) {

			@Override
			void fail() {
				throw new CompletionException(Exceptions.propagate(new IOException("checked")));
			}

		},

		STACK_OVERFLOW(StackOverflowError.class) {

			@Override
			void fail() {
				overflow();
			}

		};

		private final Class<? extends Throwable> type;

		Failure(Class<? extends Throwable> type) {
			this.type = type;
		}

		Class<? extends Throwable> type() {
			return this.type;
		}

		abstract void fail();

		void failInBean() throws Exception {
			fail();
		}

	}

	static class FailingListeners {

		private final Failure failure;

		private volatile Class<?> failingOn = Object.class;

		private volatile boolean refusing;

		FailingListeners(Failure failure) {
			this.failure = failure;
		}

		@EventListener
		@Order(0)
		void onEvent(CallosumServerEvent event) throws Exception {
			if (this.failingOn.isInstance(event)) {
				this.failure.failInBean();
			}
			if (this.refusing && event instanceof SlotRequestEvent) {
				this.failure.failInBean();
			}
		}

	}

	static class LaterListeners {

		private final Map<String, Integer> seen = new ConcurrentHashMap<>();

		@EventListener
		@Order(Ordered.LOWEST_PRECEDENCE)
		void onEvent(CallosumServerEvent event) {
			this.seen.merge(event.getClass().getSimpleName(), 1, Integer::sum);
		}

	}

}
