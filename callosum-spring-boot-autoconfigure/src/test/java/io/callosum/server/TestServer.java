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
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import org.awaitility.Awaitility;
import org.awaitility.core.ThrowingRunnable;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * A server on an ephemeral port of the loopback interface, with its events recorded and
 * its slots counted. {@link #close()} checks the {@link Invariants}, which hold at the
 * end of every test.
 */
public final class TestServer implements AutoCloseable {

	private static final Duration TIMEOUT = Duration.ofSeconds(30);

	private static final int NOBODY = -1;

	private final Invariants invariants = new Invariants();

	private final RecordedEvents events = new RecordedEvents();

	private final ListAppender<ILoggingEvent> log = new ListAppender<>();

	private final List<TestClient> clients = new ArrayList<>();

	private final AtomicInteger connected = new AtomicInteger();

	private final Link link;

	private final CallosumServer server;

	/**
	 * Whether the server uses TLS, because of its link or because the test has configured
	 * it.
	 */
	private final boolean secure;

	private @Nullable Integer nextSlot;

	private boolean listenersReturnInTime = true;

	private boolean answersComeInTime = true;

	/**
	 * How many clients had connected but were not accepted when the server stopped.
	 */
	private volatile int neverAccepted;

	private final Map<String, Object> leftByStop = new ConcurrentHashMap<>();

	private TestServer(Link link, UnaryOperator<CallosumServer.Builder> customizer) {
		this.link = link;
		this.log.list = Collections.synchronizedList(this.log.list);
		this.log.start();
		((Logger) LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME)).addAppender(this.log);
		CallosumServer.Builder builder = CallosumServer.builder()
			.nativeTransport(link.transport().isNative())
			.host("127.0.0.1")
			.port(0)
			.eventPublisher(this.events);
		if (link.isSecure()) {
			TestTls.secure(builder);
		}
		builder = customizer.apply(this.invariants.watch(builder));
		this.secure = builder.draft.sslProviders != null;
		if (!builder.draft.allowedAddresses.isEmpty()) {
			expectNobodyNext();
		}
		if (builder.draft.loopResources != null) {
			this.invariants.loopsOutliveTheServer();
		}
		this.server = builder.metricsRecorder(this.invariants.counting(builder.draft.metricsRecorder)).build();
		this.events.on(ServerStartedEvent.class, (event) -> this.neverAccepted = waiting());
		this.events.on(ServerStoppedEvent.class, (event) -> this.leftByStop.putAll(this.invariants.left(this.server)));
	}

	/**
	 * Return the type that has one instance for each connection that is not over.
	 */
	public static Class<?> connectionType() {
		return ServerConnection.class;
	}

	/**
	 * Create a server that is not started yet, so that a test can add its listeners.
	 */
	public static TestServer create(Link link, UnaryOperator<CallosumServer.Builder> customizer) {
		return new TestServer(link, customizer);
	}

	public static TestServer create(Link link) {
		return create(link, UnaryOperator.identity());
	}

	public static TestServer create(Transport transport, UnaryOperator<CallosumServer.Builder> customizer) {
		return create(Link.plain(transport), customizer);
	}

	public static TestServer create(Transport transport) {
		return create(transport, UnaryOperator.identity());
	}

	/**
	 * Let {@link #close()} connect once more after all clients have left, and check the
	 * slot of this connection. If no listener answers slot requests, it does so anyway
	 * and expects slot 0.
	 */
	public TestServer expectNextSlot(int nextSlot) {
		this.nextSlot = nextSlot;
		return this;
	}

	/**
	 * Prevent {@link #close()} from connecting once more, because the server of this test
	 * would not serve that connection.
	 */
	public TestServer expectNobodyNext() {
		this.nextSlot = NOBODY;
		return this;
	}

	/**
	 * Allow a stop to leave behind what is held by listeners that do not return in time.
	 */
	public TestServer expectListenersThatOutliveTheStop() {
		this.listenersReturnInTime = false;
		return this;
	}

	/**
	 * Allow answers to arrive after a stop, which does not wait for them: what they
	 * assign is listed until it is freed.
	 */
	public TestServer expectAnswersThatOutliveTheStop() {
		this.answersComeInTime = false;
		return this;
	}

	public TestServer start() {
		this.server.start();
		return this;
	}

	public CallosumServer server() {
		return this.server;
	}

	public RecordedEvents events() {
		return this.events;
	}

	/**
	 * Return the messages logged at a level or above, in the form LEVEL message.
	 */
	public List<String> logged(Level level) {
		return List.copyOf(this.log.list)
			.stream()
			.filter((event) -> event.getLevel().isGreaterOrEqual(level))
			.map((event) -> event.getLevel() + " " + event.getFormattedMessage()
					+ ((event.getThrowableProxy() != null) ? " [" + event.getThrowableProxy().getClassName() + "]"
							: ""))
			.toList();
	}

	/**
	 * Return what was logged as a warning or worse, except that an event loop was held:
	 * this machine may be too busy for a listener to be quick.
	 */
	public List<String> warnings() {
		return logged(Level.WARN).stream().filter((line) -> !line.contains("held an event loop")).toList();
	}

	/**
	 * Connect a client, which the server's {@link #close()} closes if the test has not.
	 */
	public TestClient connect() {
		if (!this.link.isSecure()) {
			return connectRaw();
		}
		return add(TestClient.secure(this.server.address()));
	}

	/**
	 * Connect a client that does not shake hands, even if the server expects it.
	 */
	public TestClient connectRaw() {
		return connect(new Socket());
	}

	/**
	 * Connect a client with a preconfigured socket.
	 */
	public TestClient connect(Socket socket) {
		return add(new TestClient(this.server.address(), socket));
	}

	private TestClient add(TestClient client) {
		this.connected.incrementAndGet();
		synchronized (this.clients) {
			this.clients.add(client);
		}
		return client;
	}

	/**
	 * Let all clients leave.
	 */
	public void closeClients() {
		synchronized (this.clients) {
			this.clients.forEach(TestClient::close);
			this.clients.clear();
		}
	}

	public int slotsInUse() {
		return this.invariants.slotsInUse().size();
	}

	/**
	 * Return how often something was measured.
	 * @param method the method of {@link CallosumMetricsRecorder} that was called
	 */
	public int measured(String method) {
		return this.invariants.measured(method);
	}

	/**
	 * Wait until every client that has connected has been accepted, including those that
	 * have left since.
	 */
	public TestServer awaitAccepted() {
		await("accepts", () -> assertThat(measured("accepted")).isGreaterThanOrEqualTo(this.connected.get()));
		return this;
	}

	/**
	 * Return how many clients have connected but are not accepted yet.
	 */
	private int waiting() {
		return this.connected.get() - this.invariants.accepted();
	}

	/**
	 * Wait until the given number of connections hold a slot, and no other channel is
	 * open.
	 */
	public void awaitConnections(int expected) {
		this.invariants.awaitConnections(this.server, expected);
	}

	/**
	 * Wait until no connection, no open channel and no slot is left.
	 */
	public void verifyNothingLeft() {
		this.invariants.verifyNobodyIsLeft(this.server);
	}

	/**
	 * Check that the next connection gets slot 0, and wait until it has gone.
	 */
	public void verifyNextSlotIsZero() {
		verifyNextSlot(0);
	}

	private void verifyNextSlot(int expected) {
		try (TestClient client = this.secure ? add(TestClient.secure(this.server.address())) : connectRaw()) {
			assertThat(client.readSlot()).as("next slot").isEqualTo(expected);
		}
		await("connections()", () -> assertThat(this.server.connections()).isEmpty());
	}

	public static void await(String what, ThrowingRunnable assertion) {
		Awaitility.await(what).atMost(TIMEOUT).pollInterval(Duration.ofMillis(5)).untilAsserted(assertion);
	}

	@Override
	public void close() {
		try {
			closeClients();
			if (this.server.isRunning()) {
				// Otherwise these would get a slot before the next connection, if only
				// for a moment
				await("who has left meanwhile", () -> assertThat(waiting()).isLessThanOrEqualTo(this.neverAccepted));
				this.invariants.verifyNobodyIsLeft(this.server);
				int usual = this.events.hasListener(SlotRequestEvent.class) ? NOBODY : 0;
				int next = (this.nextSlot != null) ? this.nextSlot : usual;
				if (next != NOBODY) {
					verifyNextSlot(next);
				}
			}
			this.server.stop();
			if (!this.answersComeInTime) {
				this.leftByStop.remove(Invariants.CONNECTIONS);
			}
			if (this.listenersReturnInTime) {
				assertThat(this.leftByStop).as("left when the server has stopped").isEmpty();
			}
			this.invariants.verifyNothingIsLeft(this.server, this.events);
		}
		finally {
			this.server.stop();
			((Logger) LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME)).detachAppender(this.log);
		}
	}

}
