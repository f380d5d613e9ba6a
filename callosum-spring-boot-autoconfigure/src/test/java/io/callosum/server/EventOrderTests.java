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

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/**
 * Tests for the order of the events, whatever their listeners do.
 */
@ParameterizedClass
@MethodSource("io.callosum.server.ListenerThreads#onEveryTransport")
@Timeout(120)
class EventOrderTests {

	/**
	 * Less than the time that a stop waits for a listener.
	 */
	private static final Duration SOON = Duration.ofSeconds(9);

	private static final Duration LONG = Duration.ofHours(1);

	@Parameter(0)
	Transport transport;

	@Parameter(1)
	ListenerThreads threads;

	// One connection

	@Test
	void theEventsOfAConnectionComeInOrderEachWhenTheListenersOfTheOneBeforeHaveReturned() {
		Recorder recorder = new Recorder();
		try (TestServer server = create(UnaryOperator.identity(), recorder, (events) -> {
		})) {
			server.start();
			TestClient client = server.connect();
			client.readSlot();
			client.close();
			TestServer.await("end", () -> assertThat(server.server().connections()).isEmpty());
			server.server().stop();
			assertThat(recorder.calls()).containsExactly("ServerStarted", "/ServerStarted", "SlotRequest",
					"/SlotRequest", "Connection", "/Connection", "SlotFree", "/SlotFree", "ServerStopping",
					"/ServerStopping", "ServerStopped", "/ServerStopped");
		}
	}

	@Test
	void theSlotLineIsWrittenBeforeTheConnectionEvent() {
		CountDownLatch read = new CountDownLatch(1);
		AtomicBoolean wasRead = new AtomicBoolean();
		try (TestServer server = create(UnaryOperator.identity())) {
			server.events().on(ConnectionEvent.class, (event) -> wasRead.set(await(read)));
			server.start();
			assertThat(server.connect().readSlot()).isZero();
			read.countDown();
			TestServer.await("listener", () -> assertThat(wasRead).isTrue());
		}
	}

	@Test
	void aListenerThatClosesTheConnectionDoesNotHaveItsEndPublishedInTheMiddle() {
		Recorder recorder = new Recorder();
		AtomicBoolean handled = new AtomicBoolean();
		AtomicReference<Boolean> open = new AtomicReference<>();
		try (TestServer server = create((builder) -> builder.connectionHandler((connection) -> {
			handled.set(true);
			return Mono.never();
		}), recorder, (events) -> events.on(ConnectionEvent.class, (event) -> {
			event.getConnection().close();
			event.getConnection().close();
			open.set(events.of(SlotFreeEvent.class).isEmpty());
		}))) {
			server.start();
			TestClient client = server.connect();
			client.readAll();
			TestServer.await("end", () -> assertThat(server.server().connections()).isEmpty());
			server.server().stop();
			assertThat(recorder.calls()).containsSequence("Connection", "/Connection", "SlotFree", "/SlotFree");
			assertThat(open.get()).isTrue();
			assertThat(handled).as("handler called").isFalse();
			assertThat(server.events().of(SlotFreeEvent.class)).singleElement()
				.satisfies((event) -> assertThat(event.getReason()).isEqualTo(EndReason.APPLICATION_CLOSED));
		}
	}

	@Test
	void aListenerThatClosesTheConnectionInEveryOtherEventChangesNothing() {
		Recorder recorder = new Recorder();
		try (TestServer server = create(UnaryOperator.identity(), recorder,
				(events) -> events.on(SlotFreeEvent.class, (event) -> event.getConnection().close())
					.on(CallosumServerEvent.class, (event) -> {
						if (!(event instanceof ConnectionEvent)) {
							event.getServer().connections().forEach(CallosumConnection::close);
						}
					})
					.on(SlotRequestEvent.class, (event) -> {
						if (event.getRequest().connectionId().equals("c2")) {
							event.reject(new IllegalStateException("no"));
						}
					}))) {
			server.start();
			TestClient first = server.connect();
			assertThat(first.readSlot()).isZero();
			assertThat(server.connect().isRefused()).isTrue();
			assertThat(first.isRefused()).as("closed by the listener of SlotRequestEvent").isTrue();
			TestServer.await("end", () -> {
				assertThat(server.server().connections()).isEmpty();
				assertThat(recorder.calls()).contains("/ServerError");
			});
			assertThat(server.connect().readSlot()).isZero();
			server.server().stop();
			assertThat(server.events().of(SlotFreeEvent.class)).extracting((event) -> event.getConnection().id())
				.containsExactly("c1", "c3");
			assertThat(server.events().of(ServerErrorEvent.class)).hasSize(1);
		}
	}

