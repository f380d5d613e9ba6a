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

package io.callosum.server.faults;

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.stream.Stream;

import io.netty.channel.Channel;
import reactor.core.publisher.Mono;
import reactor.netty.DisposableChannel;

import io.callosum.server.CallosumConnection;
import io.callosum.server.CallosumServer;
import io.callosum.server.CallosumServerEvent;
import io.callosum.server.ConnectionEvent;
import io.callosum.server.Link;
import io.callosum.server.ListenerThreads;
import io.callosum.server.LowestSlotAllocator;
import io.callosum.server.ServerErrorEvent;
import io.callosum.server.ServerStartedEvent;
import io.callosum.server.ServerStoppedEvent;
import io.callosum.server.ServerStoppingEvent;
import io.callosum.server.SlotAllocator;
import io.callosum.server.SlotFreeEvent;
import io.callosum.server.SlotRequest;
import io.callosum.server.SlotRequestEvent;
import io.callosum.server.TestClient;
import io.callosum.server.TestServer;
import io.callosum.server.Transport;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Faults of listeners, executors and handlers.
 */
class ListenerFaultTests {

	private static final List<Class<? extends CallosumServerEvent>> CONNECTION_EVENTS = List.of(SlotRequestEvent.class,
			ConnectionEvent.class, SlotFreeEvent.class);

	@FaultTest
	void whateverAListenerThrowsOnWhicheverEventNoSlotIsLostAndNoOtherConnectionHarmed(Link link,
			ListenerThreads threads) {
		AtomicReference<Class<?>> event = new AtomicReference<>(Void.class);
		AtomicReference<Thrown> thrown = new AtomicReference<>();
		try (TestServer server = TestServer
			.create(link, (builder) -> threads.applyTo(builder.connectionHandler(Faults::echo)))
			.expectNextSlot(0)) {
			server.events().on(CallosumServerEvent.class, (published) -> {
				if (event.get().isInstance(published)) {
					Faults.sneak(thrown.get().throwable);
				}
			});
			server.start();
			TestClient other = server.connect();
			assertThat(other.readSlot()).isZero();
			int errors = 0;
			for (Thrown next : Thrown.values()) {
				thrown.set(next);
				for (Class<?> type : CONNECTION_EVENTS) {
					event.set(type);
					try (TestClient client = server.connect()) {
						assertThat(client.readLine()).as(next + " on " + type)
							.isEqualTo((type == SlotRequestEvent.class) ? "" : "1\r\n");
						if (type == ConnectionEvent.class) {
							int before = errors + 1;
							TestServer.await("error",
									() -> assertThat(server.events().of(ServerErrorEvent.class)).hasSize(before));
						}
					}
					server.awaitConnections(1);
					int expected = ++errors;
					TestServer.await("error",
							() -> assertThat(server.events().of(ServerErrorEvent.class)).hasSize(expected)
								.last()
								.satisfies((error) -> assertThat(error.getError()).isSameAs(next.throwable)));
				}
			}
			event.set(Void.class);
			assertThat(other.send("still here\n").readLine()).isEqualTo("still here\n");
			assertThat(server.measured("listenerFailed")).isEqualTo(CONNECTION_EVENTS.size() * Thrown.values().length);
		}
	}

	@FaultTest
	void whateverAHandlerThrowsItsConnectionIsClosedAndItsSlotFreed(Link link, ListenerThreads threads) {
		AtomicInteger calls = new AtomicInteger();
		Thrown[] all = Thrown.values();
		try (TestServer server = TestServer
			.create(link, (builder) -> threads.applyTo(builder.connectionHandler((connection) -> {
				int call = calls.getAndIncrement();
				if (call >= 2 * all.length) {
					return Mono.never();
				}
				Throwable throwable = all[call / 2].throwable;
				if (call % 2 == 0) {
					Faults.sneak(throwable);
				}
				return Mono.error(throwable);
			})))
			.start()) {
			for (int i = 0; i < 2 * all.length; i++) {
				TestClient client = server.connect();
				assertThat(client.readSlot()).isZero();
				assertThat(client.isRefused()).isTrue();
				server.awaitConnections(0);
			}
			assertThat(server.events().of(ServerErrorEvent.class)).extracting(ServerErrorEvent::getError)
				.containsExactlyElementsOf(
						Stream.of(all).flatMap((one) -> Stream.of(one.throwable, one.throwable)).toList());
		}
	}

