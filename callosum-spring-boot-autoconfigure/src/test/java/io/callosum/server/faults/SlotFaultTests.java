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
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.Supplier;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.util.ReferenceCountUtil;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Operators;

import io.callosum.server.ConnectionEvent;
import io.callosum.server.EndReason;
import io.callosum.server.Link;
import io.callosum.server.ListenerThreads;
import io.callosum.server.LowestSlotAllocator;
import io.callosum.server.NoSlotAvailableException;
import io.callosum.server.ServerErrorEvent;
import io.callosum.server.ServerStoppedEvent;
import io.callosum.server.SlotAllocator;
import io.callosum.server.SlotFreeEvent;
import io.callosum.server.SlotRequest;
import io.callosum.server.SlotRequestEvent;
import io.callosum.server.TestClient;
import io.callosum.server.TestServer;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Faults of code that assigns slots, from the slot request to the written line.
 */
class SlotFaultTests {

	@FaultTest
	void aBadAnswerRefusesWithoutAByteAndTheNextIsServed(Link link, ListenerThreads threads) {
		AtomicReference<BadAnswer> answer = new AtomicReference<>();
		AtomicBoolean spoilt = new AtomicBoolean();
		SlotAllocator allocator = new SpoilingAllocator(answer, spoilt);
		try (TestServer server = TestServer
			.create(link,
					(builder) -> threads.applyTo(builder.slotAllocator(allocator).slotTimeout(Duration.ofSeconds(1))))
			.expectNextSlot(0)) {
			server.events().on(SlotRequestEvent.class, (event) -> {
				if (spoilt.get()) {
					answer.get().listener.accept(event);
				}
			});
			server.start();
			assertThat(server.connect().readSlot()).isZero();
			int errors = 0;
			int frees = 0;
			for (BadAnswer bad : BadAnswer.values()) {
				answer.set(bad);
				spoilt.set(true);
				assertThat(server.connect().isRefused()).as(bad.name()).isTrue();
				spoilt.set(false);
				errors += (bad == BadAnswer.NO_SLOT) ? 0 : 1;
				int expected = errors;
				TestServer.await(bad.name(),
						() -> assertThat(server.events().of(ServerErrorEvent.class)).hasSize(expected));
				TestClient next = server.connect();
				assertThat(next.readSlot()).as("next after " + bad).isOne();
				next.close();
				server.awaitConnections(1);
				assertThat(server.events().of(SlotFreeEvent.class)).as("free after " + bad).hasSize(++frees);
			}
		}
	}

	@FaultTest
	void clientsThatLeaveWhileTheirSlotIsOnTheWayLeakNoneAndFreeNoneTwice(Link link, ListenerThreads threads) {
		try (TestServer server = TestServer.create(link, threads::applyTo)) {
			DelayedSlots slots = new DelayedSlots(server);
			server.start();
			int storms = 0;
			do {
				Faults.inThreads(Faults.storm(link), (i) -> {
					TestClient client = server.connect();
					Faults.pause(3000);
					if (i % 2 == 0) {
						client.cut();
					}
					else {
						client.reset();
					}
				});
				server.awaitAccepted().verifyNothingLeft();
				slots.awaitAllFreed(server);
			}
			while (!haveSomeLeftBeforeTheirSlotAndSomeAfter(server) && ++storms < 10);
			assertThat(haveSomeLeftBeforeTheirSlotAndSomeAfter(server)).isTrue();
			slots.verifyNoneFreedTwice();
			Faults.verifyNoError(server);
			server.expectNextSlot(0);
		}
	}

	private static boolean haveSomeLeftBeforeTheirSlotAndSomeAfter(TestServer server) {
		int freed = server.events().of(SlotFreeEvent.class).size();
		int connected = server.events().of(ConnectionEvent.class).size();
		return 0 < connected && connected < freed;
	}