	@Test
	void aListenerMayCloseEveryConnectionWhenOneEnds() {
		int connections = 1000;
		// With one event loop, an end can be published in the middle of another one
		try (TestServer server = create((builder) -> builder.workerThreads(1))) {
			server.events()
				.on(SlotFreeEvent.class, (event) -> server.server().connections().forEach(CallosumConnection::close));
			server.start();
			List<TestClient> clients = new ArrayList<>();
			for (int i = 0; i < connections; i++) {
				clients.add(server.connect());
			}
			clients.forEach(TestClient::readSlot);
			clients.get(0).close();
			TestServer.await("ends", () -> assertThat(server.events().of(SlotFreeEvent.class)).hasSize(connections));
			server.server().stop();
			assertThat(server.events().of(SlotFreeEvent.class)).extracting(SlotFreeEvent::getSlot)
				.hasSize(connections)
				.doesNotHaveDuplicates();
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
		}
	}

	// A listener that stops the server

	@Test
	void aListenerMayStopTheServerInServerStartedEvent() {
		verifyStop(ServerStartedEvent.class, "ServerStarted", "/ServerStarted", "ServerStopping", "/ServerStopping",
				"ServerStopped", "/ServerStopped");
	}

	@Test
	void aListenerMayStopTheServerInSlotRequestEvent() {
		List<String> calls = verifyStop(SlotRequestEvent.class);
		assertThat(calls.stream().filter((call) -> !call.contains("Stopping")))
			.startsWith("ServerStarted", "/ServerStarted", "SlotRequest", "/SlotRequest")
			.endsWith("ServerStopped", "/ServerStopped");
	}

	@Test
	void aListenerMayStopTheServerInConnectionEvent() {
		List<String> calls = verifyStop(ConnectionEvent.class);
		assertThat(calls.stream().filter((call) -> !call.contains("Stopping"))).containsExactly("ServerStarted",
				"/ServerStarted", "SlotRequest", "/SlotRequest", "Connection", "/Connection", "SlotFree", "/SlotFree",
				"ServerStopped", "/ServerStopped");
	}

	@Test
	void aListenerMayStopTheServerInSlotFreeEvent() {
		List<String> calls = verifyStop(SlotFreeEvent.class);
		assertThat(calls.stream().filter((call) -> !call.contains("Stopping"))).endsWith("Connection", "/Connection",
				"SlotFree", "/SlotFree", "ServerStopped", "/ServerStopped");
	}

	@Test
	void aListenerMayStopTheServerInServerErrorEvent() {
		List<String> calls = verifyStop(ServerErrorEvent.class);
		assertThat(calls).contains("ServerError", "/ServerError").endsWith("ServerStopped", "/ServerStopped");
	}

	@Test
	void aListenerMayStopTheServerInServerStoppingEvent() {
		verifyStop(ServerStoppingEvent.class);
	}

	@Test
	void aListenerMayStopTheServerInServerStoppedEvent() {
		verifyStop(ServerStoppedEvent.class);
	}

	// Slots and their next holders

	@Test
	void noListenerSeesTheNextHolderOfASlotBeforeTheEndOfTheLast() throws Exception {
		verifyHolders();
	}

	@Test
	void anApplicationMayKeepItsOwnHeapOfSlots() throws Exception {
		verifyOwnHeap(false);
	}

	@Test
	void anApplicationMayKeepItsOwnHeapOfSlotsAndAnswerLater() throws Exception {
		verifyOwnHeap(true);
	}

