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

package io.callosum.server.autoconfigure;

import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledForJreRange;
import org.junit.jupiter.api.condition.JRE;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Mono;

import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.autoconfigure.context.LifecycleAutoConfiguration;
import org.springframework.boot.autoconfigure.task.TaskExecutionAutoConfiguration;
import org.springframework.boot.availability.AvailabilityChangeEvent;
import org.springframework.boot.availability.ReadinessState;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.ApplicationContext;
import org.springframework.context.ApplicationListener;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.SmartLifecycle;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.event.EventListener;
import org.springframework.context.event.SimpleApplicationEventMulticaster;
import org.springframework.scheduling.concurrent.ThreadPoolTaskExecutor;

import io.callosum.server.CallosumServer;
import io.callosum.server.ConnectionEvent;
import io.callosum.server.ConnectionHandler;
import io.callosum.server.FreePort;
import io.callosum.server.LowestSlotAllocator;
import io.callosum.server.ServerStoppedEvent;
import io.callosum.server.SlotAllocator;
import io.callosum.server.SlotFreeEvent;
import io.callosum.server.SlotRequest;
import io.callosum.server.SlotRequestEvent;
import io.callosum.server.TestClient;

import static org.assertj.core.api.Assertions.assertThat;
import static org.mockito.ArgumentMatchers.any;
import static org.mockito.BDDMockito.given;
import static org.mockito.BDDMockito.willThrow;
import static org.mockito.Mockito.mock;

/**
 * Tests for how the auto-configured server starts and stops with its context.
 *
 * @author The Callosum authors
 */
class CallosumServerLifecycleTests {

	private static final Duration TIMEOUT = Duration.ofSeconds(30);

	private final ApplicationContextRunner runnerWithoutListeners = new ApplicationContextRunner()
		.withConfiguration(
				AutoConfigurations.of(CallosumServerAutoConfiguration.class, LifecycleAutoConfiguration.class))
		.withPropertyValues("callosum.server.host=127.0.0.1", "callosum.server.port=0",
				"callosum.server.shutdown-quiet-period=50ms");

	private final ApplicationContextRunner runner = this.runnerWithoutListeners.withBean(Recorder.class);

	@Test
	void thePhasesAreThoseOfBootsWebServers() {
		this.runner.run((context) -> {
			assertThat(context.getBean(ServerStartStopLifecycle.class).getPhase())
				.isEqualTo(SmartLifecycle.DEFAULT_PHASE - 2048);
			assertThat(context.getBean(ServerGracefulShutdownLifecycle.class).getPhase())
				.isEqualTo(SmartLifecycle.DEFAULT_PHASE - 1024);
		});
	}

	@ParameterizedTest
	@ValueSource(booleans = { true, false })
	void aStoppedContextCanBeStartedAgainAndAgain(boolean nativeTransport) {
		onPortOfItsOwn(nativeTransport).run((context) -> {
			CallosumServer server = context.getBean(CallosumServer.class);
			for (int i = 0; i < 3; i++) {
				int port = port(context);
				assertThat(context.getEnvironment().getProperty("local.callosum.server.port", Integer.class))
					.isEqualTo(port);
				try (TestClient client = new TestClient(port)) {
					assertThat(client.readSlot()).isZero();
					context.stop();
					assertThat(client.isRefused()).isTrue();
				}
				assertThat(server.isRunning()).isFalse();
				assertThat(TestClient.canConnect(port)).isFalse();
				context.start();
			}
			assertThat(context.getBean(Recorder.class).freed).hasSize(3);
		});
	}

	@Test
	void aServerThatTheApplicationHasStoppedStartsWithTheContextAgain() {
		this.runner.run((context) -> {
			CallosumServer server = context.getBean(CallosumServer.class);
			server.stop();
			context.stop();
			context.start();
			assertThat(server.isRunning()).isTrue();
			server.stop();
			server.start();
			context.close();
			assertThat(server.isRunning()).isFalse();
		});
	}

	@Test
	void aServerThatTheApplicationHasStartedInAStoppedContextEndsWithTheContext() {
		this.runner.run((context) -> {
			CallosumServer server = context.getBean(CallosumServer.class);
			context.stop();
			server.start();
			context.close();
			assertThat(server.isRunning()).isFalse();
		});
	}