	@FaultTest
	void anAnswerAfterTheTimeoutIsFreedAtOnce(Link link, ListenerThreads threads) {
		CompletableFuture<Integer> answer = new CompletableFuture<>();
		try (TestServer server = TestServer.create(link,
				(builder) -> threads.applyTo(builder.slotTimeout(Duration.ofSeconds(1))))) {
			server.events().on(SlotRequestEvent.class, (event) -> event.assign(Mono.fromFuture(answer, true)));
			server.start();
			assertThat(server.connect().isRefused()).isTrue();
			TestServer.await("error", () -> assertThat(server.events().of(ServerErrorEvent.class)).hasSize(1));
			answer.complete(4);
			TestServer.await("free",
					() -> assertThat(server.events().of(SlotFreeEvent.class)).singleElement()
						.extracting(SlotFreeEvent::getReason)
						.isEqualTo(EndReason.SLOT_TIMEOUT));
			assertThat(server.events().of(ConnectionEvent.class)).isEmpty();
			assertThat(server.measured("slotRequestOverdue")).isOne();
			assertThat(server.measured("overdueSlotRequestAnswered")).isOne();
			server.expectNextSlot(4);
		}
	}

	@FaultTest
	void anAnswerThatTheTimeoutItselfBringsIsOverdue(Link link, ListenerThreads threads) {
		CompletableFuture<Integer> answer = new CompletableFuture<>();
		try (TestServer server = TestServer.create(link,
				(builder) -> threads.applyTo(builder.slotTimeout(Duration.ofMillis(200))
					.customizer((tcpServer) -> tcpServer.doOnChannelInit((observer, channel,
							address) -> channel.closeFuture().addListener((closed) -> answer.complete(4))))))) {
			server.events().on(SlotRequestEvent.class, (event) -> event.assign(Mono.fromFuture(answer, true)));
			server.start();
			assertThat(server.connect().isRefused()).isTrue();
			TestServer.await("free", () -> assertThat(server.events().of(SlotFreeEvent.class)).hasSize(1));
			server.verifyNothingLeft();
			assertThat(server.measured("slotRequestOverdue")).isOne();
			assertThat(server.measured("overdueSlotRequestAnswered")).isOne();
		}
	}

	@FaultTest
	void anAnswerThatComesInTheMiddleOfTheCloseIsFreedOnce(Link link, ListenerThreads threads, Moment moment) {
		Map<String, CompletableFuture<Integer>> answers = new ConcurrentHashMap<>();
		try (TestServer server = TestServer.create(link, (builder) -> threads
			.applyTo(builder.customizer((tcpServer) -> tcpServer.doOnChannelInit((observer, channel, address) -> {
				Runnable answer = () -> answers.values().forEach((future) -> future.complete(4));
				channel.closeFuture().addListener((closed) -> {
					if (moment == Moment.BEFORE_THE_SERVER_KNOWS) {
						answer.run();
					}
					else {
						channel.eventLoop().execute(answer);
					}
				});
			}))))) {
			server.events().on(SlotRequestEvent.class, (event) -> {
				CompletableFuture<Integer> answer = new CompletableFuture<>();
				answers.put(event.getRequest().connectionId(), answer);
				event.assign(Mono.fromFuture(answer, true));
			});
			server.start();
			for (int i = 1; i <= 10; i++) {
				int expected = i;
				TestClient client = server.connect();
				TestServer.await("request", () -> assertThat(answers).hasSize(1));
				client.reset();
				TestServer.await("free", () -> assertThat(server.events().of(SlotFreeEvent.class)).hasSize(expected));
				answers.clear();
			}
			server.verifyNothingLeft();
			assertThat(server.events().of(ConnectionEvent.class)).isEmpty();
			Faults.verifyNoError(server);
		}
	}

