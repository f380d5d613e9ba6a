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

import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.function.UnaryOperator;

import ch.qos.logback.classic.Level;
import io.netty.buffer.ByteBuf;
import io.netty.channel.EventLoop;
import org.junit.jupiter.api.AfterEach;
import org.reactivestreams.Publisher;
import org.reactivestreams.Subscription;
import reactor.core.publisher.BaseSubscriber;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.netty.resources.LoopResources;

import io.callosum.server.CallosumConnection;
import io.callosum.server.CallosumServer;
import io.callosum.server.ConnectionEvent;
import io.callosum.server.FreePort;
import io.callosum.server.Link;
import io.callosum.server.ListenerThreads;
import io.callosum.server.RecordedEvents;
import io.callosum.server.ServerErrorEvent;
import io.callosum.server.ServerStoppedEvent;
import io.callosum.server.SlotFreeEvent;
import io.callosum.server.SlotRequestEvent;
import io.callosum.server.TestClient;
import io.callosum.server.TestServer;
import io.callosum.server.Transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/**
 * Event loops of the application that end while the server has connections on them.
 */
class EventLoopFaultTests {

	private LoopResources loops = LoopResources.create("test", 1, 1, true);

	private TestServer server;

	private final List<TestClient> clients = new ArrayList<>();

	/**
	 * How many messages the owners have received.
	 */
	private final AtomicInteger received = new AtomicInteger();

	@AfterEach
	void end() {
		try {
			this.server.close();
		}
		finally {
			this.loops.dispose();
		}
	}

	@FaultTest
	void eventLoopsThatEndBehindTheServersBackLeakNoSlot(Link link, ListenerThreads threads) {
		this.loops = LoopResources.create("test", 1, 2, true);
		start(link, threads::applyTo);
		for (int i = 0; i < 5; i++) {
			assertThat(connect().readSlot()).isEqualTo(i);
		}
		List<TestClient> holders = List.copyOf(this.clients);
		// Is assigned to an event loop that ends
		this.clients.add(this.server.connectRaw());
		this.loops.disposeLater(Duration.ZERO, Duration.ofSeconds(5)).block(Duration.ofSeconds(10));
		this.server.server().stop();
		assertThat(this.server.server().isRunning()).isFalse();
		assertThat(events().of(SlotFreeEvent.class)).hasSizeBetween(5, 6);
		assertThat(events().all()).last().isInstanceOf(ServerStoppedEvent.class);
		// Linux may silently abandon the last one if the server never had it
		assertAllEnd((events().of(SlotFreeEvent.class).size() == 6) ? this.clients : holders);
	}

	@FaultTest
	void aConnectionThatAnEventLoopLeavesOpenWhenItEndsCanBeClosed(Transport transport, ListenerThreads threads,
			Owner owner) throws Exception {
		start(Link.plain(transport), (builder) -> owner.applyTo(threads.applyTo(builder), this.received));
		for (int i = 0; i < 3; i++) {
			assertThat(connect().send("unread").readSlot()).isEqualTo(i);
		}
		TestServer.await("connections", () -> assertThat(events().of(ConnectionEvent.class)).hasSize(3));
		if (owner != Owner.NOBODY) {
			TestServer.await("bytes", () -> assertThat(this.received).hasValue(3));
		}
		endLoop(transport);
		assertThat(this.server.server().connections()).hasSize(3);
		this.server.server().connections().stream().filter((one) -> one.slot() == 0).forEach(CallosumConnection::close);
		TestServer.await("free", () -> assertThat(events().of(SlotFreeEvent.class)).hasSize(1));
		this.server.server().stop();
		assertThat(events().of(SlotFreeEvent.class)).hasSize(3);
		assertAllEnd(this.clients);
	}

	@FaultTest
	void aDrainDoesNotWaitForConnectionsWhoseEventLoopHasEnded(Transport transport, ListenerThreads threads,
			Owner owner) throws Exception {
		start(Link.plain(transport), (builder) -> owner.applyTo(threads.applyTo(builder), this.received));
		assertThat(connect().readSlot()).isZero();
		TestServer.await("connection", () -> assertThat(events().of(ConnectionEvent.class)).hasSize(1));
		endLoop(transport);
		CompletableFuture.runAsync(() -> this.server.server().stop(Duration.ofMinutes(10))).get(30, TimeUnit.SECONDS);
		assertThat(events().of(SlotFreeEvent.class)).hasSize(1);
		assertAllEnd(this.clients);
	}

	@FaultTest
	void anAnswerThatComesWhenTheEventLoopHasEndedIsFreed(Transport transport, ListenerThreads threads)
			throws Exception {
		CompletableFuture<Integer> answer = new CompletableFuture<>();
		start(Link.plain(transport), threads::applyTo);
		events().on(SlotRequestEvent.class, (event) -> event.assign(Mono.fromFuture(answer, true)));
		connect();
		TestServer.await("request", () -> assertThat(events().of(SlotRequestEvent.class)).hasSize(1));
		endLoop(transport);
		answer.complete(4);
		TestServer.await("free", () -> assertThat(events().of(SlotFreeEvent.class)).hasSize(1));
		assertAllEnd(this.clients);
	}