	@ParameterizedTest
	@ValueSource(booleans = { true, false })
	void aContextThatClosesWithOpenConnectionsDeliversEveryEvent(boolean nativeTransport) {
		onPortOfItsOwn(nativeTransport).run((context) -> {
			Recorder recorder = context.getBean(Recorder.class);
			int port = port(context);
			TestClient[] clients = new TestClient[20];
			for (int i = 0; i < clients.length; i++) {
				clients[i] = new TestClient(port);
				assertThat(clients[i].readSlot()).isEqualTo(i);
			}
			context.close();
			assertThat(recorder.freed).hasSize(clients.length).doesNotHaveDuplicates();
			assertThat(recorder.stopped).hasSize(1);
			assertThat(TestClient.canConnect(port)).isFalse();
			for (TestClient client : clients) {
				assertThat(client.isRefused()).isTrue();
				client.close();
			}
		});
	}

	@ParameterizedTest
	@ValueSource(booleans = { true, false })
	void aGracefulShutdownLetsHandlersFinish(boolean nativeTransport) {
		this.runner.withPropertyValues("callosum.server.native-transport=" + nativeTransport)
			.withBean(ConnectionHandler.class, CallosumServerLifecycleTests::farewell)
			.run((context) -> {
				try (TestClient client = new TestClient(port(context))) {
					assertThat(client.readSlot()).isZero();
					assertThat(client.readLine()).isEqualToIgnoringNewLines("hello");
					context.close();
					assertThat(client.readLine()).isEqualToIgnoringNewLines("bye");
				}
			});
	}

	@Test
	@Timeout(120)
	void anImmediateShutdownDoesNotWaitForHandlers() {
		this.runner
			.withPropertyValues("callosum.server.shutdown=immediate", "callosum.server.shutdown-quiet-period=1h",
					"spring.lifecycle.timeout-per-shutdown-phase=1h")
			.withBean(ConnectionHandler.class, CallosumServerLifecycleTests::farewell)
			.run((context) -> {
				try (TestClient client = new TestClient(port(context))) {
					assertThat(client.readSlot()).isZero();
					assertThat(client.readLine()).isEqualToIgnoringNewLines("hello");
					context.close();
					assertThat(client.isRefused()).isTrue();
				}
			});
	}

	@Test
	void aDrainThatTakesTooLongIsCutShortByTheTimeoutOfThePhase() {
		this.runner.withPropertyValues("spring.lifecycle.timeout-per-shutdown-phase=300ms")
			.withBean(ConnectionHandler.class, () -> (connection) -> Mono.never())
			.run((context) -> {
				CallosumServer server = context.getBean(CallosumServer.class);
				Recorder recorder = context.getBean(Recorder.class);
				try (TestClient client = new TestClient(port(context))) {
					assertThat(client.readSlot()).isZero();
					context.close();
					assertThat(server.isRunning()).isFalse();
					assertThat(server.connections()).isEmpty();
					assertThat(recorder.freed).hasSize(1);
					assertThat(client.isRefused()).isTrue();
				}
			});
	}

	@Test
	void noThreadOfTheShutdownIsLeft() {
		this.runner.run((context) -> {
			try (TestClient client = new TestClient(port(context))) {
				assertThat(client.readSlot()).isZero();
				context.close();
			}
		});
		Awaitility.await()
			.atMost(TIMEOUT)
			.untilAsserted(() -> assertThat(Thread.getAllStackTraces().keySet()).extracting(Thread::getName)
				.doesNotContain("callosum-shutdown", "callosum-server"));
	}

	@Test
	void theEndOfADrainIsToldAlsoIfItFails() throws InterruptedException {
		CallosumServer server = mock(CallosumServer.class);
		given(server.isRunning()).willReturn(true);
		willThrow(new IllegalStateException("test")).given(server).stop(any());
		assertCallsBack(new ServerGracefulShutdownLifecycle(server, true));
	}

