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

package io.callosum.client;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.LongStream;

import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordedStackTrace;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledForJreRange;
import org.junit.jupiter.api.condition.JRE;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import org.springframework.core.task.VirtualThreadTaskExecutor;

import io.callosum.client.ScriptedServer.Script;
import io.callosum.server.Link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.junit.jupiter.api.Assumptions.abort;

/**
 * Tests for many threads that call {@link CallosumClient#execute} at the same time.
 *
 * @author The Callosum authors
 */
@Timeout(300)
class BlockingCallersTests {

	private static final int CALLERS = 10_000;

	private static final long STACK_SIZE = 64 * 1024;

	@RegisterExtension
	private final TestClientPool clients = new TestClientPool();

	private final AtomicInteger served = new AtomicInteger();

	private final List<Throwable> failures = new CopyOnWriteArrayList<>();

	@Test
	void tenThousandThreadsMayWaitAndAreAllServed() throws Exception {
		try (ScriptedServer server = new ScriptedServer(false)) {
			CallosumClient client = startForWaiting(server);
			// Load classes first, for which the small stacks may not be large enough
			client.execute((lease) -> "");
			CallosumLease lease = client.acquire().block();
			List<Thread> threads = startCallers(client);
			awaitPending(client);
			assertThatProcessorTimeIsBelowOnePercent(threads);
			verifyTheQueueIsFull(client);
			lease.release();
			for (Thread thread : threads) {
				thread.join();
			}
			assertThat(this.failures).isEmpty();
			assertThat(this.served).hasValue(CALLERS);
			this.clients.awaitRest(client);
		}
	}

	/**
	 * Start the callers, if the machine allows that many threads.
	 */
	private List<Thread> startCallers(CallosumClient client) {
		List<Thread> threads = new ArrayList<>();
		for (int i = 0; i < CALLERS; i++) {
			Thread thread = new Thread(null, () -> call(client), "waiting-caller", STACK_SIZE);
			try {
				thread.start();
			}
			catch (OutOfMemoryError ex) {
				abort("Only " + i + " threads could be started: " + ex.getMessage());
			}
			threads.add(thread);
		}
		return threads;
	}

	@Test
	@EnabledForJreRange(min = JRE.JAVA_21)
	void tenThousandVirtualThreadsMayWaitAndAreAllServed() throws Exception {
		try (ScriptedServer server = new ScriptedServer(false)) {
			CallosumClient client = startForWaiting(server);
			CallosumLease lease = client.acquire().block();
			CountDownLatch done = new CountDownLatch(CALLERS);
			VirtualThreadTaskExecutor executor = new VirtualThreadTaskExecutor("waiting-caller-");
			for (int i = 0; i < CALLERS; i++) {
				executor.execute(() -> {
					call(client);
					done.countDown();
				});
			}
			awaitPending(client);
			verifyTheQueueIsFull(client);
			lease.release();
			done.await();
			assertThat(this.failures).isEmpty();
			assertThat(this.served).hasValue(CALLERS);
			this.clients.awaitRest(client);
		}
	}

	private CallosumClient startForWaiting(ScriptedServer server) {
		return this.clients.start(Link.EPOLL,
				(builder) -> builder.acquireTimeout(Duration.ofMinutes(10)).maxPendingAcquires(CALLERS),
				server.address());
	}

	private void call(CallosumClient client) {
		try {
			client.execute((lease) -> this.served.incrementAndGet());
		}
		catch (Throwable ex) {
			this.failures.add(ex);
		}
	}

	private static void awaitPending(CallosumClient client) {
		TestClientPool.await("pending", () -> assertThat(client.snapshot().pending()).isEqualTo(CALLERS));
	}

	private static void assertThatProcessorTimeIsBelowOnePercent(List<Thread> threads) throws InterruptedException {
		TestClientPool.await("waiting",
				() -> assertThat(threads).allMatch((thread) -> thread.getState() == Thread.State.WAITING));
		long start = System.nanoTime();
		long before = processorTime(threads);
		new CountDownLatch(1).await(1, TimeUnit.SECONDS);
		long used = processorTime(threads) - before;
		assertThat(used).isLessThan((System.nanoTime() - start) / 100);
	}

