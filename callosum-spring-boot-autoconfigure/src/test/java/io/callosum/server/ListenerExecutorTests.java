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
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.UnaryOperator;

import ch.qos.logback.classic.Level;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;

import org.springframework.core.task.SimpleAsyncTaskExecutor;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for where listeners run: on the event loops or on an executor, including one that
 * misbehaves.
 */
@ParameterizedClass
@EnumSource
class ListenerExecutorTests {

	private static final Duration LONG = Duration.ofHours(1);

	@Parameter
	Transport transport;

	private final ExecutorService pool = Executors.newCachedThreadPool((task) -> new Thread(task, "pool"));

	@AfterEach
	void shutdownPool() {
		this.pool.shutdown();
	}

	// Event loops

	@Test
	void withoutAnExecutorTheEventsOfAConnectionArePublishedOnItsEventLoop() {
		Map<Object, Set<Thread>> threads = new ConcurrentHashMap<>();
		try (TestServer server = create(UnaryOperator.identity())) {
			server.events().on(CallosumServerEvent.class, (event) -> {
				if (connectionId(event) != null) {
					threads.computeIfAbsent(connectionId(event), (id) -> ConcurrentHashMap.newKeySet())
						.add(Thread.currentThread());
				}
			});
			server.start();
			serve(server, 8);
			server.server().stop();
			assertThat(threads).hasSize(8);
			assertThat(threads.values()).allSatisfy((used) -> assertThat(used).singleElement()
				.matches(Schedulers::isNonBlockingThread)
				.satisfies((thread) -> assertThat(thread.getName()).startsWith("callosum-")));
		}
	}

	@Test
	void aListenerThatHoldsAnEventLoopEarnsOneWarningThatNamesEventAndRemedy() {
		try (TestServer server = create(UnaryOperator.identity())) {
			server.events()
				.on(SlotRequestEvent.class, (event) -> TestThreads.pause(Duration.ofMillis(120)))
				.on(ConnectionEvent.class, (event) -> TestThreads.pause(Duration.ofMillis(120)));
			server.start();
			serve(server, 3);
			server.server().stop();
			assertThat(server.logged(Level.WARN)).filteredOn((message) -> message.contains("held an event loop"))
				.singleElement()
				.asString()
				.contains("SlotRequestEvent")
				.containsPattern("1[2-9]\\d ms|[2-9]\\d\\d ms|\\d{4,} ms")
				.contains("callosum.server.listener-execution=task-executor");
		}
	}

	@Test
	void aListenerThatTakesItsTimeOnAnExecutorEarnsNoWarning() {
		try (TestServer server = create(onPool())) {
			server.events().on(ConnectionEvent.class, (event) -> TestThreads.pause(Duration.ofMillis(120)));
			server.start();
			serve(server, 1);
			server.server().stop();
			assertThat(server.logged(Level.WARN)).isEmpty();
		}
	}

	// A pool