	@Test
	void theEndOfADrainIsToldAlsoIfTheServerDoesNotRun() throws InterruptedException {
		assertCallsBack(new ServerGracefulShutdownLifecycle(CallosumServer.builder().build(), true));
	}

	@Test
	void theEndOfADrainIsToldAlsoIfThereIsNone() throws InterruptedException {
		CallosumServer server = mock(CallosumServer.class);
		given(server.isRunning()).willReturn(true);
		assertCallsBack(new ServerGracefulShutdownLifecycle(server, false));
	}

	private static void assertCallsBack(SmartLifecycle lifecycle) throws InterruptedException {
		CountDownLatch callback = new CountDownLatch(1);
		lifecycle.start();
		assertThat(lifecycle.isRunning()).isTrue();
		lifecycle.stop(callback::countDown);
		assertThat(callback.await(TIMEOUT.toSeconds(), TimeUnit.SECONDS)).isTrue();
		assertThat(lifecycle.isRunning()).isFalse();
	}

	@ParameterizedTest
	@ValueSource(booleans = { true, false })
	void aContextThatClosesInAStormOfConnectsLeavesNoSlotInUse(boolean nativeTransport) {
		Set<Integer> inUse = ConcurrentHashMap.newKeySet();
		LowestSlotAllocator lowest = new LowestSlotAllocator();
		AtomicBoolean over = new AtomicBoolean();
		Set<TestClient> connected = ConcurrentHashMap.newKeySet();
		ExecutorService clients = Executors.newFixedThreadPool(6);
		onPortOfItsOwn(nativeTransport).withBean(SlotAllocator.class, () -> new SlotAllocator() {

			@Override
			public int allocate(SlotRequest request) {
				int slot = lowest.allocate(request);
				inUse.add(slot);
				return slot;
			}

			@Override
			public void release(int slot) {
				inUse.remove(slot);
				lowest.release(slot);
			}

		}).run((context) -> {
			Recorder recorder = context.getBean(Recorder.class);
			int port = port(context);
			for (int i = 0; i < 6; i++) {
				clients.execute(() -> {
					while (!over.get()) {
						try (TestClient client = new TestClient(port)) {
							connected.add(client);
							try {
								client.readLine();
							}
							finally {
								connected.remove(client);
							}
						}
						catch (UncheckedIOException ex) {
							Thread.yield();
						}
					}
				});
			}
			Awaitility.await().atMost(TIMEOUT).until(() -> recorder.freed.size() > 200);
			context.close();
			assertThat(inUse).isEmpty();
			assertThat(TestClient.canConnect(port)).isFalse();
			assertThat(recorder.stopped).hasSize(1);
			over.set(true);
			clients.shutdown();
			// Linux itself silently abandons a client or two whose handshake ends just as
			// the listening socket closes
			Awaitility.await().atMost(TIMEOUT).until(() -> connected.size() <= 2);
			Awaitility.await().atMost(TIMEOUT).until(() -> {
				connected.forEach(TestClient::close);
				return clients.isTerminated();
			});
		});
	}

	@Test
	void aPauseOfTheContextLeavesTheServerAlone() {
		this.runner.run((context) -> {
			try (TestClient client = new TestClient(port(context))) {
				assertThat(client.readSlot()).isZero();
				int port = port(context);
				context.pause();
				context.restart();
				assertThat(port(context)).isEqualTo(port);
				try (TestClient other = new TestClient(port)) {
					assertThat(other.readSlot()).isEqualTo(1);
				}
				assertThat(context.getBean(Recorder.class).stopped).isEmpty();
			}
		});
	}

	@Test
	void theApplicationRefusesTrafficWhenItsContextClosesAndNotBefore() {
		this.runner.run((context) -> {
			Recorder recorder = context.getBean(Recorder.class);
			ConfigurableApplicationContext child = new AnnotationConfigApplicationContext();
			child.setParent(context);
			child.refresh();
			child.close();
			context.stop();
			context.start();
			assertThat(recorder.readiness).isEmpty();
			context.close();
			assertThat(recorder.readiness).containsExactly("REFUSING_TRAFFIC running");
		});
	}