	@FaultTest
	void aListenerThatInterruptsItsThreadHarmsNoConnection(Link link, ListenerThreads threads) {
		try (TestServer server = TestServer.create(link,
				(builder) -> threads.applyTo(builder.connectionHandler(Faults::echo)))) {
			server.events().on(CallosumServerEvent.class, (event) -> {
				if (!(event instanceof ServerStartedEvent)) {
					Thread.currentThread().interrupt();
				}
			});
			server.start();
			for (int i = 0; i < 20; i++) {
				TestClient client = server.connect();
				assertThat(client.readSlot()).isZero();
				assertThat(client.send("hello\n").readLine()).isEqualTo("hello\n");
				client.close();
				server.awaitConnections(0);
			}
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
		}
	}

	@FaultTest
	void aListenerMayCloseItsConnectionInAnyWayInAnyEvent(Link link, ListenerThreads threads) {
		AtomicReference<Class<?>> event = new AtomicReference<>();
		AtomicReference<Means> means = new AtomicReference<>();
		AtomicReference<Answer> answer = new AtomicReference<>();
		AtomicReference<Channel> channel = new AtomicReference<>();
		try (TestServer server = TestServer.create(link, (builder) -> threads.applyTo(builder.customizer(
				(tcpServer) -> tcpServer.doOnChannelInit((observer, accepted, address) -> channel.set(accepted)))))) {
			server.events()
				.on(SlotRequestEvent.class, (request) -> answer.get().how.accept(request))
				.on(ConnectionEvent.class, (connection) -> {
					if (event.get() == ConnectionEvent.class) {
						means.get().close(connection.getConnection(), channel.get());
					}
				})
				.on(SlotFreeEvent.class, (free) -> means.get().close(free.getConnection(), channel.get()));
			server.start();
			int connections = 0;
			for (Means nextMeans : Means.values()) {
				for (Answer nextAnswer : Answer.values()) {
					means.set(nextMeans);
					answer.set(nextAnswer);
					event.set(ConnectionEvent.class);
					TestClient client = server.connect();
					assertThat(client.readLine()).as(nextMeans + " " + nextAnswer).isIn("", "0\r\n");
					server.awaitConnections(0);
					client.close();
					event.set(SlotFreeEvent.class);
					client = server.connect();
					assertThat(client.readSlot()).as(nextMeans + " " + nextAnswer).isZero();
					client.close();
					server.awaitConnections(0);
					connections += 2;
				}
			}
			assertThat(server.events().of(SlotFreeEvent.class)).hasSize(connections);
			Faults.verifyNoError(server);
			server.expectNextSlot(0);
		}
	}

	@FaultTest
	void aListenerMayStopTheServerInAnyEventAndStartItWhenItHasStopped(Link link, ListenerThreads threads) {
		AtomicReference<Class<?>> event = new AtomicReference<>(Void.class);
		AtomicBoolean failing = new AtomicBoolean();
		try (TestServer server = TestServer.create(link, threads::applyTo)) {
			server.events().on(CallosumServerEvent.class, (published) -> {
				if (event.get().isInstance(published)) {
					event.set(Void.class);
					server.server().stop();
				}
				if (published instanceof SlotRequestEvent && failing.get()) {
					throw new IllegalStateException("refused");
				}
			});
			int stops = 0;
			for (Class<?> type : List.of(ServerStartedEvent.class, SlotRequestEvent.class, ConnectionEvent.class,
					SlotFreeEvent.class, ServerErrorEvent.class, ServerStoppingEvent.class, ServerStoppedEvent.class)) {
				event.set(type);
				failing.set(type == ServerErrorEvent.class);
				int expected = ++stops;
				server.start();
				if (type != ServerStartedEvent.class) {
					TestClient client = server.connect();
					client.readLine();
					client.close();
				}
				if (type == ServerStoppingEvent.class || type == ServerStoppedEvent.class) {
					server.server().stop();
				}
				TestServer.await("stop in " + type, () -> {
					assertThat(server.events().of(ServerStoppedEvent.class)).hasSize(expected);
					assertThat(server.server().isRunning()).isFalse();
				});
				assertThat(server.server().connections()).isEmpty();
			}
			failing.set(false);
			server.start().expectNextSlot(0);
		}
	}

	@FaultTest
	void aListenerMayStartAndStopAnotherServerWhereItMayBlock(Transport transport, ListenerThreads threads) {
		CallosumServer other = CallosumServer.builder()
			.host("127.0.0.1")
			.port(0)
			.nativeTransport(transport.isNative())
			.build();
		try (TestServer server = TestServer.create(transport, threads::applyTo)) {
			server.events().on(ConnectionEvent.class, (event) -> other.start()).on(SlotFreeEvent.class, (event) -> {
				other.stop();
				assertThat(threads == ListenerThreads.POOL && other.isRunning()).isFalse();
			});
			server.start();
			for (int i = 1; i <= 3; i++) {
				TestClient client = server.connect();
				assertThat(client.readSlot()).isZero();
				if (threads == ListenerThreads.POOL) {
					TestServer.await("other server", () -> assertThat(other.isRunning()).isTrue());
					try (TestClient second = new TestClient(other.address())) {
						assertThat(second.readSlot()).isZero();
					}
				}
				client.close();
				server.awaitConnections(0);
				assertThat(other.isRunning()).isFalse();
			}
			// Waiting for a port on an event loop throws
			TestServer.await("errors", () -> assertThat(server.events().of(ServerErrorEvent.class))
				.hasSize((threads == ListenerThreads.POOL) ? 0 : 3));
		}
		finally {
			other.stop();
		}
	}