	@FaultTest
	void aHandlerThatCompletesWhenTheEventLoopHasEndedEndsItsConnection(Transport transport, ListenerThreads threads)
			throws Exception {
		CompletableFuture<Void> completion = new CompletableFuture<>();
		start(Link.plain(transport), (builder) -> threads
			.applyTo(builder.connectionHandler((connection) -> Mono.fromFuture(completion, true))));
		assertThat(connect().readSlot()).isZero();
		TestServer.await("connection", () -> assertThat(events().of(ConnectionEvent.class)).hasSize(1));
		endLoop(transport);
		completion.complete(null);
		TestServer.await("free", () -> assertThat(events().of(SlotFreeEvent.class)).hasSize(1));
		assertAllEnd(this.clients);
	}

	@FaultTest
	void anOwnerThatAsksForBytesWhenTheEventLoopHasEndedIsToldTheirEnd(Transport transport, ListenerThreads threads)
			throws Exception {
		CompletableFuture<Void> subscribed = new CompletableFuture<>();
		CompletableFuture<Void> end = new CompletableFuture<>();
		BaseSubscriber<ByteBuf> owner = new BaseSubscriber<>() {

			@Override
			protected void hookOnSubscribe(Subscription subscription) {
				// Requests later
				subscribed.complete(null);
			}

			@Override
			protected void hookOnComplete() {
				end.complete(null);
			}

		};
		start(Link.plain(transport), (builder) -> threads.applyTo(builder.connectionHandler((connection) -> {
			connection.inbound().receive().subscribe(owner);
			return Mono.fromFuture(end, true);
		})));
		assertThat(connect().readSlot()).isZero();
		subscribed.get(30, TimeUnit.SECONDS);
		endLoop(transport);
		owner.request(1);
		TestServer.await("free", () -> assertThat(events().of(SlotFreeEvent.class)).hasSize(1));
		assertAllEnd(this.clients);
	}

	@FaultTest
	void aPortThatAnEventLoopLeavesOpenWhenItEndsIsClosedByAStop(Transport transport) throws Exception {
		// A single event loop that accepts and serves
		this.loops = LoopResources.create("test", 1, true);
		int port = FreePort.find();
		start(Link.plain(transport), (builder) -> builder.port(port));
		InetSocketAddress address = this.server.server().address();
		endLoop(transport);
		this.server.server().stop();
		try (Socket socket = new Socket()) {
			assertThatExceptionOfType(ConnectException.class).isThrownBy(() -> socket.connect(address));
		}
	}

	private void start(Link link, UnaryOperator<CallosumServer.Builder> customizer) {
		this.server = TestServer.create(link, (builder) -> customizer.apply(builder.loopResources(this.loops))).start();
	}

	private RecordedEvents events() {
		return this.server.events();
	}

	private TestClient connect() {
		TestClient client = this.server.connect();
		this.clients.add(client);
		return client;
	}

	/**
	 * Let the event loop end without closing its channels: Netty closes them before it
	 * runs tasks, and runs no task after this one.
	 */
	private void endLoop(Transport transport) throws InterruptedException {
		EventLoop loop = this.loops.onServer(transport.isNative()).next();
		loop.execute(() -> loop.shutdownGracefully(0, 30, TimeUnit.SECONDS));
		assertThat(loop.awaitTermination(30, TimeUnit.SECONDS)).isTrue();
	}

	private void assertAllEnd(List<TestClient> clients) {
		for (TestClient client : clients) {
			while (client.read() != -1) {
				// What was sent before
			}
		}
		this.server.server().stop();
		assertThat(this.server.server().connections()).isEmpty();
		assertThat(events().of(ServerErrorEvent.class)).isEmpty();
		// Netty logs this about listeners of a future; it logs more about its own end
		assertThat(this.server.logged(Level.WARN))
			.noneMatch((message) -> message.contains("An exception was thrown by"));
	}

	/**
	 * The owner of the bytes of a connection.
	 */
	enum Owner {

		NOBODY(null),

		HANDLER((bytes) -> bytes.then()),

		HANDLER_THAT_ASKS_FOR_LITTLE((bytes) -> bytes.limitRate(1).concatMap((message) -> Mono.never()).then());

		private final Function<Flux<?>, Publisher<Void>> handler;

		Owner(Function<Flux<?>, Publisher<Void>> handler) {
			this.handler = handler;
		}

		private CallosumServer.Builder applyTo(CallosumServer.Builder builder, AtomicInteger received) {
			if (this == NOBODY) {
				return builder;
			}
			return builder.connectionHandler((connection) -> this.handler
				.apply(connection.inbound().receive().doOnNext((message) -> received.incrementAndGet())));
		}

	}

}
