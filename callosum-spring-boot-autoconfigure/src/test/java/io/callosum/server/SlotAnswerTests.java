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
import java.lang.ref.WeakReference;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;

import io.netty.channel.Channel;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Schedulers;
import reactor.test.publisher.TestPublisher;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

/**
 * Tests for the answers to a slot request: which count, which refuse, and what happens to
 * those that come too late.
 */
@ParameterizedClass
@EnumSource
class SlotAnswerTests {

	private static final Duration SHORT = Duration.ofMillis(150);

	@Parameter
	Transport transport;

	// Answers that give a slot

	@Test
	void aListenerAssignsASlot() {
		try (TestServer server = answering((event) -> event.assign(42)).start()) {
			TestClient client = server.connect();
			assertThat(client.readLine()).isEqualTo("42\r\n");
			assertThat(server.slotsInUse()).as("slots of the allocator").isZero();
			client.close();
			server.server().stop();
			verifyServed(server, 1, 42);
		}
	}

	@Test
	void theHighestNumberIsASlot() {
		try (TestServer server = answering((event) -> event.assign(Integer.MAX_VALUE)).start()) {
			assertThat(server.connect().readLine()).isEqualTo("2147483647\r\n");
		}
	}

	@Test
	void aPublisherThatEmitsAtOnceAssignsASlot() {
		try (TestServer server = answering((event) -> event.assign(Mono.just(7))).start()) {
			assertThat(server.connect().readSlot()).isEqualTo(7);
			server.server().stop();
			verifyServed(server, 1, 7);
		}
	}

	@Test
	void aPublisherThatEmitsLaterOnAThreadOfItsOwnAssignsASlot() {
		AtomicReference<Thread> emitter = new AtomicReference<>();
		try (TestServer server = answering(
				(event) -> event.assign(Mono.delay(Duration.ofMillis(20), Schedulers.boundedElastic()).map((tick) -> {
					emitter.set(Thread.currentThread());
					return 7;
				})))
			.start()) {
			assertThat(server.connect().readSlot()).isEqualTo(7);
			assertThat(emitter.get().getName()).startsWith("boundedElastic");
			server.server().stop();
			verifyServed(server, 1, 7);
		}
	}

	@Test
	void thePublisherIsSubscribedOnceAfterTheListenersHaveReturned() {
		List<String> calls = new CopyOnWriteArrayList<>();
		try (TestServer server = answering((event) -> event.assign(Mono.fromSupplier(() -> {
			calls.add("subscribed");
			return 3;
		})))) {
			server.events().on(SlotRequestEvent.class, (event) -> calls.add("last listener"));
			server.start();
			assertThat(server.connect().readSlot()).isEqualTo(3);
			assertThat(calls).containsExactly("last listener", "subscribed");
		}
	}

	@Test
	void theFirstElementOfAPublisherIsTheAnswerAndTheRestIsIgnored() {
		TestPublisher<Integer> publisher = TestPublisher.<Integer>create();
		try (TestServer server = answering((event) -> event.assign(publisher)).start()) {
			TestClient client = server.connect();
			awaitSubscription(publisher);
			publisher.next(5, 6, -1).error(new IllegalStateException("late"));
			assertThat(client.readSlot()).isEqualTo(5);
			client.close();
			server.server().stop();
			verifyServed(server, 1, 5);
			publisher.assertWasNotCancelled();
		}
	}

	@Test
	void oneElementIsAskedForSoThatAnEndlessPublisherGivesOneSlot() {
		AtomicInteger taken = new AtomicInteger();
		Flux<Integer> slots = Flux.generate((sink) -> sink.next(taken.getAndIncrement()));
		try (TestServer server = answering((event) -> event.assign(slots)).start()) {
			assertThat(server.connect().readSlot()).isZero();
			assertThat(server.connect().readSlot()).isEqualTo(1);
			assertThat(taken).hasValue(2);
		}
	}

	@Test
	void theSecondAnswerThrowsAndTheFirstWins() {
		List<Runnable> attempts = new ArrayList<>();
		AtomicInteger failures = new AtomicInteger();
		try (TestServer server = answering((event) -> {
			assertThat(event.isAnswered()).isFalse();
			event.assign(1);
			assertThat(event.isAnswered()).isTrue();
			attempts.add(() -> event.assign(2));
			attempts.add(() -> event.assign(Mono.just(3)));
			attempts.add(() -> event.reject(new IllegalStateException()));
		})) {
			server.events().on(SlotRequestEvent.class, (event) -> attempts.forEach((attempt) -> {
				assertThatIllegalStateException().isThrownBy(attempt::run).withMessageContaining("already answered");
				failures.incrementAndGet();
			}));
			server.start();
			assertThat(server.connect().readSlot()).isOne();
			assertThat(failures).hasValue(3);
			server.server().stop();
			verifyServed(server, 1, 1);
		}
	}

