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
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.netty.buffer.ByteBuf;
import io.netty.channel.EventLoop;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.reactivestreams.Subscription;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.BaseSubscriber;
import reactor.core.publisher.Mono;
import reactor.netty.resources.LoopResources;

import io.callosum.server.CallosumConnection;
import io.callosum.server.CallosumServer;
import io.callosum.server.ConnectionEvent;
import io.callosum.server.ConnectionHandler;
import io.callosum.server.Link;
import io.callosum.server.ListenerThreads;
import io.callosum.server.RecordedEvents;
import io.callosum.server.ServerErrorEvent;
import io.callosum.server.ServerStoppedEvent;
import io.callosum.server.SlotFreeEvent;
import io.callosum.server.SlotRequestEvent;
import io.callosum.server.TestClient;
import io.callosum.server.TestServer;
import io.callosum.server.TestTls;
import io.callosum.server.Transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/**
 * Event loops of the application that end while the server has connections on them. Not
 * with a {@link TestServer}, because a channel whose event loop has ended without closing
 * it takes itself for open.
 */
class EventLoopFaultTests {

	private final RecordedEvents events = new RecordedEvents();

	private final List<TestClient> clients = new ArrayList<>();

	private final ListAppender<ILoggingEvent> log = new ListAppender<>();

	private LoopResources loops = LoopResources.create("test", 1, 1, true);

	private CallosumServer server;