	@Test
	void theEventsOfAConnectionComeInOrderAndNeverConcurrentlyOnAPool() throws Exception {
		Map<String, String> running = new ConcurrentHashMap<>();
		List<String> violations = new CopyOnWriteArrayList<>();
		Set<String> threads = ConcurrentHashMap.newKeySet();
		try (TestServer server = create(onPool())) {
			server.events().on(CallosumServerEvent.class, (event) -> {
				String id = connectionId(event);
				if (id == null) {
					return;
				}
				threads.add(Thread.currentThread().getName());
				String other = running.putIfAbsent(id, event.toString());
				if (other != null) {
					violations.add(event + " during " + other);
				}
				LockSupport.parkNanos(ThreadLocalRandom.current().nextInt(500_000));
				running.remove(id, event.toString());
			});
			server.start();
			TestThreads.churn(server, 8, 100);
			server.server().stop();
			assertThat(violations).isEmpty();
			assertThat(threads).containsExactly("pool");
			assertThat(server.events().of(ConnectionEvent.class).size()).isGreaterThan(400);
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
		}
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void listenersOfOneConnectionMayBlockWithoutStallingOthers(boolean secure) throws Exception {
		verifyBlockingIsHarmless(SlotRequestEvent.class, secure);
		verifyBlockingIsHarmless(ConnectionEvent.class, secure);
		verifyBlockingIsHarmless(SlotFreeEvent.class, secure);
	}

	@Test
	void anExecutorThatBlocksItsCallerBlocksNoEventLoop() {
		CountDownLatch written = new CountDownLatch(1);
		SimpleAsyncTaskExecutor throttled = new SimpleAsyncTaskExecutor("throttled-");
		throttled.setConcurrencyLimit(1);
		try (TestServer server = create(
				(builder) -> builder.workerThreads(1).slotTimeout(LONG).listenerExecutor(throttled))
			// The next client would leave before it is written to
			.expectNobodyNext()) {
			server.events().on(ConnectionEvent.class, (event) -> {
				if (event.getSlot() == 0) {
					TestThreads.await(written);
					// Needs the event loop, which has submitted a task to the executor in
					// the meantime
					event.getConnection().outbound().sendString(Mono.just("!")).then().block(Duration.ofSeconds(20));
				}
			});
			server.start();
			TestClient first = server.connect();
			assertThat(first.readSlot()).isZero();
			List<TestClient> others = List.of(server.connect(), server.connect());
			server.awaitAccepted();
			written.countDown();
			assertThat(first.read()).isEqualTo('!');
			assertThat(others).extracting(TestClient::readSlot).containsExactlyInAnyOrder(1, 2);
		}
	}

	@Test
	void aThreadForWhatAnExecutorRejectsIsThereBeforeNoneCanBeCreatedAnyMore() {
		AtomicBoolean restarted = new AtomicBoolean();
		try (TestServer server = create(onPool())) {
			server.events().on(ServerStoppedEvent.class, (event) -> {
				if (restarted.compareAndSet(false, true)) {
					server.start();
				}
			});
			server.start();
			assertThat(Thread.getAllStackTraces().keySet()).extracting(Thread::getName).contains("callosum-events");
			server.server().stop();
			// The end of the first run has not ended this thread
			Awaitility.await()
				.during(Duration.ofMillis(300))
				.until(() -> Thread.getAllStackTraces()
					.keySet()
					.stream()
					.anyMatch((thread) -> thread.getName().equals("callosum-events")));
			assertThat(server.connect().readSlot()).isZero();
		}
	}

	@Test
	void theAllocatorMayBlockWithoutStallingOthers() {
		CountDownLatch blocked = new CountDownLatch(1);
		LowestSlotAllocator slots = new LowestSlotAllocator();
		AtomicBoolean allocating = new AtomicBoolean();
		AtomicBoolean releasing = new AtomicBoolean();
		try (TestServer server = create((builder) -> onPool().apply(builder)
			.workerThreads(1)
			.slotTimeout(LONG)
			.slotAllocator(new SlotAllocator() {

				@Override
				public int allocate(SlotRequest request) {
					int slot = slots.allocate(request);
					if (slot == 0) {
						allocating.set(true);
						TestThreads.await(blocked);
					}
					return slot;
				}

				@Override
				public void release(int slot) {
					slots.release(slot);
					if (slot == 1) {
						releasing.set(true);
						TestThreads.await(blocked);
					}
				}

			})).start()) {
			TestClient first = server.connect();
			TestServer.await("allocation", () -> assertThat(allocating).isTrue());
			TestClient second = server.connect();
			assertThat(second.readSlot()).isOne();
			second.close();
			TestServer.await("release", () -> assertThat(releasing).isTrue());
			assertThat(server.connect().readSlot()).isOne();
			blocked.countDown();
			assertThat(first.readSlot()).isZero();
		}
	}

	@Test
	void aHandlerMayBlockWhileItIsAssembledWithoutStallingOthers() {
		CountDownLatch blocked = new CountDownLatch(1);
		List<String> threads = new CopyOnWriteArrayList<>();
		try (TestServer server = create(
				(builder) -> onPool().apply(builder).workerThreads(1).connectionHandler((connection) -> {
					threads.add(Thread.currentThread().getName());
					if (connection.slot() == 0) {
						TestThreads.await(blocked);
					}
					return connection.outbound().sendString(Mono.just("hello\n")).then();
				}))
			.start()) {
			TestClient first = server.connect();
			assertThat(first.readSlot()).isZero();
			TestServer.await("handler", () -> assertThat(threads).hasSize(1));
			TestClient second = server.connect();
			assertThat(second.readSlot()).isOne();
			assertThat(second.readLine()).isEqualTo("hello\n");
			blocked.countDown();
			assertThat(first.readLine()).isEqualTo("hello\n");
			assertThat(threads).containsOnly("pool");
		}
	}

	@Test
	void theSlotTimeoutIncludesWaitingForAThread() {
		Queue<Runnable> waiting = new ConcurrentLinkedQueue<>();
		AtomicBoolean busy = new AtomicBoolean(true);
		try (TestServer server = create(
				(builder) -> builder.slotTimeout(Duration.ofMillis(100)).listenerExecutor(holding(busy, waiting)))) {
			server.start();
			assertThat(server.connect().isRefused()).isTrue();
			busy.set(false);
			waiting.forEach(this.pool::execute);
			server.server().stop();
			assertThat(server.events().of(ServerErrorEvent.class)).singleElement().satisfies((event) -> {
				assertThat(event.getError()).isInstanceOf(TimeoutException.class);
				assertThat(event.getConnectionId()).isEqualTo("c1");
			});
			assertThat(server.events().of(SlotRequestEvent.class)).as("requests of a connection that has gone")
				.isEmpty();
		}
	}

	@Test
	void aStopWaitsForAnAnswerThatWaitsForASlotAlsoWhenItsPeerHasLeft() {
		CountDownLatch freeing = new CountDownLatch(1);
		CountDownLatch blocked = new CountDownLatch(1);
		CompletableFuture<Boolean> stoppedEarly = new CompletableFuture<>();
		CountDownLatch stopped = new CountDownLatch(1);
		try (TestServer server = create(onPool())) {
			server.events().on(SlotRequestEvent.class, (event) -> event.assign(7)).on(SlotFreeEvent.class, (event) -> {
				if (event.getConnection().id().equals("c1")) {
					freeing.countDown();
					TestThreads.await(blocked);
				}
				else {
					stoppedEarly.complete(isOpen(stopped));
				}
			}).on(ServerStoppedEvent.class, (event) -> stopped.countDown());
			server.start();
			TestClient holder = server.connect();
			assertThat(holder.readSlot()).isEqualTo(7);
			holder.close();
			TestThreads.await(freeing);
			TestClient next = server.connect();
			TestServer.await("the request", () -> assertThat(server.events().of(SlotRequestEvent.class)).hasSize(2));
			next.close();
			TestServer.await("the end of its connection", () -> assertThat(server.measured("refused")).isOne());
			CompletableFuture<?> stop = CompletableFuture.runAsync(server.server()::stop, this.pool);
			TestServer.await("the stop", () -> assertThat(server.events().of(ServerStoppingEvent.class)).hasSize(1));
			blocked.countDown();
			assertThat(stop).succeedsWithin(Duration.ofSeconds(30));
			assertThat(stoppedEarly).succeedsWithin(Duration.ofSeconds(30)).isEqualTo(false);
		}
	}

	@Test
	void requestsThatWaitForAThreadArePendingUntilTheyHaveOne() {
		Queue<Runnable> waiting = new ConcurrentLinkedQueue<>();
		AtomicBoolean busy = new AtomicBoolean(true);
		int requests = 100;
		try (TestServer server = create((builder) -> builder.slotTimeout(Duration.ofMillis(50))
			.maxPendingSlotRequests(requests)
			.listenerExecutor(holding(busy, waiting)))) {
			server.start();
			for (int i = 0; i < requests; i++) {
				server.connect().close();
			}
			TestServer.await("requests", () -> assertThat(server.measured("slotRequested")).isEqualTo(requests));
			assertThat(server.connect().isRefused()).isTrue();
			busy.set(false);
			waiting.forEach(Runnable::run);
			TestServer.await("a slot", () -> {
				TestClient client = server.connect();
				assertThat(client.readLine()).matches("\\d+\r\n");
			});
			server.server().stop();
			TestServer.await("answers", () -> assertThat(server.measured("slotRequestAnswered"))
				.isEqualTo(server.measured("slotRequested")));
		}
	}

	@Test
	void errorsOfAnEventLoopArePublishedOnThePoolToo() {
		List<String> threads = new CopyOnWriteArrayList<>();
		try (TestServer server = create((builder) -> onPool().apply(builder)
			.slotTimeout(Duration.ofSeconds(5))
			.connectionHandler(
					(connection) -> connection.inbound().receive().next().then(Mono.error(new RuntimeException()))))) {
			server.events().on(SlotRequestEvent.class, (event) -> {
				if (event.getRequest().connectionId().equals("c1")) {
					event.assign(Mono.never());
				}
			}).on(ServerErrorEvent.class, (event) -> threads.add(Thread.currentThread().getName()));
			server.start();
			assertThat(server.connect().isRefused()).isTrue();
			TestServer.await("timeout", () -> assertThat(threads).hasSize(1));
			TestClient client = server.connect();
			assertThat(client.readSlot()).isZero();
			client.send("fail");
			TestServer.await("the handler's error", () -> assertThat(threads).hasSize(2));
			assertThat(threads).containsOnly("pool");
		}
	}

	// Executors that do not accept every task

	@Test
	void anExecutorThatRejectsEverythingLosesNothingAndNothingRunsOnAnEventLoop() throws Exception {
		verifyNothingLost((task) -> {
			throw new RejectedExecutionException("always");
		}, "callosum-events");
	}

	@Test
	void anExecutorThatRejectsAtRandomLosesNothingAndNothingRunsOnAnEventLoop() throws Exception {
		verifyNothingLost((task) -> {
			if (ThreadLocalRandom.current().nextBoolean()) {
				throw new RejectedExecutionException("at random");
			}
			this.pool.execute(task);
		}, "pool", "callosum-events");
	}

	@Test
	void anExecutorThatThrowsAnErrorLosesNothingAndNothingRunsOnAnEventLoop() throws Exception {
		verifyNothingLost((task) -> {
			if (ThreadLocalRandom.current().nextBoolean()) {
				throw new OutOfMemoryError("unable to create native thread");
			}
			this.pool.execute(task);
		}, "pool", "callosum-events");
	}

	@Test
	void anExecutorThatTakesATaskAndThrowsNeverthelessPublishesNothingTwice() throws Exception {
		verifyNothingLost((task) -> {
			// Like a ThreadPoolExecutor that has queued a task and then cannot create a
			// thread
			this.pool.execute(task);
			if (ThreadLocalRandom.current().nextBoolean()) {
				throw new OutOfMemoryError("unable to create native thread");
			}
		}, "pool", "callosum-events");
	}

	@Test
	void anExecutorThatRunsTasksOnTheThreadOfItsCallerNeverRunsListenersOnAnEventLoop() throws Exception {
		verifyNothingLost(Runnable::run, "callosum-events", "answers");
	}

	private void verifyNothingLost(Executor executor, String... expectedThreads) throws InterruptedException {
		Map<String, AtomicInteger> running = new ConcurrentHashMap<>();
		Set<String> violations = ConcurrentHashMap.newKeySet();
		Set<String> threads = ConcurrentHashMap.newKeySet();
		AtomicInteger errors = new AtomicInteger();
		ExecutorService answers = Executors.newSingleThreadExecutor((task) -> new Thread(task, "answers"));
		LowestSlotAllocator slots = new LowestSlotAllocator();
		try (TestServer server = create((builder) -> builder.listenerExecutor(executor)
			.slotTimeout(LONG)
			.connectionHandler((connection) -> connection.inbound()
				.receive()
				.asString()
				.next()
				.flatMap((text) -> Mono.error(new IllegalStateException(text)))))) {
			server.events().on(CallosumServerEvent.class, (event) -> {
				String id = connectionId(event);
				if (id != null) {
					threads.add(Thread.currentThread().getName());
					if (Schedulers.isInNonBlockingThread()) {
						violations.add(event.getClass().getSimpleName() + " on an event loop");
					}
				}
				if (event instanceof ServerErrorEvent error) {
					errors.incrementAndGet();
				}
				else if (id != null) {
					AtomicInteger concurrent = running.computeIfAbsent(id, (key) -> new AtomicInteger());
					if (concurrent.incrementAndGet() > 1) {
						violations.add("concurrent events of a connection");
					}
					Thread.yield();
					concurrent.decrementAndGet();
				}
			}).on(SlotRequestEvent.class, (event) -> event.assign(Mono.create((sink) -> answers.execute(() -> {
				sink.success(slots.allocate(event.getRequest()));
			})))).on(SlotFreeEvent.class, (event) -> slots.release(event.getSlot()));
			server.start();
			AtomicInteger failing = new AtomicInteger();
			AtomicInteger connects = new AtomicInteger();
			TestThreads.run(4, () -> {
				for (int i = 0; i < 50; i++) {
					connects.incrementAndGet();
					TestClient client = new TestClient(server.server().address());
					if (i % 5 == 4) {
						client.reset();
						continue;
					}
					client.readSlot();
					if (i % 2 == 0) {
						client.send("fail");
						assertThat(client.isRefused()).isTrue();
						failing.incrementAndGet();
					}
					client.close();
				}
			});
			TestServer.await("requests",
					() -> assertThat(server.events().of(SlotRequestEvent.class))
						.hasSizeLessThanOrEqualTo(connects.get())
						.hasSizeGreaterThanOrEqualTo(connects.get() * 4 / 5));
			TestServer.await("ends", () -> {
				assertThat(server.measured("accepted")).isEqualTo(connects.get());
				assertThat(server.measured("refused") + server.measured("slotFreed")).isEqualTo(connects.get());
				assertThat(server.events().of(SlotFreeEvent.class))
					.hasSameSizeAs(server.events().of(SlotRequestEvent.class));
			});
			server.server().stop();
			assertThat(violations).isEmpty();
			assertThat(threads).isSubsetOf(expectedThreads);
			assertThat(errors).hasValue(failing.get());
			assertThat(server.events().of(SlotFreeEvent.class)).extracting((event) -> event.getConnection().id())
				.doesNotHaveDuplicates()
				.hasSameSizeAs(server.events().of(SlotRequestEvent.class));
			assertThat(slots.allocate(server.events().of(SlotRequestEvent.class).get(0).getRequest())).isZero();
		}
		finally {
			answers.shutdown();
		}
	}

	private <E extends CallosumServerEvent> void verifyBlockingIsHarmless(Class<E> type, boolean secure) {
		CountDownLatch blocked = new CountDownLatch(1);
		CountDownLatch reached = new CountDownLatch(1);
		try (TestServer server = TestServer.create(Link.of(this.transport, secure),
				(builder) -> onPool().apply(builder).workerThreads(1).slotTimeout(LONG))) {
			server.events().on(type, (event) -> {
				if ("c1".equals(connectionId(event))) {
					reached.countDown();
					TestThreads.await(blocked);
				}
			});
			server.start();
			TestClient first = server.connect();
			if (type == SlotFreeEvent.class) {
				first.readSlot();
				first.close();
			}
			TestThreads.await(reached);
			List<TestClient> others = new ArrayList<>();
			for (int i = 0; i < 8; i++) {
				TestClient other = server.connect();
				assertThat(other.readSlot()).isBetween(i, i + 1);
				others.add(other);
			}
			others.forEach(TestClient::close);
			TestServer.await("the lives of the others",
					() -> assertThat(server.events().of(SlotFreeEvent.class))
						.extracting((event) -> event.getConnection().id())
						.contains("c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"));
			// The first one has not timed out
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
			blocked.countDown();
		}
	}

	private TestServer create(UnaryOperator<CallosumServer.Builder> customizer) {
		return TestServer.create(this.transport, customizer);
	}

	private UnaryOperator<CallosumServer.Builder> onPool() {
		return (builder) -> builder.listenerExecutor(this.pool);
	}

	/**
	 * An executor that holds its tasks back while it is busy.
	 */
	private Executor holding(AtomicBoolean busy, Queue<Runnable> waiting) {
		return (task) -> {
			waiting.add(task);
			// The test runs those that it finds when it is no longer busy
			if (!busy.get()) {
				this.pool.execute(task);
			}
		};
	}

	private static void serve(TestServer server, int clients) {
		for (int i = 0; i < clients; i++) {
			TestClient client = server.connect();
			client.readSlot();
			int connected = i + 1;
			TestServer.await("connection",
					() -> assertThat(server.events().of(ConnectionEvent.class)).hasSize(connected));
			client.close();
		}
	}

	private static String connectionId(CallosumServerEvent event) {
		if (event instanceof SlotRequestEvent request) {
			return request.getRequest().connectionId();
		}
		if (event instanceof ConnectionEvent connection) {
			return connection.getConnection().id();
		}
		if (event instanceof SlotFreeEvent free) {
			return free.getConnection().id();
		}
		return (event instanceof ServerErrorEvent error) ? error.getConnectionId() : null;
	}

	/**
	 * Return whether a latch opens soon, which it must not.
	 */
	private static boolean isOpen(CountDownLatch latch) {
		try {
			return latch.await(300, TimeUnit.MILLISECONDS);
		}
		catch (InterruptedException ex) {
			throw new IllegalStateException(ex);
		}
	}

}