	@Test
	void anAnswerAfterThePublicationThrowsAndChangesNothing() {
		try (TestServer server = TestServer.create(this.transport).start()) {
			assertThat(server.connect().readSlot()).isZero();
			SlotRequestEvent event = server.events().of(SlotRequestEvent.class).get(0);
			assertThat(event.isAnswered()).isFalse();
			assertThatIllegalStateException().isThrownBy(() -> event.assign(1))
				.withMessageContaining("while its event");
			assertThatIllegalStateException().isThrownBy(() -> event.assign(Mono.just(1)));
			assertThatIllegalStateException().isThrownBy(() -> event.reject(new IllegalStateException()));
			assertThat(event.isAnswered()).isFalse();
			server.server().stop();
			verifyServed(server, 1, 0);
		}
	}

	@Test
	void assigningANegativeSlotThrowsToTheCallerWhoMayAnswerAgain() {
		try (TestServer server = answering((event) -> {
			assertThatIllegalArgumentException().isThrownBy(() -> event.assign(-1)).withMessageContaining("-1");
			assertThat(event.isAnswered()).isFalse();
			event.assign(4);
		}).start()) {
			assertThat(server.connect().readSlot()).isEqualTo(4);
			server.server().stop();
			verifyServed(server, 1, 4);
		}
	}

	@Test
	@SuppressWarnings("NullAway")
	void assigningNoPublisherThrowsToTheCaller() {
		try (TestServer server = answering((event) -> {
			assertThatIllegalArgumentException().isThrownBy(() -> event.assign((Publisher<Integer>) null));
			assertThatIllegalArgumentException().isThrownBy(() -> event.reject(null));
			assertThat(event.isAnswered()).isFalse();
		}).start()) {
			assertThat(server.connect().readSlot()).isZero();
		}
	}

	@Test
	void aRequestThatNobodyAnswersIsTheAllocators() {
		try (TestServer server = answering((event) -> {
		}).start()) {
			assertThat(server.connect().readSlot()).isZero();
			assertThat(server.slotsInUse()).isOne();
			assertThat(server.connect().readSlot()).isOne();
			assertThat(server.slotsInUse()).isEqualTo(2);
		}
	}

	// Answers that refuse

	@Test
	void aListenerRejects() {
		RuntimeException cause = new RuntimeException("not today");
		verifyRefused((event) -> event.reject(cause), (error) -> assertThat(error).isSameAs(cause));
	}

	@Test
	void aListenerThrows() {
		RuntimeException cause = new RuntimeException("oops");
		verifyRefused((event) -> {
			throw cause;
		}, (error) -> assertThat(error).isSameAs(cause));
	}

	@Test
	void rejectingForWantOfSlotsIsNoError() {
		verifyRefusedSilently(UnaryOperator.identity(),
				(event) -> event.reject(new NoSlotAvailableException("all are taken")));
	}

	@Test
	void throwingForWantOfSlotsIsNoError() {
		verifyRefusedSilently(UnaryOperator.identity(), (event) -> {
			throw new NoSlotAvailableException("all are taken");
		});
	}

	@Test
	void aPublisherThatFailsForWantOfSlotsIsNoError() {
		verifyRefusedSilently(UnaryOperator.identity(),
				(event) -> event.assign(Mono.error(new NoSlotAvailableException("all are taken"))));
	}

	@Test
	void anAllocatorWithoutAFreeSlotIsNoError() {
		verifyRefusedSilently((builder) -> builder.slotAllocator(allocator((request) -> {
			throw new NoSlotAvailableException("all are taken");
		})), (event) -> {
		});
	}

	@Test
	void anEmptyPublisherRefuses() {
		verifyRefused((event) -> event.assign(Mono.empty()),
				(error) -> assertThat(error).isInstanceOf(IllegalStateException.class)
					.hasMessageContaining("without a slot"));
	}

	@Test
	void aPublisherThatFailsRefuses() {
		IOException cause = new IOException("the store is down");
		verifyRefused((event) -> event.assign(Mono.error(cause)), (error) -> assertThat(error).isSameAs(cause));
	}

	@Test
	void aPublisherThatFailsLaterRefuses() {
		IOException cause = new IOException("the store is down");
		verifyRefused(
				(event) -> event.assign(Mono.delay(Duration.ofMillis(20)).then(Mono.fromCallable(() -> fail(cause)))),
				(error) -> assertThat(error).isSameAs(cause));
	}

	@Test
	void aPublisherOfANegativeNumberRefuses() {
		verifyRefused((event) -> event.assign(Mono.just(-3)),
				(error) -> assertThat(error).isInstanceOf(IllegalStateException.class).hasMessageContaining("-3"));
	}