	private static long processorTime(List<Thread> threads) {
		ThreadMXBean bean = ManagementFactory.getThreadMXBean();
		long[] times = threads.stream().mapToLong((thread) -> bean.getThreadCpuTime(thread.getId())).toArray();
		assertThat(times).doesNotContain(-1);
		return LongStream.of(times).sum();
	}

	private static void verifyTheQueueIsFull(CallosumClient client) {
		assertThatExceptionOfType(LeaseUnavailableException.class).isThrownBy(() -> client.execute((lease) -> ""))
			.satisfies((unavailable) -> assertThat(unavailable.getReason())
				.isEqualTo(LeaseUnavailableException.Reason.TOO_MANY_PENDING))
			.withMessageContaining("pool 1, leased 1, idle 0, pending " + CALLERS);
	}

	@ParameterizedTest
	@EnumSource
	@EnabledForJreRange(min = JRE.JAVA_21)
	void noVirtualThreadIsPinned(Link link, @TempDir Path directory) throws Exception {
		try (ScriptedServer server = new ScriptedServer(link.isSecure()); Recording recording = new Recording()) {
			server.script(Script.echo());
			CallosumClient client = this.clients.start(link, (builder) -> builder.poolSize(4), server.address());
			// Load and initialize classes first, because that pins threads
			echoFromManyThreads(client);
			recording.enable("jdk.VirtualThreadPinned").withThreshold(Duration.ZERO).withStackTrace();
			recording.start();
			echoFromManyThreads(client);
			recording.stop();
			assertThat(this.failures).isEmpty();
			Path file = directory.resolve("pinned.jfr");
			recording.dump(file);
			assertThat(RecordingFile.readAllEvents(file)).flatExtracting(BlockingCallersTests::framesOfTheClient)
				.isEmpty();
		}
	}

	private void echoFromManyThreads(CallosumClient client) throws InterruptedException {
		int callers = 200;
		CountDownLatch done = new CountDownLatch(callers);
		VirtualThreadTaskExecutor executor = new VirtualThreadTaskExecutor("pinned-caller-");
		for (int i = 0; i < callers; i++) {
			executor.execute(() -> {
				try {
					for (int n = 0; n < 5; n++) {
						echo(client, "message " + n);
					}
				}
				catch (Throwable ex) {
					this.failures.add(ex);
				}
				done.countDown();
			});
		}
		done.await();
	}

	private static List<String> framesOfTheClient(RecordedEvent event) {
		RecordedStackTrace stackTrace = event.getStackTrace();
		if (stackTrace == null) {
			return List.of();
		}
		List<String> frames = stackTrace.getFrames()
			.stream()
			.map((frame) -> frame.getMethod().getType().getName() + "." + frame.getMethod().getName())
			.toList();
		if (isLoadingClasses(event, frames)) {
			return List.of();
		}
		return frames.stream().filter((frame) -> frame.startsWith("io.callosum.") && !frame.contains("Tests")).toList();
	}

	/**
	 * Return whether the thread was pinned because a class was being loaded or
	 * initialized, by itself or by another thread.
	 */
	private static boolean isLoadingClasses(RecordedEvent event, List<String> frames) {
		return frames.stream().anyMatch((frame) -> frame.endsWith(".<clinit>") || frame.endsWith(".loadClass"))
				|| (event.hasField("pinnedReason")
						&& String.valueOf(event.getString("pinnedReason")).matches(".*(initialization of|<clinit>).*"));
	}

	private static void echo(CallosumClient client, String message) {
		String answer = client.execute((lease) -> {
			try {
				lease.outputStream().write((message + "\r\n").getBytes(StandardCharsets.US_ASCII));
				return new BufferedReader(new InputStreamReader(lease.inputStream(), StandardCharsets.US_ASCII))
					.readLine();
			}
			catch (IOException ex) {
				throw new UncheckedIOException(ex);
			}
		});
		assertThat(answer).isEqualTo(message);
	}

}
