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

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.InterruptedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import reactor.core.scheduler.Schedulers;
import reactor.netty.resources.LoopResources;

import org.springframework.core.task.SimpleAsyncTaskExecutor;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for a {@link BlockingConnectionHandler} on a limited number of threads.
 */
@ParameterizedClass
@EnumSource
class BlockingHandlerThreadsTests {

	/**
	 * Longer than a busy machine may pause: a handler that makes no progress for this
	 * long is cancelled.
	 */
	private static final Duration TIMEOUT = Duration.ofSeconds(5);

	private final LoopResources loops = LoopResources.create("test", 1, true);

	@AutoClose("shutdownNow")
	private final ExecutorService single = Executors.newSingleThreadExecutor();

	private final List<String> stored = new CopyOnWriteArrayList<>();

	private final List<Boolean> onEventLoop = new CopyOnWriteArrayList<>();

	private final CountDownLatch gate = new CountDownLatch(1);

	@Parameter
	Transport transport;

	@AfterEach
	void dispose() {
		this.gate.countDown();
		this.loops.disposeLater(Duration.ZERO, Duration.ofSeconds(1)).block();
	}

	@ParameterizedTest
	@EnumSource
	void whatAPeerHasSentIsProcessedHoweverLongItsHandlerWaits(HandlerCompletionTests.Leave leave) throws Exception {
		try (TestServer server = create(this.single)) {
			assertThat(server.connect().send("first\n").readSlot()).isZero();
			TestServer.await("the first handler", () -> assertThat(this.onEventLoop).hasSize(1));
			TestClient client = server.connect();
			assertThat(client.readSlot()).isEqualTo(1);
			client.send("one\ntwo\n");
			leave.accept(client);
			server.awaitConnections(1);
			awaitTimeout();
			this.gate.countDown();
			server.closeClients();
			TestServer.await("all lines", () -> assertThat(this.stored).containsExactly("first", "one", "two"));
			server.verifyNothingLeft();
			assertThat(server.warnings()).isEmpty();
		}
	}

	@Test
	void aHandlerWhoseConnectionThisSideClosesWhileItWaitsIsNotCalled() {
		try (TestServer server = create(this.single)) {
			assertThat(server.connect().send("first\n").readSlot()).isZero();
			TestServer.await("the first handler", () -> assertThat(this.onEventLoop).hasSize(1));
			assertThat(server.connect().send("one\n").readSlot()).isEqualTo(1);
			server.server().connections().stream().skip(1).forEach(CallosumConnection::close);
			server.awaitConnections(1);
			this.gate.countDown();
			TestServer.await("the first line", () -> assertThat(this.stored).containsExactly("first"));
			server.closeClients();
			server.verifyNothingLeft();
			assertThat(this.stored).containsExactly("first");
			assertThat(this.onEventLoop).hasSize(1);
		}
	}

	@Test
	void anExecutorThatRunsTasksOnItsCallerDoesNotBlockAnEventLoop() {
		verifyAnswered(Runnable::run);
	}

	@Test
	void aHandlerThatTheExecutorRejectsIsCalledAllTheSame() {
		verifyAnswered((task) -> {
			throw new RejectedExecutionException();
		});
	}

	@Test
	void handlersThatTheExecutorRejectsCauseOneWarningThatSaysHowManyWait() {
		AtomicInteger tasks = new AtomicInteger();
		try (TestServer server = create((task) -> {
			if (tasks.incrementAndGet() > 3) {
				throw new RejectedExecutionException();
			}
			// Runs on the event loop, so the handler is passed to the thread for rejected
			// handlers
			task.run();
		})) {
			for (int slot = 0; slot < 6; slot++) {
				assertThat(server.connect().readSlot()).isEqualTo(slot);
			}
			TestServer.await("the tasks", () -> assertThat(tasks).hasValue(6));
			TestServer.await("the warning",
					() -> assertThat(server.warnings()).singleElement()
						.asString()
						.contains("java.util.concurrent.RejectedExecutionException", "; 3 are waiting",
								"callosum.server.max-connections"));
			this.gate.countDown();
			server.closeClients();
			server.verifyNothingLeft();
		}
	}

	private void verifyAnswered(Executor executor) {
		try (TestServer server = create(executor)) {
			assertThat(server.connect().send("first\n").readSlot()).isZero();
			assertThat(server.connect().readSlot()).isEqualTo(1);
			this.gate.countDown();
			TestServer.await("the line", () -> assertThat(this.stored).containsExactly("first"));
			server.closeClients();
			server.verifyNothingLeft();
			assertThat(this.onEventLoop).containsOnly(false);
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
		}
	}

	@Test
	void anExecutorThatBlocksItsCallerDoesNotBlockAnEventLoop() {
		SimpleAsyncTaskExecutor executor = new SimpleAsyncTaskExecutor();
		executor.setConcurrencyLimit(1);
		try (TestServer server = create(executor)) {
			assertThat(server.connect().send("first\n").readSlot()).isZero();
			TestServer.await("the first handler", () -> assertThat(this.onEventLoop).hasSize(1));
			assertThat(server.connect().send("one\n").readSlot()).isEqualTo(1);
			assertThat(server.connect().send("two\n").readSlot()).isEqualTo(2);
			this.gate.countDown();
			server.closeClients();
			TestServer.await("all lines",
					() -> assertThat(this.stored).containsExactlyInAnyOrder("first", "one", "two"));
			server.verifyNothingLeft();
		}
	}

	/**
	 * Wait until any timer that the server has set so far would have fired.
	 */
	private void awaitTimeout() throws InterruptedException {
		CountDownLatch passed = new CountDownLatch(1);
		this.loops.onServer(this.transport.isNative())
			.next()
			.schedule(passed::countDown, TIMEOUT.plusMillis(1).toMillis(), TimeUnit.MILLISECONDS);
		assertThat(passed.await(30, TimeUnit.SECONDS)).isTrue();
	}

	private void store(CallosumConnection connection) throws IOException {
		this.onEventLoop.add(Schedulers.isInNonBlockingThread());
		try {
			this.gate.await();
		}
		catch (InterruptedException ex) {
			throw new InterruptedIOException();
		}
		BufferedReader reader = new BufferedReader(
				new InputStreamReader(connection.inputStream(), StandardCharsets.US_ASCII));
		try {
			String line;
			while ((line = reader.readLine()) != null) {
				this.stored.add(line);
			}
		}
		catch (IOException ex) {
			// The peer has reset the connection
		}
	}

	private TestServer create(Executor executor) {
		return TestServer
			.create(this.transport,
					(builder) -> builder.loopResources(this.loops)
						.completionTimeout(TIMEOUT)
						.blockingConnectionHandler(this::store, executor))
			.start();
	}

}