	@Test
	void aListenerMayGiveTheSlotThatBecomesFreeToAConnectionThatWaitsForOne() {
		Queue<Sinks.One<Integer>> waiting = new ConcurrentLinkedQueue<>();
		AtomicBoolean taken = new AtomicBoolean();
		// Both on one event loop, so that the answer comes in the middle of the event
		try (TestServer server = create((builder) -> builder.workerThreads(1).slotTimeout(LONG))) {
			server.events().on(SlotRequestEvent.class, (event) -> {
				if (taken.compareAndSet(false, true)) {
					event.assign(0);
				}
				else {
					Sinks.One<Integer> answer = Sinks.one();
					waiting.add(answer);
					event.assign(answer.asMono());
				}
			}).on(SlotFreeEvent.class, (event) -> {
				Sinks.One<Integer> next = waiting.poll();
				if (next != null) {
					next.tryEmitValue(event.getSlot());
				}
			});
			Recorder recorder = new Recorder();
			recorder.last(server.events());
			server.start();
			List<TestClient> clients = new ArrayList<>();
			for (int i = 0; i < 20; i++) {
				clients.add(server.connect());
				int requests = i + 1;
				TestServer.await("request",
						() -> assertThat(server.events().of(SlotRequestEvent.class)).hasSize(requests));
			}
			for (TestClient client : clients) {
				assertThat(client.readSlot()).isZero();
				client.close();
			}
			server.server().stop();
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
			assertThat(
					recorder.calls().stream().filter((call) -> call.equals("/Connection") || call.equals("/SlotFree")))
				.hasSize(40)
				.startsWith("/Connection", "/SlotFree", "/Connection", "/SlotFree");
		}
	}

	@Test
	void atTheEndTheSlotIsNoLongerHeldThenReleasedThenCountedDown() throws Exception {
		List<String> steps = new CopyOnWriteArrayList<>();
		AtomicReference<CallosumServer> started = new AtomicReference<>();
		AtomicReference<TestServer> clients = new AtomicReference<>();
		ExecutorService pool = Executors.newCachedThreadPool();
		SlotAllocator allocator = new SlotAllocator() {

			@Override
			public int allocate(SlotRequest request) {
				return 5;
			}

			@Override
			public void release(int slot) {
				if (steps.size() == 1) {
					steps.add("release: " + state(started.get(), clients.get()));
				}
			}

		};
		try (TestServer server = create(
				(builder) -> builder.slotAllocator(allocator).maxConnections(1).listenerExecutor(pool))) {
			started.set(server.server());
			clients.set(server);
			server.events().on(SlotFreeEvent.class, (event) -> {
				if (steps.isEmpty()) {
					steps.add("event: " + state(started.get(), clients.get()));
				}
			});
			server.start();
			TestClient client = server.connect();
			assertThat(client.readSlot()).isEqualTo(5);
			client.close();
			TestServer.await("end", () -> assertThat(server.server().connections()).isEmpty());
			assertThat(steps).containsExactly("event: held, limited, [5]", "release: not held, limited, [5]");
			TestClient next = server.connect();
			assertThat(next.readSlot()).as("the limit counts it no more").isEqualTo(5);
			next.close();
			server.server().stop();
		}
		finally {
			pool.shutdown();
		}
	}

	// The server