	@Test
	void aPublisherThatThrowsWhenItIsSubscribedRefuses() {
		IllegalStateException cause = new IllegalStateException("no");
		verifyRefused((event) -> event.assign((subscriber) -> {
			throw cause;
		}), (error) -> assertThat(error).isSameAs(cause));
	}

	@Test
	void aPublisherThatOverflowsTheStackRefuses() {
		verifyRefused((event) -> event.assign((subscriber) -> overflow()),
				(error) -> assertThat(error).isInstanceOf(StackOverflowError.class));
		verifyRefused((event) -> event.assign(Mono.fromSupplier(SlotAnswerTests::overflow)),
				(error) -> assertThat(error).isInstanceOf(StackOverflowError.class));
	}

	@Test
	@SuppressWarnings("NullAway")
	void aPublisherOfNullRefuses() {
		verifyRefused((event) -> event.assign((subscriber) -> {
			subscriber.onSubscribe(reactor.core.publisher.Operators.emptySubscription());
			subscriber.onNext(null);
		}), (error) -> assertThat(error).isInstanceOf(NullPointerException.class));
	}

	@Test
	void aPublisherThatNeverEmitsRefusesWhenTheTimeIsOver() {
		TestPublisher<Integer> publisher = TestPublisher.create();
		verifyRefused((builder) -> builder.slotTimeout(SHORT), (event) -> event.assign(publisher),
				(error) -> assertThat(error).isInstanceOf(TimeoutException.class).hasMessageContaining("150 ms"));
		publisher.assertWasSubscribed();
		publisher.assertWasNotCancelled();
	}

	@Test
	void anAllocatorThatThrowsRefuses() {
		RuntimeException cause = new RuntimeException("broken");
		verifyRefused((builder) -> builder.slotAllocator(allocator((request) -> {
			throw cause;
		})), (event) -> {
		}, (error) -> assertThat(error).isSameAs(cause));
	}

	@Test
	void anAllocatorThatOverflowsTheStackRefuses() {
		verifyRefused((builder) -> builder.slotAllocator(allocator((request) -> overflow())), (event) -> {
		}, (error) -> assertThat(error).isInstanceOf(StackOverflowError.class));
	}

	@Test
	void anAllocatorThatReturnsANegativeSlotRefusesAndGetsNothingBack() {
		verifyRefused((builder) -> builder.slotAllocator(allocator((request) -> -1)), (event) -> {
		}, (error) -> assertThat(error).isInstanceOf(IllegalStateException.class).hasMessageContaining("-1"));
	}

	@Test
	void theHolderOfASlotThatIsAssignedTwiceKeepsIt() {
		try (TestServer server = answering((event) -> event.assign(3)).start()) {
			TestClient holder = server.connect();
			assertThat(holder.readSlot()).isEqualTo(3);
			assertThat(server.connect().isRefused()).isTrue();
			assertThat(server.connect().isRefused()).isTrue();
			assertThat(server.server().connections()).extracting(CallosumConnection::id).containsExactly("c1");
			assertThat(server.events().of(SlotFreeEvent.class)).isEmpty();
			holder.close();
			TestServer.await("slot 3 to be free", () -> assertThat(server.server().connections()).isEmpty());
			assertThat(server.connect().readSlot()).isEqualTo(3);
			server.server().stop();
			assertThat(server.events().of(ServerErrorEvent.class)).hasSize(2)
				.allSatisfy((event) -> assertThat(event.getError()).isInstanceOf(IllegalStateException.class)
					.hasMessageContaining("Slot 3")
					.hasMessageContaining("c1"))
				.extracting(ServerErrorEvent::getConnectionId)
				.containsExactlyInAnyOrder("c2", "c3");
			assertThat(server.events().of(SlotFreeEvent.class)).extracting((event) -> event.getConnection().id())
				.containsExactly("c1", "c4");
		}
	}

	@Test
	void anAllocatorThatReturnsAHeldSlotGetsItBackOnceFromItsHolder() {
		List<Integer> released = new CopyOnWriteArrayList<>();
		try (TestServer server = TestServer
			.create(this.transport, (builder) -> builder.slotAllocator(allocator((request) -> 3, released)))
			.start()) {
			TestClient holder = server.connect();
			assertThat(holder.readSlot()).isEqualTo(3);
			assertThat(server.connect().isRefused()).isTrue();
			assertThat(released).isEmpty();
			holder.close();
			server.server().stop();
			assertThat(released).containsExactly(3);
			assertThat(server.events().of(ServerErrorEvent.class)).singleElement()
				.satisfies((event) -> assertThat(event.getConnectionId()).isEqualTo("c2"));
			assertThat(server.events().of(SlotFreeEvent.class)).hasSize(1);
		}
	}