	@FaultTest
	void aPeerThatLeavesExactlyWhileItsLineIsWrittenHasItsSlotFreedOnce(Link link, ListenerThreads threads) {
		AtomicReference<TestClient> peer = new AtomicReference<>();
		AtomicBoolean requested = new AtomicBoolean();
		try (TestServer server = TestServer.create(link,
				(builder) -> threads.applyTo(builder.customizer((tcpServer) -> tcpServer
					.doOnChannelInit((observer, channel, address) -> channel.pipeline().addFirst(new OnWrite(() -> {
						TestClient client = peer.get();
						if (client != null && requested.compareAndSet(true, false)) {
							client.reset();
						}
						return null;
					}))))))) {
			AtomicReference<CompletableFuture<Integer>> connected = new AtomicReference<>();
			server.events()
				.on(SlotRequestEvent.class, (event) -> event.assign(
						Mono.fromFuture(connected.get(), true).doOnNext((slot) -> requested.set(peer.get() != null))));
			server.start();
			for (int i = 1; i <= 10; i++) {
				int expected = i;
				connected.set(new CompletableFuture<>());
				peer.set(server.connect());
				TestServer.await("request",
						() -> assertThat(server.events().of(SlotRequestEvent.class)).hasSize(expected));
				connected.get().complete(0);
				TestServer.await("free", () -> assertThat(server.events().of(SlotFreeEvent.class)).hasSize(expected));
				server.verifyNothingLeft();
			}
			peer.set(null);
			Faults.verifyNoError(server);
			server.expectNextSlot(0);
		}
	}

	@FaultTest
	void aLineThatCannotBeWrittenEndsTheConnectionWithoutAConnectionEvent(Link link, ListenerThreads threads) {
		AtomicBoolean failing = new AtomicBoolean();
		try (TestServer server = TestServer
			.create(link, (builder) -> threads.applyTo(builder
				.customizer((tcpServer) -> tcpServer.doOnChannelInit((observer, channel, address) -> channel.pipeline()
					.addFirst(new OnWrite(() -> failing.get() ? new IOException("No space left on device") : null))))))
			.expectNextSlot(0)) {
			server.events().on(SlotFreeEvent.class, (event) -> failing.set(false));
			server.events().on(SlotRequestEvent.class, (event) -> failing.set(server.measured("accepted") < 4));
			server.start();
			for (int i = 1; i <= 3; i++) {
				int expected = i;
				assertThat(server.connect().isRefused()).isTrue();
				TestServer.await("free", () -> {
					assertThat(server.events().of(SlotFreeEvent.class)).hasSize(expected);
					assertThat(failing).isFalse();
				});
			}
			assertThat(server.events().of(ConnectionEvent.class)).isEmpty();
		}
	}

	@FaultTest
	void theLineComesFirstAndAloneAlthoughAListenerWritesAtOnce(Link link, ListenerThreads threads) {
		AtomicBoolean writing = new AtomicBoolean(true);
		try (TestServer server = TestServer.create(link, threads::applyTo)) {
			server.events().on(ConnectionEvent.class, (event) -> {
				// Off the event loop, Reactor Netty leaks what it writes while the peer
				// leaves
				if (writing.get()) {
					event.getConnection().outbound().sendString(Mono.just("X")).then().subscribe();
				}
			});
			server.start();
			for (int i = 0; i < 20; i++) {
				try (TestClient client = server.connect()) {
					assertThat(client.readLine()).isEqualTo("0\r\n");
					assertThat(client.read()).isEqualTo('X');
				}
				server.awaitConnections(0);
			}
			writing.set(false);
		}
	}

	@FaultTest
	void anAllocatorMayCallTheServerAndStopIt(Link link, ListenerThreads threads) {
		AtomicReference<TestServer> created = new AtomicReference<>();
		AtomicInteger stopIn = new AtomicInteger();
		LowestSlotAllocator slots = new LowestSlotAllocator();
		SlotAllocator allocator = new SlotAllocator() {

			@Override
			public int allocate(SlotRequest request) {
				call(1);
				return slots.allocate(request);
			}

			@Override
			public void release(int slot) {
				slots.release(slot);
				call(2);
			}

			private void call(int where) {
				TestServer server = created.get();
				server.server().connections().forEach((connection) -> assertThat(connection.id()).isNotEmpty());
				assertThat(server.server().address()).isNotNull();
				if (stopIn.compareAndSet(where, 0)) {
					server.server().stop();
				}
			}

		};
		try (TestServer server = TestServer.create(link,
				(builder) -> threads.applyTo(builder.slotAllocator(allocator)))) {
			created.set(server);
			server.start();
			for (int where = 0; where <= 2; where++) {
				stopIn.set(where);
				int stops = where;
				TestClient client = server.connect();
				client.readLine();
				client.close();
				TestServer.await("stop", () -> {
					assertThat(server.events().of(ServerStoppedEvent.class)).hasSize(stops);
					assertThat(server.server().isRunning()).isEqualTo(stops == 0);
				});
				server.start();
			}
			server.expectNextSlot(0);
		}
	}