	@Test
	void noSlotIsAskedForBeforeTheListenersOfServerStartedEventHaveReturned() throws Exception {
		Recorder recorder = new Recorder();
		AtomicInteger early = new AtomicInteger(-1);
		List<TestClient> clients = Collections.synchronizedList(new ArrayList<>());
		try (TestServer server = create(UnaryOperator.identity(), recorder,
				(events) -> events.on(ServerStartedEvent.class, (event) -> {
					assertThat(event.getServer().isRunning()).isTrue();
					for (int i = 0; i < 20; i++) {
						clients.add(new TestClient(event.getServer().address()));
					}
					LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(300));
					early.set(events.of(SlotRequestEvent.class).size());
				}))) {
			server.start();
			assertThat(clients.stream().map(TestClient::readSlot)).hasSize(20).doesNotHaveDuplicates();
			clients.forEach(TestClient::close);
			TestServer.await("end", () -> assertThat(server.server().connections()).isEmpty());
			assertThat(early).hasValue(0);
			assertThat(recorder.calls()).startsWith("ServerStarted", "/ServerStarted", "SlotRequest");
		}
	}

	@Test
	void serverStoppedEventComesAfterTheLastSlotFreeEventAndStopReturnsAfterBoth() {
		Recorder recorder = new Recorder();
		try (TestServer server = create(UnaryOperator.identity(), recorder, (events) -> events.on(SlotFreeEvent.class,
				(event) -> LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(5))))) {
			server.start();
			for (int i = 0; i < 60; i++) {
				assertThat(server.connect().readSlot()).isEqualTo(i);
			}
			server.server().stop();
			List<String> calls = recorder.calls();
			assertThat(calls).endsWith("/SlotFree", "ServerStopped", "/ServerStopped");
			assertThat(calls.stream().filter("/SlotFree"::equals)).hasSize(60);
			assertThat(server.events().of(SlotFreeEvent.class)).extracting(SlotFreeEvent::getReason)
				.containsOnly(EndReason.SERVER_STOPPED);
		}
	}

	@Test
	void connectionsIsAnUnmodifiableSnapshotOrderedBySlot() {
		int[] slots = { 5, 0, 1000, 3 };
		AtomicInteger next = new AtomicInteger();
		try (TestServer server = create(UnaryOperator.identity())) {
			server.events().on(SlotRequestEvent.class, (event) -> event.assign(slots[next.getAndIncrement()]));
			server.start();
			assertThat(server.server().connections()).isEmpty();
			List<TestClient> clients = new ArrayList<>();
			for (int slot : slots) {
				TestClient client = server.connect();
				assertThat(client.readSlot()).isEqualTo(slot);
				clients.add(client);
			}
			Collection<CallosumConnection> connections = server.server().connections();
			assertThat(connections).extracting(CallosumConnection::slot).containsExactly(0, 3, 5, 1000);
			assertThatExceptionOfType(UnsupportedOperationException.class)
				.isThrownBy(() -> connections.remove(connections.iterator().next()));
			clients.get(0).close();
			TestServer.await("the end of one",
					() -> assertThat(server.server().connections()).extracting(CallosumConnection::slot)
						.containsExactly(0, 3, 1000));
			assertThat(connections).hasSize(4);
		}
	}

	private TestServer create(UnaryOperator<CallosumServer.Builder> customizer) {
		return TestServer.create(this.transport, (builder) -> customizer.apply(this.threads.applyTo(builder)));
	}

	private TestServer create(UnaryOperator<CallosumServer.Builder> customizer, Recorder recorder,
			Consumer<RecordedEvents> listeners) {
		TestServer server = create(customizer);
		recorder.first(server.events());
		listeners.accept(server.events());
		recorder.last(server.events());
		return server;
	}

	/**
	 * Let a listener of a type of event stop the server.
	 */
	private List<String> verifyStop(Class<? extends CallosumServerEvent> type, String... expected) {
		Recorder recorder = new Recorder();
		AtomicInteger handled = new AtomicInteger();
		AtomicReference<Duration> took = new AtomicReference<>();
		CountDownLatch over = new CountDownLatch(1);
		try (TestServer server = create((builder) -> builder.connectionHandler((connection) -> {
			handled.incrementAndGet();
			return Mono.never();
		}), recorder, (events) -> events.on(type, (event) -> {
			long start = System.nanoTime();
			event.getServer().stop();
			event.getServer().stop(SOON);
			took.set(Duration.ofNanos(System.nanoTime() - start));
		}).on(SlotRequestEvent.class, (event) -> {
			if (type == ServerErrorEvent.class) {
				throw new IllegalStateException("refused");
			}
		}).on(ServerStoppedEvent.class, (event) -> over.countDown()))) {
			server.start();
			if (type != ServerStartedEvent.class) {
				TestClient client = server.connect();
				if (type == ServerStoppingEvent.class || type == ServerStoppedEvent.class) {
					client.readSlot();
					server.server().stop();
				}
				else if (type == SlotFreeEvent.class) {
					client.readSlot();
					client.close();
				}
				else {
					client.readAll();
				}
			}
			assertThat(await(over)).isTrue();
			server.server().stop();
			assertThat(server.server().isRunning()).isFalse();
			assertThat(took.get()).as("duration of stop() in the listener").isLessThan(SOON);
			List<String> calls = recorder.calls();
			if (expected.length > 0) {
				assertThat(calls).containsExactly(expected);
			}
			assertThat(calls.stream().filter("ServerStopping"::equals)).hasSize(1);
			assertThat(calls.stream().filter("ServerStopped"::equals)).hasSize(1);
			assertThat(calls).endsWith("ServerStopped", "/ServerStopped");
			if (type == ConnectionEvent.class || type == SlotRequestEvent.class || type == ServerErrorEvent.class) {
				assertThat(handled).as("calls of the handler").hasValue(0);
			}
			return calls;
		}
	}

	private void verifyHolders() throws InterruptedException {
		Holders holders = new Holders();
		try (TestServer server = create(UnaryOperator.identity())) {
			holders.watch(server.events());
			server.start();
			TestThreads.churn(server, 8, 200);
			TestServer.await("end", () -> assertThat(server.server().connections()).isEmpty());
			server.server().stop();
			holders.verify(server.events());
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
		}
	}

	/**
	 * The example from the original server: a heap from which one listener takes slots,
	 * and to which the other returns them.
	 */
	private void verifyOwnHeap(boolean later) throws InterruptedException {
		OwnSlots slots = new OwnSlots();
		Holders holders = new Holders();
		try (TestServer server = create((builder) -> builder.slotTimeout(LONG))) {
			server.events().on(SlotRequestEvent.class, (event) -> {
				if (later) {
					event.assign(Mono.delay(Duration.ofNanos(ThreadLocalRandom.current().nextInt(1_000_000)))
						.map((tick) -> slots.get()));
				}
				else {
					event.assign(slots.get());
				}
			}).on(SlotFreeEvent.class, (event) -> slots.put(event.getSlot()));
			holders.watch(server.events());
			server.start();
			TestThreads.churn(server, 8, 200);
			server.awaitAccepted();
			TestServer.await("every slot", () -> assertThat(server.events().of(SlotFreeEvent.class))
				.hasSameSizeAs(server.events().of(SlotRequestEvent.class)));
			server.server().stop();
			holders.verify(server.events());
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
			assertThat(slots.free).as("free slots").hasSize(slots.next).doesNotHaveDuplicates();
		}
	}

	private static String state(CallosumServer server, TestServer clients) {
		String held = (server.slots().holder(5) != null) ? "held" : "not held";
		String limited = clients.connect().isRefused() ? "limited" : "not limited";
		return held + ", " + limited + ", " + server.connections().stream().map(CallosumConnection::slot).toList();
	}

	private static boolean await(CountDownLatch latch) {
		try {
			return latch.await(30, TimeUnit.SECONDS);
		}
		catch (InterruptedException ex) {
			throw new IllegalStateException(ex);
		}
	}

	/**
	 * Records when the first and the last listener of each event are called.
	 */
	private static final class Recorder {

		private final List<String> calls = new ArrayList<>();

		void first(RecordedEvents events) {
			events.on(CallosumServerEvent.class, (event) -> add("", event));
		}

		void last(RecordedEvents events) {
			events.on(CallosumServerEvent.class, (event) -> add("/", event));
		}

		private synchronized void add(String prefix, CallosumServerEvent event) {
			String name = event.getClass().getSimpleName();
			this.calls.add(prefix + name.substring(0, name.length() - "Event".length()));
		}

		synchronized List<String> calls() {
			return List.copyOf(this.calls);
		}

	}

	/**
	 * Checks that a slot has a single holder, from that holder's first event until the
	 * last listener of its last event has returned.
	 */
	private static final class Holders {

		private final Map<Integer, String> holders = new ConcurrentHashMap<>();

		private final List<String> violations = new CopyOnWriteArrayList<>();

		void watch(RecordedEvents events) {
			events.on(ConnectionEvent.class, (event) -> hold(event.getSlot(), event.getConnection().id()))
				.on(SlotFreeEvent.class, (event) -> {
					hold(event.getSlot(), event.getConnection().id());
					LockSupport.parkNanos(ThreadLocalRandom.current().nextInt(300_000));
					this.holders.remove(event.getSlot(), event.getConnection().id());
				});
		}

		private void hold(int slot, String id) {
			String holder = this.holders.putIfAbsent(slot, id);
			if (holder != null && !holder.equals(id)) {
				this.violations.add("Slot " + slot + " of " + holder + " is seen with " + id);
			}
		}

		void verify(RecordedEvents events) {
			assertThat(this.violations).isEmpty();
			assertThat(this.holders).isEmpty();
			assertThat(events.of(ConnectionEvent.class).size()).isGreaterThan(1000);
			assertThat(events.of(SlotFreeEvent.class)).extracting((event) -> event.getConnection().id())
				.doesNotHaveDuplicates();
		}

	}

	/**
	 * The slots of an application that manages them itself.
	 */
	private static final class OwnSlots {

		private final PriorityQueue<Integer> free = new PriorityQueue<>();

		private int next;

		synchronized int get() {
			Integer slot = this.free.poll();
			return (slot != null) ? slot : this.next++;
		}

		synchronized void put(int slot) {
			this.free.add(slot);
		}

	}

}