	@Test
	void thePortIsKnownAtOnceWhereListenersAreAsynchronous() {
		this.runnerWithoutListeners
			.withBean("applicationEventMulticaster", SimpleApplicationEventMulticaster.class, () -> {
				SimpleApplicationEventMulticaster multicaster = new SimpleApplicationEventMulticaster();
				// Asynchronous listeners are never called
				multicaster.setTaskExecutor((task) -> {
				});
				return multicaster;
			})
			.run((context) -> {
				CallosumServer server = context.getBean(CallosumServer.class);
				CallosumServer other = CallosumServer.builder().host("127.0.0.1").port(0).build();
				server.stop();
				// Takes the port that has become free, if that is the next one
				other.start();
				server.start();
				assertThat(context.getEnvironment().getProperty("local.callosum.server.port", Integer.class))
					.isEqualTo(port(context));
				other.stop();
			});
	}

	@Test
	void listenersRunOnTheEventLoopByDefault() {
		this.runner.withConfiguration(AutoConfigurations.of(TaskExecutionAutoConfiguration.class)).run((context) -> {
			connectOnce(context);
			assertThat(context.getBean(Recorder.class).threads).isNotEmpty()
				.allMatch((name) -> name.startsWith("callosum-"));
		});
	}

	@Test
	void listenersRunOnTheApplicationTaskExecutorIfSoConfigured() {
		this.runner.withConfiguration(AutoConfigurations.of(TaskExecutionAutoConfiguration.class))
			.withPropertyValues("callosum.server.listener-execution=task-executor",
					"spring.task.execution.thread-name-prefix=application-task-")
			.run((context) -> {
				connectOnce(context);
				assertThat(context.getBean(Recorder.class).threads).isNotEmpty()
					.allMatch((name) -> name.startsWith("application-task-"));
			});
	}

	@Test
	void aCallosumTaskExecutorComesBeforeTheApplicationTaskExecutor() {
		this.runner.withConfiguration(AutoConfigurations.of(TaskExecutionAutoConfiguration.class))
			.withBean("callosumTaskExecutor", ThreadPoolTaskExecutor.class, () -> taskExecutor("callosum-task-"))
			.withBean("applicationTaskExecutor", ThreadPoolTaskExecutor.class, () -> taskExecutor("application-task-"))
			.withPropertyValues("callosum.server.listener-execution=task-executor")
			.run((context) -> {
				connectOnce(context);
				assertThat(context.getBean(Recorder.class).threads).isNotEmpty()
					.allMatch((name) -> name.startsWith("callosum-task-"));
			});
	}

	@Test
	void listenersHearOfTheEndAlthoughTheirExecutorHasStoppedBefore() {
		this.runner.withBean("callosumTaskExecutor", ThreadPoolTaskExecutor.class, () -> {
			ThreadPoolTaskExecutor executor = taskExecutor("callosum-task-");
			executor.setPhase(SmartLifecycle.DEFAULT_PHASE);
			return executor;
		}).withPropertyValues("callosum.server.listener-execution=task-executor").run((context) -> {
			Recorder recorder = context.getBean(Recorder.class);
			for (int i = 1; i <= 3; i++) {
				try (TestClient client = new TestClient(port(context))) {
					assertThat(client.readSlot()).isZero();
					awaitEvents(recorder, 3 * i - 1);
					context.stop();
					assertThat(recorder.freed).hasSize(i);
					assertThat(client.isRefused()).isTrue();
				}
				context.start();
			}
			try (TestClient client = new TestClient(port(context))) {
				assertThat(client.readSlot()).isZero();
				awaitEvents(recorder, 11);
				context.close();
				assertThat(recorder.freed).hasSize(4);
			}
		});
	}

	/**
	 * Wait until the executor is idle, because while it is paused it holds back the tasks
	 * that it has already accepted.
	 */
	private static void awaitEvents(Recorder recorder, int count) {
		Awaitility.await().atMost(TIMEOUT).untilAsserted(() -> assertThat(recorder.threads).hasSize(count));
	}