	@Test
	void aListenerThatThrowsAfterASlotWasAssignedRefusesAndTheSlotIsFreed() {
		RuntimeException cause = new RuntimeException("oops");
		AtomicBoolean throwing = new AtomicBoolean(true);
		try (TestServer server = answering((event) -> event.assign(9))) {
			server.events().on(SlotRequestEvent.class, (event) -> {
				if (throwing.get()) {
					throw cause;
				}
			});
			server.start();
			assertThat(server.connect().isRefused()).isTrue();
			TestServer.await("the slot to be free", () -> {
				assertThat(server.events().of(SlotFreeEvent.class)).hasSize(1);
				assertThat(server.server().connections()).isEmpty();
			});
			throwing.set(false);
			assertThat(server.connect().readSlot()).isEqualTo(9);
			server.server().stop();
			verifyOneError(server, "c1", (error) -> assertThat(error).isSameAs(cause));
			assertThat(server.events().of(SlotFreeEvent.class)).extracting((event) -> event.getConnection().id())
				.containsExactly("c1", "c2");
			assertThat(server.events().of(SlotFreeEvent.class).get(0)).satisfies((event) -> {
				assertThat(event.getSlot()).isEqualTo(9);
				assertThat(event.getReason()).isEqualTo(EndReason.REFUSED);
			});
			assertThat(server.events().of(ConnectionEvent.class)).hasSize(1);
		}
	}

	@Test
	void aListenerThatThrowsAfterAssigningAHeldSlotLeavesItToItsHolder() {
		RuntimeException cause = new RuntimeException("oops");
		try (TestServer server = answering((event) -> event.assign(9))) {
			server.events().on(SlotRequestEvent.class, (event) -> {
				if (event.getRequest().connectionId().equals("c2")) {
					throw cause;
				}
			});
			server.start();
			assertThat(server.connect().readSlot()).isEqualTo(9);
			assertThat(server.connect().isRefused()).isTrue();
			assertThat(server.server().connections()).extracting(CallosumConnection::id).containsExactly("c1");
			assertThat(server.events().of(SlotFreeEvent.class)).isEmpty();
			server.server().stop();
			verifyOneError(server, "c2", (error) -> assertThat(error).isSameAs(cause));
			assertThat(server.events().of(SlotFreeEvent.class)).hasSize(1);
		}
	}

	@Test
	void aListenerThatThrowsAfterAPublisherWasAssignedRefusesAndThePublisherIsNotAsked() {
		RuntimeException cause = new RuntimeException("oops");
		TestPublisher<Integer> publisher = TestPublisher.create();
		verifyRefused((event) -> {
			event.assign(publisher);
			throw cause;
		}, (error) -> assertThat(error).isSameAs(cause));
		publisher.assertWasNotSubscribed();
	}

	// Answers that come too late

	@Test
	void anAnswerAfterTheTimeoutIsFreedAtOnce() {
		TestPublisher<Integer> publisher = TestPublisher.create();
		try (TestServer server = answering((builder) -> builder.slotTimeout(SHORT), (event) -> event.assign(publisher))
			.start()) {
			assertThat(server.connect().isRefused()).isTrue();
			TestServer.await("error", () -> assertThat(server.events().of(ServerErrorEvent.class)).hasSize(1));
			publisher.next(4);
			TestServer.await("free", () -> assertThat(server.events().of(SlotFreeEvent.class)).hasSize(1));
			publisher.complete();
			server.server().stop();
			verifyOneError(server, "c1", (error) -> assertThat(error).isInstanceOf(TimeoutException.class));
			verifyFreedUnused(server, 4, EndReason.SLOT_TIMEOUT);
			publisher.assertWasNotCancelled();
		}
	}

	@Test
	void aFailureAfterTheTimeoutIsNoSecondError() {
		TestPublisher<Integer> publisher = TestPublisher.create();
		try (TestServer server = answering((builder) -> builder.slotTimeout(SHORT), (event) -> event.assign(publisher))
			.start()) {
			assertThat(server.connect().isRefused()).isTrue();
			publisher.error(new IllegalStateException("too late"));
			server.server().stop();
			verifyOneError(server, "c1", (error) -> assertThat(error).isInstanceOf(TimeoutException.class));
			assertThat(server.events().of(SlotFreeEvent.class)).isEmpty();
		}
	}

	@Test
	void anAnswerAfterThePeerHasLeftIsFreedAtOnce() {
		TestPublisher<Integer> publisher = TestPublisher.create();
		Queue<Channel> channels = new ConcurrentLinkedQueue<>();
		try (TestServer server = answering(recording(channels), (event) -> event.assign(publisher)).start()) {
			TestClient client = server.connect();
			awaitSubscription(publisher);
			client.close();
			awaitClosed(channels);
			publisher.next(4);
			TestServer.await("free", () -> assertThat(server.events().of(SlotFreeEvent.class)).hasSize(1));
			server.server().stop();
			verifyFreedUnused(server, 4, EndReason.PEER_CLOSED);
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
			publisher.assertWasNotCancelled();
		}
	}