	@BeforeEach
	void listenToTheLog() {
		this.log.start();
		((Logger) LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME)).addAppender(this.log);
	}

	@AfterEach
	void end() {
		((Logger) LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME)).detachAppender(this.log);
		this.server.stop();
		this.loops.dispose();
		this.clients.forEach(TestClient::cut);
	}

	@FaultTest
	void eventLoopsThatEndBehindTheServersBackLeakNoSlot(Link link, ListenerThreads threads) {
		this.loops = LoopResources.create("test", 1, 2, true);
		start(link.transport(), (builder) -> threads.applyTo(link.isSecure() ? TestTls.secure(builder) : builder));
		for (int i = 0; i < 5; i++) {
			TestClient client = link.isSecure() ? TestClient.secure(this.server.address())
					: new TestClient(this.server.address());
			this.clients.add(client);
			assertThat(client.readSlot()).isEqualTo(i);
		}
		List<TestClient> holders = List.copyOf(this.clients);
		// Is given to an event loop that ends
		connect();
		this.loops.disposeLater(Duration.ZERO, Duration.ofSeconds(5)).block(Duration.ofSeconds(10));
		this.server.stop();
		assertThat(this.server.isRunning()).isFalse();
		assertThat(this.events.of(SlotFreeEvent.class)).hasSizeBetween(5, 6);
		assertThat(this.events.all()).last().isInstanceOf(ServerStoppedEvent.class);
		// Linux may leave the last one without a word if the server never had it
		assertAllEnd((this.events.of(SlotFreeEvent.class).size() == 6) ? this.clients : holders);
	}

	@FaultTest
	void aConnectionThatAnEventLoopLeavesOpenWhenItEndsCanBeClosed(Transport transport, ListenerThreads threads,
			Owner owner) throws Exception {
		start(transport, (builder) -> owner.applyTo(threads.applyTo(builder)));
		for (int i = 0; i < 3; i++) {
			assertThat(connect().send("unread").readSlot()).isEqualTo(i);
		}
		TestServer.await("connections", () -> assertThat(this.events.of(ConnectionEvent.class)).hasSize(3));
		endLoop(transport);
		assertThat(this.server.connections()).hasSize(3);
		this.server.connections().stream().filter((one) -> one.slot() == 0).forEach(CallosumConnection::close);
		TestServer.await("free", () -> assertThat(this.events.of(SlotFreeEvent.class)).hasSize(1));
		this.server.stop();
		assertThat(this.events.of(SlotFreeEvent.class)).hasSize(3);
		assertAllEnd(this.clients);
	}

	@FaultTest
	void aDrainDoesNotWaitForConnectionsWhoseEventLoopHasEnded(Transport transport, ListenerThreads threads,
			Owner owner) throws Exception {
		start(transport, (builder) -> owner.applyTo(threads.applyTo(builder)));
		assertThat(connect().readSlot()).isZero();
		TestServer.await("connection", () -> assertThat(this.events.of(ConnectionEvent.class)).hasSize(1));
		endLoop(transport);
		CompletableFuture.runAsync(() -> this.server.stop(Duration.ofMinutes(10))).get(30, TimeUnit.SECONDS);
		assertThat(this.events.of(SlotFreeEvent.class)).hasSize(1);
		assertAllEnd(this.clients);
	}

	@FaultTest
	void anAnswerThatComesWhenTheEventLoopHasEndedIsFreed(Transport transport, ListenerThreads threads)
			throws Exception {
		CompletableFuture<Integer> answer = new CompletableFuture<>();
		this.events.on(SlotRequestEvent.class, (event) -> event.assign(Mono.fromFuture(answer, true)));
		start(transport, threads::applyTo);
		connect();
		TestServer.await("request", () -> assertThat(this.events.of(SlotRequestEvent.class)).hasSize(1));
		endLoop(transport);
		answer.complete(4);
		TestServer.await("free", () -> assertThat(this.events.of(SlotFreeEvent.class)).hasSize(1));
		assertAllEnd(this.clients);
	}

	@FaultTest
	void aHandlerThatCompletesWhenTheEventLoopHasEndedEndsItsConnection(Transport transport, ListenerThreads threads)
			throws Exception {
		CompletableFuture<Void> completion = new CompletableFuture<>();
		start(transport, (builder) -> threads
			.applyTo(builder.connectionHandler((connection) -> Mono.fromFuture(completion, true))));
		assertThat(connect().readSlot()).isZero();
		TestServer.await("connection", () -> assertThat(this.events.of(ConnectionEvent.class)).hasSize(1));
		endLoop(transport);
		completion.complete(null);
		TestServer.await("free", () -> assertThat(this.events.of(SlotFreeEvent.class)).hasSize(1));
		assertAllEnd(this.clients);
	}

	@FaultTest
	void anOwnerThatAsksForBytesWhenTheEventLoopHasEndedIsToldTheirEnd(Transport transport, ListenerThreads threads)
			throws Exception {
		CompletableFuture<Void> end = new CompletableFuture<>();
		BaseSubscriber<ByteBuf> owner = new BaseSubscriber<>() {

			@Override
			protected void hookOnSubscribe(Subscription subscription) {
				// Asks later
			}

			@Override
			protected void hookOnComplete() {
				end.complete(null);
			}

		};
		start(transport, (builder) -> threads.applyTo(builder.connectionHandler((connection) -> {
			connection.inbound().receive().subscribe(owner);
			return Mono.fromFuture(end, true);
		})));
		assertThat(connect().readSlot()).isZero();
		TestServer.await("connection", () -> assertThat(this.events.of(ConnectionEvent.class)).hasSize(1));
		endLoop(transport);
		owner.request(1);
		TestServer.await("free", () -> assertThat(this.events.of(SlotFreeEvent.class)).hasSize(1));
		assertAllEnd(this.clients);
	}

	@FaultTest
	void aPortThatAnEventLoopLeavesOpenWhenItEndsIsClosedByAStop(Transport transport) throws Exception {
		// Accepts and serves
		this.loops = LoopResources.create("test", 1, true);
		start(transport, UnaryOperator.identity());
		InetSocketAddress address = this.server.address();
		endLoop(transport);
		this.server.stop();
		try (Socket socket = new Socket()) {
			assertThatExceptionOfType(ConnectException.class).isThrownBy(() -> socket.connect(address));
		}
	}

	private void start(Transport transport, UnaryOperator<CallosumServer.Builder> customizer) {
		this.server = customizer
			.apply(CallosumServer.builder()
				.host("127.0.0.1")
				.port(0)
				.nativeTransport(transport.isNative())
				.loopResources(this.loops)
				.eventPublisher(this.events))
			.build();
		this.server.start();
	}

	private TestClient connect() {
		TestClient client = new TestClient(this.server.address());
		this.clients.add(client);
		return client;
	}

	/**
	 * Let the event loop end without closing its channels: Netty does that before it runs
	 * tasks, and runs none after this one.
	 */
	private void endLoop(Transport transport) throws InterruptedException {
		EventLoop loop = this.loops.onServer(transport.isNative()).next();
		loop.execute(() -> loop.shutdownGracefully(0, 30, TimeUnit.SECONDS));
		assertThat(loop.awaitTermination(30, TimeUnit.SECONDS)).isTrue();
	}

	private void assertAllEnd(List<TestClient> clients) {
		for (TestClient client : clients) {
			while (client.read() != -1) {
				// What came before
			}
		}
		this.server.stop();
		assertThat(this.server.connections()).isEmpty();
		assertThat(this.events.of(ServerErrorEvent.class)).isEmpty();
		// As Netty says of a listener of a future; it has more to say of its own end
		assertThat(List.copyOf(this.log.list)).extracting(ILoggingEvent::getFormattedMessage)
			.noneMatch((message) -> message.contains("An exception was thrown by"));
		this.events.verifyOrder();
	}

	/**
	 * Who has the bytes of a connection.
	 */
	enum Owner {

		NOBODY(null),

		HANDLER((connection) -> connection.inbound().receive().then()),

		HANDLER_THAT_ASKS_FOR_LITTLE(
				(connection) -> connection.inbound().receive().limitRate(1).concatMap((bytes) -> Mono.never()).then());

		private final ConnectionHandler handler;

		Owner(ConnectionHandler handler) {
			this.handler = handler;
		}

		private CallosumServer.Builder applyTo(CallosumServer.Builder builder) {
			return builder.connectionHandler(this.handler);
		}

	}

}