	@Test
	void aPausedContextStillServesConnectionsOnATaskExecutor() {
		this.runner.withConfiguration(AutoConfigurations.of(TaskExecutionAutoConfiguration.class))
			.withPropertyValues("callosum.server.listener-execution=task-executor")
			.run((context) -> {
				context.pause();
				connectOnce(context);
				context.restart();
				connectOnce(context);
			});
	}

	@Test
	@EnabledForJreRange(min = JRE.JAVA_21)
	void listenersRunOnVirtualThreadsWhereTheApplicationUsesThem() {
		this.runner.withConfiguration(AutoConfigurations.of(TaskExecutionAutoConfiguration.class))
			.withPropertyValues("callosum.server.listener-execution=task-executor",
					"spring.threads.virtual.enabled=true")
			.run((context) -> {
				List<String> threads = new CopyOnWriteArrayList<>();
				context.addApplicationListener((ApplicationListener<ConnectionEvent>) (event) -> threads
					.add(Thread.currentThread().toString()));
				connectOnce(context);
				assertThat(threads).singleElement().asString().startsWith("VirtualThread");
			});
	}

	@Test
	void anExecutorThatRejectsLosesNoEvent() {
		this.runner.withBean("callosumTaskExecutor", Executor.class, () -> (task) -> {
			throw new RejectedExecutionException("test");
		}).withPropertyValues("callosum.server.listener-execution=task-executor").run((context) -> {
			connectOnce(context);
			assertThat(context.getBean(Recorder.class).threads).isNotEmpty();
		});
	}

	/**
	 * Return a runner with a port that nobody else is assigned while the server does not
	 * listen on it.
	 */
	private ApplicationContextRunner onPortOfItsOwn(boolean nativeTransport) {
		return this.runner.withPropertyValues("callosum.server.native-transport=" + nativeTransport,
				"callosum.server.port=" + FreePort.find());
	}

	private static void connectOnce(ApplicationContext context) {
		Recorder recorder = context.getBean(Recorder.class);
		int freed = recorder.freed.size();
		try (TestClient client = new TestClient(port(context))) {
			assertThat(client.readSlot()).isZero();
		}
		Awaitility.await().atMost(TIMEOUT).until(() -> recorder.freed.size() == freed + 1);
		Awaitility.await().atMost(TIMEOUT).until(context.getBean(CallosumServer.class).connections()::isEmpty);
	}

	private static ConnectionHandler farewell() {
		return (connection) -> connection.outbound()
			.sendString(Mono.just("hello\n"))
			.then(connection.inbound().receive().then())
			.then(Mono.defer(() -> connection.outbound().sendString(Mono.just("bye\n")).then()));
	}

	private static ThreadPoolTaskExecutor taskExecutor(String prefix) {
		ThreadPoolTaskExecutor executor = new ThreadPoolTaskExecutor();
		executor.setThreadNamePrefix(prefix);
		return executor;
	}

	private static int port(ApplicationContext context) {
		CallosumServer server = context.getBean(CallosumServer.class);
		assertThat(server.address()).isNotNull();
		return server.address().getPort();
	}

	static class Recorder {

		private final List<String> freed = new CopyOnWriteArrayList<>();

		private final List<ServerStoppedEvent> stopped = new CopyOnWriteArrayList<>();

		private final List<String> threads = new CopyOnWriteArrayList<>();

		private final List<String> readiness = new CopyOnWriteArrayList<>();

		private final CallosumServer server;

		Recorder(CallosumServer server) {
			this.server = server;
		}

		@EventListener
		void slotRequest(SlotRequestEvent event) {
			this.threads.add(Thread.currentThread().getName());
		}

		@EventListener
		void connected(ConnectionEvent event) {
			this.threads.add(Thread.currentThread().getName());
		}

		@EventListener
		void slotFree(SlotFreeEvent event) {
			this.threads.add(Thread.currentThread().getName());
			this.freed.add(event.getConnection().id());
		}

		@EventListener
		void stopped(ServerStoppedEvent event) {
			this.stopped.add(event);
		}

		@EventListener
		void readiness(AvailabilityChangeEvent<ReadinessState> event) {
			this.readiness.add(event.getState() + (this.server.isRunning() ? " running" : " stopped"));
		}

	}

}