	@Test
	void nothingIsKeptOfAPeerThatLeavesBeforeItsAnswer() {
		List<WeakReference<Channel>> channels = new CopyOnWriteArrayList<>();
		AtomicInteger freed = new AtomicInteger();
		AtomicInteger slots = new AtomicInteger();
		CallosumServer server = CallosumServer.builder()
			.host("127.0.0.1")
			.port(0)
			.nativeTransport(this.transport.isNative())
			.slotTimeout(Duration.ofHours(1))
			.customizer((tcpServer) -> tcpServer
				.doOnChannelInit((observer, channel, address) -> channels.add(new WeakReference<>(channel))))
			.eventPublisher((event) -> {
				if (event instanceof SlotRequestEvent request) {
					request.assign(Mono.delay(Duration.ofMillis(300)).map((tick) -> slots.getAndIncrement()));
				}
				else if (event instanceof SlotFreeEvent) {
					freed.incrementAndGet();
				}
			})
			.build();
		server.start();
		try {
			for (int i = 0; i < 50; i++) {
				new TestClient(server.address()).reset();
			}
			TestServer.await("freed", () -> assertThat(freed).hasValue(50));
			TestServer.await("garbage", () -> {
				System.gc();
				assertThat(channels).filteredOn((channel) -> channel.get() != null).hasSizeLessThan(5);
			});
		}
		finally {
			server.stop();
		}
	}

	@Test
	void anAnswerAfterTheServerHasStoppedIsFreedAtOnce() {
		TestPublisher<Integer> publisher = TestPublisher.create();
		try (TestServer server = answering((event) -> event.assign(publisher)).start()) {
			TestClient client = server.connect();
			awaitSubscription(publisher);
			server.server().stop();
			assertThat(client.isRefused()).isTrue();
			publisher.next(4);
			TestServer.await("free", () -> assertThat(server.events().of(SlotFreeEvent.class)).hasSize(1));
			TestServer.await("slots", () -> assertThat(server.server().connections()).isEmpty());
			verifyFreedUnused(server, 4, EndReason.SERVER_STOPPED);
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
			publisher.assertWasNotCancelled();
		}
	}

	@Test
	void aSlotThatTheAllocatorGivesAfterTheTimeoutIsReleasedOnce() {
		List<Integer> released = new CopyOnWriteArrayList<>();
		try (TestServer server = TestServer.create(this.transport,
				(builder) -> builder.slotTimeout(Duration.ofMillis(20)).slotAllocator(allocator((request) -> {
					TestThreads.pause(SHORT);
					return 6;
				}, released)))
			.start()) {
			assertThat(server.connect().isRefused()).isTrue();
			server.server().stop();
			verifyOneError(server, "c1", (error) -> assertThat(error).isInstanceOf(TimeoutException.class));
			verifyFreedUnused(server, 6, EndReason.SLOT_TIMEOUT);
			assertThat(released).containsExactly(6);
		}
	}