	@FaultTest
	void anAllocatorThatHoldsUpAReleaseHoldsUpNoOtherConnection(Link link, Release how) {
		IllegalStateException failure = new IllegalStateException("stub");
		CountDownLatch release = new CountDownLatch(1);
		CountDownLatch releasing = new CountDownLatch(1);
		LowestSlotAllocator slots = new LowestSlotAllocator();
		SlotAllocator allocator = new SlotAllocator() {

			@Override
			public int allocate(SlotRequest request) {
				return slots.allocate(request);
			}

			@Override
			public void release(int slot) {
				if (slot == 0) {
					releasing.countDown();
					await(release);
				}
				slots.release(slot);
				if (slot == 0 && how == Release.THROWS) {
					throw failure;
				}
			}

		};
		try (TestServer server = TestServer
			.create(link, (builder) -> ListenerThreads.POOL.applyTo(builder.slotAllocator(allocator)))
			.start()) {
			TestClient first = server.connect();
			assertThat(first.readSlot()).isZero();
			first.close();
			await(releasing);
			for (int i = 0; i < 8; i++) {
				assertThat(server.connect().readSlot()).isEqualTo(i + 1);
			}
			release.countDown();
			server.awaitConnections(8);
			assertThat(server.connect().readSlot()).isZero();
			if (how == Release.RETURNS) {
				Faults.verifyNoError(server);
			}
			else {
				TestServer.await("error",
						() -> assertThat(server.events().of(ServerErrorEvent.class)).singleElement()
							.extracting(ServerErrorEvent::getError)
							.isSameAs(failure));
			}
		}
		finally {
			release.countDown();
		}
	}

	private static void await(CountDownLatch latch) {
		try {
			assertThat(latch.await(60, TimeUnit.SECONDS)).isTrue();
		}
		catch (InterruptedException ex) {
			throw new IllegalStateException(ex);
		}
	}

	/**
	 * What user code throws, including checked exceptions, as from other languages.
	 */
	enum Thrown {

		RUNTIME(new IllegalStateException("stub")), CHECKED(new IOException("stub")),
		INTERRUPTED(new InterruptedException("stub")), NO_MEMORY(new OutOfMemoryError("stub")),
		NO_STACK(new StackOverflowError()), NO_CLASS(new NoClassDefFoundError("stub")),
		ASSERTION(new AssertionError("stub")), ANYTHING(new Throwable("stub"));

		private final Throwable throwable;

		Thrown(Throwable throwable) {
			this.throwable = throwable;
		}

	}

	/**
	 * How a release ends.
	 */
	enum Release {

		RETURNS, THROWS

	}

	/**
	 * What answers a request for a slot, and when.
	 */
	enum Answer {

		ALLOCATOR((event) -> {
		}), AT_ONCE((event) -> event.assign(0)), PUBLISHED_AT_ONCE((event) -> event.assign(Mono.just(0))),
		LATER((event) -> event.assign(Mono.delay(Duration.ofMillis(5)).map((tick) -> 0)));

		private final Consumer<SlotRequestEvent> how;

		Answer(Consumer<SlotRequestEvent> how) {
			this.how = how;
		}

	}

	/**
	 * How an application closes a connection.
	 */
	enum Means {

		CLOSE((connection, channel) -> connection.close()),

		CLOSE_TWICE((connection, channel) -> {
			connection.close();
			connection.close();
		}),

		CHANNEL((connection, channel) -> channel.close()),

		PIPELINE_AND_CLOSE((connection, channel) -> {
			channel.pipeline().close();
			connection.close();
		}),

		DISCONNECT((connection, channel) -> channel.disconnect()),

		DISPOSE((connection, channel) -> connection.outbound().withConnection(DisposableChannel::dispose));

		private final BiConsumer<CallosumConnection, Channel> how;

		Means(BiConsumer<CallosumConnection, Channel> how) {
			this.how = how;
		}

		private void close(CallosumConnection connection, Channel channel) {
			this.how.accept(connection, channel);
		}

	}

}