	/**
	 * When an answer comes.
	 */
	enum Moment {

		BEFORE_THE_SERVER_KNOWS, RIGHT_AFTER

	}

	/**
	 * Invalid answers to a request.
	 */
	enum BadAnswer {

		LISTENER_THROWS((event) -> {
			throw new IllegalStateException("listener");
		}),

		REJECT((event) -> event.reject(new IOException("rejected"))),

		NO_SLOT((event) -> event.reject(new NoSlotAvailableException("none"))),

		HELD((event) -> event.assign(0)),

		PUBLISHER_OF_HELD((event) -> event.assign(Mono.just(0))),

		PUBLISHER_OF_NEGATIVE((event) -> event.assign(Mono.just(-1))),

		PUBLISHER_OF_NULL((event) -> event.assign((Publisher<Integer>) (subscriber) -> {
			subscriber.onSubscribe(Operators.emptySubscription());
			subscriber.onNext(null);
		})),

		PUBLISHER_WITHOUT_SUBSCRIPTION((event) -> event.assign((Publisher<Integer>) (subscriber) -> {
			subscriber.onError(new IOException("no subscription"));
		})),

		EMPTY((event) -> event.assign(Mono.empty())),

		NEVER((event) -> event.assign(Mono.never())),

		NOTHING((event) -> event.assign((Publisher<Integer>) (subscriber) -> {
		})),

		FAILED((event) -> event.assign(Mono.error(new IOException("failed")))),

		FAILED_LATER((event) -> event
			.assign(Mono.delay(Duration.ofMillis(5)).then(Mono.error(new OutOfMemoryError("stub"))))),

		SUBSCRIBE_THROWS((event) -> event.assign((Publisher<Integer>) (subscriber) -> {
			throw new StackOverflowError();
		})),

		ALLOCATOR_THROWS(SlotFaultTests::leaveToTheAllocator),

		ALLOCATOR_NEGATIVE(SlotFaultTests::leaveToTheAllocator),

		ALLOCATOR_HELD(SlotFaultTests::leaveToTheAllocator),

		ALLOCATOR_ERROR(SlotFaultTests::leaveToTheAllocator);

		private final Consumer<SlotRequestEvent> listener;

		BadAnswer(Consumer<SlotRequestEvent> listener) {
			this.listener = listener;
		}

	}

	private static void leaveToTheAllocator(SlotRequestEvent event) {
		assertThat(event.isAnswered()).isFalse();
	}

	private static final class SpoilingAllocator implements SlotAllocator {

		private final LowestSlotAllocator slots = new LowestSlotAllocator();

		private final AtomicReference<BadAnswer> answer;

		private final AtomicBoolean spoilt;

		private SpoilingAllocator(AtomicReference<BadAnswer> answer, AtomicBoolean spoilt) {
			this.answer = answer;
			this.spoilt = spoilt;
		}

		@Override
		public int allocate(SlotRequest request) {
			if (!this.spoilt.get()) {
				return this.slots.allocate(request);
			}
			return switch (this.answer.get()) {
				case ALLOCATOR_THROWS -> throw new IllegalStateException("allocator");
				case ALLOCATOR_NEGATIVE -> Integer.MIN_VALUE;
				case ALLOCATOR_ERROR -> throw new NoClassDefFoundError("allocator");
				default -> 0;
			};
		}

		@Override
		public void release(int slot) {
			this.slots.release(slot);
		}

	}

	/**
	 * Does something before each write, and fails the write if that returns a failure.
	 */
	private static final class OnWrite extends ChannelOutboundHandlerAdapter {

		private final Supplier<Throwable> before;

		private OnWrite(Supplier<Throwable> before) {
			this.before = before;
		}

		@Override
		public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
			Throwable failure = this.before.get();
			if (failure != null) {
				ReferenceCountUtil.release(message);
				promise.tryFailure(failure);
			}
			else {
				ctx.write(message, promise);
			}
		}

	}

}
