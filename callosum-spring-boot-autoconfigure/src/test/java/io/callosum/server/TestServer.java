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

import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.netty.buffer.ByteBufAllocator;
import io.netty.util.ResourceLeakDetector;
import org.awaitility.Awaitility;
import org.slf4j.LoggerFactory;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * A server on an ephemeral port of the loopback interface, with its events recorded and
 * its slots counted. {@link #close()} checks what must hold at the end of every test:
 * nothing is left.
 */
final class TestServer implements AutoCloseable {

	private static final Duration TIMEOUT = Duration.ofSeconds(30);

	private static final ListAppender<ILoggingEvent> leaks = new ListAppender<>();

	static {
		leaks.start();
		((Logger) LoggerFactory.getLogger(ResourceLeakDetector.class)).addAppender(leaks);
	}

	private final RecordedEvents events = new RecordedEvents();

	private final CountingAllocator allocator = new CountingAllocator();

	private final ListAppender<ILoggingEvent> log = new ListAppender<>();

	private final List<TestClient> clients = new ArrayList<>();

	private final CallosumServer server;

	private TestServer(CallosumServer.Builder builder, UnaryOperator<CallosumServer.Builder> customizer) {
		this.log.start();
		((Logger) LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME)).addAppender(this.log);
		this.server = customizer
			.apply(builder.host("127.0.0.1").port(0).slotAllocator(this.allocator).eventPublisher(this.events))
			.build();
	}

	/**
	 * Create a server that is not started yet, so that a test can add its listeners.
	 */
	static TestServer create(Transport transport, UnaryOperator<CallosumServer.Builder> customizer) {
		return new TestServer(CallosumServer.builder().nativeTransport(transport.isNative()), customizer);
	}

	static TestServer create(Transport transport) {
		return create(transport, UnaryOperator.identity());
	}

	TestServer start() {
		this.server.start();
		return this;
	}

	CallosumServer server() {
		return this.server;
	}

	RecordedEvents events() {
		return this.events;
	}

	/**
	 * Return the messages logged at a level or above, in the form LEVEL message.
	 */
	List<String> logged(Level level) {
		return List.copyOf(this.log.list)
			.stream()
			.filter((event) -> event.getLevel().isGreaterOrEqual(level))
			.map((event) -> event.getLevel() + " " + event.getFormattedMessage()
					+ ((event.getThrowableProxy() != null) ? " [" + event.getThrowableProxy().getClassName() + "]"
							: ""))
			.toList();
	}

	/**
	 * Connect a client, which the server's {@link #close()} closes if the test has not.
	 */
	TestClient connect() {
		return connect(new Socket());
	}

	/**
	 * The same with a socket that has options of its own.
	 */
	TestClient connect(Socket socket) {
		TestClient client = new TestClient(this.server.address(), socket);
		synchronized (this.clients) {
			this.clients.add(client);
		}
		return client;
	}

	/**
	 * Let all clients leave.
	 */
	void closeClients() {
		synchronized (this.clients) {
			this.clients.forEach(TestClient::close);
			this.clients.clear();
		}
	}

	int slotsInUse() {
		return this.allocator.inUse.size();
	}

	/**
	 * Wait until no slot is in use, and check that the next connection gets slot 0.
	 */
	void verifyNothingLeft() {
		await("connections()", () -> assertThat(this.server.connections()).isEmpty());
		assertThat(this.allocator.inUse).as("slots in use").isEmpty();
		assertThat(this.allocator.errors).hasValue(0);
		this.events.verifyOrder();
	}

	void verifyNextSlotIsZero() {
		try (TestClient client = new TestClient(this.server.address())) {
			assertThat(client.readSlot()).as("next slot").isZero();
		}
		await("connections()", () -> assertThat(this.server.connections()).isEmpty());
	}

	static void await(String what, org.awaitility.core.ThrowingRunnable assertion) {
		Awaitility.await(what).atMost(TIMEOUT).pollInterval(Duration.ofMillis(5)).untilAsserted(assertion);
	}

	@Override
	public void close() {
		try {
			synchronized (this.clients) {
				this.clients.forEach(TestClient::close);
			}
			if (this.server.isRunning()) {
				await("connections()", () -> assertThat(this.server.connections()).isEmpty());
			}
			this.server.stop();
			verifyNothingLeft();
			verifyNoBufferLeaked();
		}
		finally {
			((Logger) LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME)).detachAppender(this.log);
		}
	}

	private static void verifyNoBufferLeaked() {
		System.gc();
		// The detector speaks when a buffer is allocated after the leaked one was
		// collected
		for (int i = 0; i < 16; i++) {
			ByteBufAllocator.DEFAULT.buffer().release();
		}
		assertThat(leaks.list).extracting(ILoggingEvent::getFormattedMessage).isEmpty();
	}

	/**
	 * Counts what it gives and gets back, on top of the default allocator.
	 */
	private static final class CountingAllocator implements SlotAllocator {

		private final LowestSlotAllocator delegate = new LowestSlotAllocator();

		private final Set<Integer> inUse = ConcurrentHashMap.newKeySet();

		private final AtomicInteger errors = new AtomicInteger();

		@Override
		public int allocate(SlotRequest request) {
			int slot = this.delegate.allocate(request);
			if (!this.inUse.add(slot)) {
				this.errors.incrementAndGet();
			}
			return slot;
		}

		@Override
		public void release(int slot) {
			if (!this.inUse.remove(slot)) {
				this.errors.incrementAndGet();
			}
			this.delegate.release(slot);
		}

	}

}