	@Test
	void aSlotWhoseLineCannotBeWrittenIsFreedWithoutAConnectionEvent() throws Exception {
		Queue<Channel> channels = new ConcurrentLinkedQueue<>();
		List<Integer> released = new CopyOnWriteArrayList<>();
		CountDownLatch asked = new CountDownLatch(1);
		CountDownLatch gone = new CountDownLatch(1);
		ExecutorService pool = Executors.newCachedThreadPool();
		try (TestServer server = TestServer.create(this.transport,
				(builder) -> recording(channels).apply(builder)
					.listenerExecutor(pool)
					.slotAllocator(allocator((request) -> {
						asked.countDown();
						await(gone);
						return 6;
					}, released)))
			.start()) {
			TestClient client = server.connect();
			await(asked);
			client.reset();
			awaitClosed(channels);
			gone.countDown();
			TestServer.await("free", () -> assertThat(server.events().of(SlotFreeEvent.class)).hasSize(1));
			server.server().stop();
			assertThat(server.events().of(ConnectionEvent.class)).isEmpty();
			assertThat(server.events().of(SlotFreeEvent.class)).singleElement()
				.satisfies((event) -> assertThat(event.getReason()).isIn(EndReason.PEER_RESET, EndReason.PEER_CLOSED));
			assertThat(released).containsExactly(6);
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
		}
		finally {
			pool.shutdown();
		}
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void whileTooManyRequestsArePendingNobodyIsAskedForMore(boolean secure) {
		int max = 20;
		Queue<Sinks.One<Integer>> pending = new ConcurrentLinkedQueue<>();
		AtomicBoolean answering = new AtomicBoolean();
		try (TestServer server = TestServer.create(Link.of(this.transport, secure),
				(builder) -> builder.slotTimeout(Duration.ofSeconds(2)).maxPendingSlotRequests(max))) {
			server.events().on(SlotRequestEvent.class, (event) -> {
				if (!answering.get()) {
					Sinks.One<Integer> sink = Sinks.one();
					pending.add(sink);
					event.assign(sink.asMono());
				}
			});
			server.start();
			for (int i = 0; i < max; i++) {
				// Their peers have left, or are given up on at the timeout
				TestClient client = server.connect();
				int requests = i + 1;
				TestServer.await("the request", () -> assertThat(pending).hasSize(requests));
				if (i % 2 == 0) {
					client.close();
				}
			}
			TestServer.await("timeouts", () -> assertThat(server.measured("slotRequestOverdue")).isEqualTo(max));
			answering.set(true);
			for (int i = 0; i < 5; i++) {
				assertThat(server.connect().isRefused()).isTrue();
			}
			assertThat(server.events().of(SlotRequestEvent.class)).hasSize(max);
			assertThat(server.warnings()).filteredOn((line) -> line.contains("max-pending-slot-requests")).hasSize(1);
			int slot = 100;
			for (Sinks.One<Integer> sink : pending) {
				sink.tryEmitValue(slot++);
			}
			TestServer.await("late slots to be free",
					() -> assertThat(server.events().of(SlotFreeEvent.class)).hasSize(max));
			assertThat(server.connect().readLine()).isEqualTo("0\r\n");
			server.server().stop();
			assertThat(server.events().of(SlotFreeEvent.class)).hasSize(max + 1);
			assertThat(server.events().of(ServerErrorEvent.class))
				.allSatisfy((event) -> assertThat(event.getError()).isInstanceOf(TimeoutException.class));
		}
	}

	// Answers that name a slot whose SlotFreeEvent is being published

	@Test
	void anAnswerThatNamesASlotWhoseEndIsBeingPublishedWaitsAndThenGetsIt() throws Exception {
		try (Ending ending = new Ending(Duration.ofSeconds(30))) {
			TestClient next = ending.connectAndWait();
			next.socket().setSoTimeout(100);
			assertThatExceptionOfType(SocketTimeoutException.class)
				.isThrownBy(() -> next.socket().getInputStream().read());
			next.socket().setSoTimeout(30_000);
			assertThat(ending.server.events().of(ConnectionEvent.class)).hasSize(1);
			ending.complete();
			assertThat(next.readSlot()).isEqualTo(7);
			ending.server.server().stop();
			assertThat(ending.calls).containsExactly("free c1", "freed c1", "connected c2", "free c2", "freed c2");
			assertThat(ending.server.events().of(ServerErrorEvent.class)).isEmpty();
		}
	}

	@Test
	void anAnswerThatWaitsForASlotLongerThanItsTimeoutIsRefusedAndFreedLater() throws Exception {
		try (Ending ending = new Ending(Duration.ofSeconds(3))) {
			TestClient next = ending.connectAndWait();
			assertThat(next.isRefused()).isTrue();
			TestServer.await("error", () -> assertThat(ending.server.events().of(ServerErrorEvent.class)).hasSize(1));
			assertThat(ending.server.events().of(SlotFreeEvent.class)).hasSize(1);
			ending.complete();
			TestServer.await("free",
					() -> assertThat(ending.calls).containsExactly("free c1", "freed c1", "free c2", "freed c2"));
			ending.server.server().stop();
			verifyOneError(ending.server, "c2", (error) -> assertThat(error).isInstanceOf(TimeoutException.class));
			assertThat(ending.server.events().of(SlotFreeEvent.class).get(1).getReason())
				.isEqualTo(EndReason.SLOT_TIMEOUT);
		}
	}

	@Test
	void anAnswerThatWaitsForASlotAndWhosePeerLeavesIsFreedLater() throws Exception {
		try (Ending ending = new Ending(Duration.ofSeconds(30))) {
			ending.connectAndWait().close();
			awaitClosed(ending.channels);
			ending.complete();
			TestServer.await("free",
					() -> assertThat(ending.calls).containsExactly("free c1", "freed c1", "free c2", "freed c2"));
			ending.server.server().stop();
			assertThat(ending.server.events().of(ServerErrorEvent.class)).isEmpty();
			assertThat(ending.server.events().of(SlotFreeEvent.class).get(1).getReason())
				.isEqualTo(EndReason.PEER_CLOSED);
		}
	}

	@Test
	void ofTwoAnswersThatWaitForASlotTheFirstGetsIt() throws Exception {
		try (Ending ending = new Ending(Duration.ofSeconds(30))) {
			TestClient first = ending.connectAndWait();
			TestClient second = ending.connectAndWait();
			ending.complete();
			assertThat(first.readSlot()).isEqualTo(7);
			assertThat(second.isRefused()).isTrue();
			ending.server.server().stop();
			verifyOneError(ending.server, "c3", (error) -> assertThat(error).hasMessageContaining("c2 holds it"));
			assertThat(ending.calls).containsExactly("free c1", "freed c1", "connected c2", "free c2", "freed c2");
		}
	}

	@Test
	void aStopWaitsForAnAnswerThatWaitsForASlot() throws Exception {
		try (Ending ending = new Ending(Duration.ofSeconds(30))) {
			ending.connectAndWait();
			ending.connectAndWait();
			Thread stop = new Thread(ending.server.server()::stop);
			stop.start();
			awaitClosed(ending.channels);
			ending.pausing = true;
			ending.complete();
			stop.join();
			assertThat(ending.calls).containsExactly("free c1", "freed c1", "free c2", "freed c2");
			assertThat(ending.server.events().all()).last().isInstanceOf(ServerStoppedEvent.class);
		}
	}

	@Test
	void anyNumberOfAnswersThatFollowFromEachOtherAreFreed() {
		int count = 2000;
		Queue<CompletableFuture<Integer>> waiting = new ConcurrentLinkedQueue<>();
		try (TestServer server = answering((builder) -> builder.workerThreads(1).slotTimeout(Duration.ofMinutes(5)),
				(event) -> {
					CompletableFuture<Integer> answer = new CompletableFuture<>();
					waiting.add(answer);
					event.assign(Mono.fromFuture(answer, true));
				})) {
			server.events().on(SlotFreeEvent.class, (event) -> {
				CompletableFuture<Integer> next = waiting.poll();
				if (next != null) {
					next.complete(event.getSlot());
				}
			});
			server.start();
			for (int i = 0; i < count; i++) {
				server.connect().reset();
			}
			server.awaitAccepted();
			TestServer.await("requests of those who have left",
					() -> assertThat(server.measured("refused")).isEqualTo(count));
			int requested = waiting.size();
			waiting.remove().complete(0);
			TestServer.await("all slots", () -> assertThat(server.events().of(SlotFreeEvent.class)).hasSize(requested));
			assertThat(requested).isGreaterThan(count / 2);
			assertThat(server.warnings()).isEmpty();
		}
	}

	private TestServer answering(Consumer<SlotRequestEvent> listener) {
		return answering(UnaryOperator.identity(), listener);
	}

	private TestServer answering(UnaryOperator<CallosumServer.Builder> customizer,
			Consumer<SlotRequestEvent> listener) {
		TestServer server = TestServer.create(this.transport, customizer);
		server.events().on(SlotRequestEvent.class, listener);
		return server;
	}

	private void verifyRefused(Consumer<SlotRequestEvent> listener, Consumer<Throwable> error) {
		verifyRefused(UnaryOperator.identity(), listener, error);
	}

	private void verifyRefused(UnaryOperator<CallosumServer.Builder> customizer, Consumer<SlotRequestEvent> listener,
			Consumer<Throwable> error) {
		try (TestServer server = answering(customizer, listener).start()) {
			assertThat(server.connect().readAll()).isEmpty();
			server.server().stop();
			verifyOneError(server, "c1", error);
			assertThat(server.events().of(ConnectionEvent.class)).isEmpty();
			assertThat(server.events().of(SlotFreeEvent.class)).isEmpty();
		}
	}

	private void verifyRefusedSilently(UnaryOperator<CallosumServer.Builder> customizer,
			Consumer<SlotRequestEvent> listener) {
		try (TestServer server = answering(customizer, listener).start()) {
			assertThat(server.connect().readAll()).isEmpty();
			server.server().stop();
			assertThat(server.events().all()).extracting((event) -> (Object) event.getClass())
				.containsExactly(ServerStartedEvent.class, SlotRequestEvent.class, ServerStoppingEvent.class,
						ServerStoppedEvent.class);
		}
	}

	private static void verifyOneError(TestServer server, String connectionId, Consumer<Throwable> error) {
		assertThat(server.events().of(ServerErrorEvent.class)).singleElement().satisfies((event) -> {
			assertThat(event.getConnectionId()).isEqualTo(connectionId);
			error.accept(event.getError());
		});
	}

	private static void verifyServed(TestServer server, int connections, int slot) {
		assertThat(server.events().of(ConnectionEvent.class)).hasSize(connections)
			.allSatisfy((event) -> assertThat(event.getSlot()).isEqualTo(slot));
		assertThat(server.events().of(SlotFreeEvent.class)).hasSize(connections)
			.allSatisfy((event) -> assertThat(event.getSlot()).isEqualTo(slot));
		assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
	}

	private static void verifyFreedUnused(TestServer server, int slot, EndReason reason) {
		assertThat(server.events().of(ConnectionEvent.class)).isEmpty();
		assertThat(server.events().of(SlotFreeEvent.class)).singleElement().satisfies((event) -> {
			assertThat(event.getSlot()).isEqualTo(slot);
			assertThat(event.getReason()).isEqualTo(reason);
		});
	}

	private static UnaryOperator<CallosumServer.Builder> recording(Queue<Channel> channels) {
		return (builder) -> builder.customizer(
				(tcpServer) -> tcpServer.doOnChannelInit((observer, channel, address) -> channels.add(channel)));
	}

	private static void awaitClosed(Queue<Channel> channels) {
		TestServer.await("channels to be closed", () -> assertThat(channels).isNotEmpty().noneMatch(Channel::isOpen));
	}

	private static void awaitSubscription(TestPublisher<Integer> publisher) {
		TestServer.await("subscription", publisher::assertWasSubscribed);
	}

	private static SlotAllocator allocator(Allocation allocation) {
		return allocator(allocation, new ArrayList<>() {

			@Override
			public boolean add(Integer slot) {
				throw new AssertionError("Released " + slot);
			}

		});
	}

	private static SlotAllocator allocator(Allocation allocation, List<Integer> released) {
		return new SlotAllocator() {

			@Override
			public int allocate(SlotRequest request) {
				return allocation.allocate(request);
			}

			@Override
			public void release(int slot) {
				released.add(slot);
			}

		};
	}

	private static SlotRequest request() {
		return new SlotRequest("test", new java.net.InetSocketAddress(1), new java.net.InetSocketAddress(2));
	}

	private static Integer fail(IOException ex) throws IOException {
		throw ex;
	}

	private static int overflow() {
		return overflow() + 1;
	}

	private static void await(CountDownLatch latch) {
		try {
			assertThat(latch.await(30, TimeUnit.SECONDS)).isTrue();
		}
		catch (InterruptedException ex) {
			throw new IllegalStateException(ex);
		}
	}

	private interface Allocation {

		int allocate(SlotRequest request);

	}

	/**
	 * A server that gives every connection slot 7, with a first connection whose
	 * {@link SlotFreeEvent} is being published.
	 */
	private final class Ending implements AutoCloseable {

		private final CountDownLatch completed = new CountDownLatch(1);

		private final AtomicInteger begun = new AtomicInteger();

		private final AtomicInteger ended = new AtomicInteger();

		private volatile boolean pausing;

		private final ExecutorService pool = Executors.newCachedThreadPool();

		private final Queue<Channel> channels = new ConcurrentLinkedQueue<>();

		private final List<String> calls = new CopyOnWriteArrayList<>();

		private final TestServer server;

		Ending(Duration slotTimeout) {
			// The executor shows when the server has processed an answer
			this.server = answering((builder) -> recording(this.channels).apply(builder)
				.slotTimeout(slotTimeout)
				.listenerExecutor(this::execute), (event) -> event.assign(7));
			this.server.events().on(ConnectionEvent.class, (event) -> {
				if (!event.getConnection().id().equals("c1")) {
					this.calls.add("connected " + event.getConnection().id());
				}
			}).on(SlotFreeEvent.class, (event) -> {
				this.calls.add("free " + event.getConnection().id());
				if (event.getConnection().id().equals("c1")) {
					await(this.completed);
				}
				this.calls.add("freed " + event.getConnection().id());
			});
			this.server.start();
			TestClient first = this.server.connect();
			assertThat(first.readSlot()).isEqualTo(7);
			TestServer.await("the connection", () -> {
				assertThat(this.server.events().of(ConnectionEvent.class)).hasSize(1);
				assertThat(this.ended).hasValue(this.begun.get());
			});
			first.close();
			TestServer.await("free", () -> assertThat(this.calls).containsExactly("free c1"));
		}

		/**
		 * Connect, and wait until the answer has been processed.
		 */
		TestClient connectAndWait() {
			int requests = this.server.events().of(SlotRequestEvent.class).size();
			TestClient client = this.server.connect();
			TestServer.await("the answer", () -> {
				assertThat(this.server.events().of(SlotRequestEvent.class)).hasSize(requests + 1);
				// All but the SlotFreeEvent
				assertThat(this.ended).hasValue(this.begun.get() - 1);
			});
			return client;
		}

		private void execute(Runnable task) {
			this.begun.incrementAndGet();
			this.pool.execute(() -> {
				if (this.pausing) {
					TestThreads.pause(SHORT);
				}
				task.run();
				this.ended.incrementAndGet();
			});
		}

		void complete() {
			this.completed.countDown();
		}

		@Override
		public void close() {
			complete();
			this.server.close();
			this.pool.shutdown();
		}

	}

}
