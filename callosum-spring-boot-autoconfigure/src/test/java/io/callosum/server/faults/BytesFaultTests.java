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
import java.net.Socket;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import org.reactivestreams.Subscription;
import reactor.core.publisher.BaseSubscriber;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.netty.NettyOutbound;

import io.callosum.server.ConnectionEvent;
import io.callosum.server.ConnectionHandler;
import io.callosum.server.EndReason;
import io.callosum.server.Link;
import io.callosum.server.ListenerThreads;
import io.callosum.server.Payload;
import io.callosum.server.SlotFreeEvent;
import io.callosum.server.SlotRequestEvent;
import io.callosum.server.TestClient;
import io.callosum.server.TestServer;
import io.callosum.server.Transport;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Faults of code that reads and writes the bytes, or fails to.
 */
class BytesFaultTests {

	@FaultTest
	void aPeerThatLeavesInAnyWayIsNoticedWhateverReadsItsBytes(Link link, Owner owner) {
		try (TestServer server = TestServer.create(link, (builder) -> builder.connectionHandler(owner.handler))) {
			server.events().on(ConnectionEvent.class, owner.listener);
			server.start();
			for (Departure departure : Departure.values()) {
				TestClient client = server.connect();
				assertThat(client.readSlot()).as(departure.name()).isZero();
				departure.leave(client);
				server.awaitConnections(0);
			}
			Faults.verifyNoError(server);
		}
	}

	@FaultTest
	void whereMoreLiesUnreadThanIsHeldThePeerIsGivenUpAtTheIdleTimeout(Link link) {
		try (TestServer server = TestServer
			.create(link, (builder) -> builder.idleTimeout(Duration.ofSeconds(4)).connectionHandler((connection) -> {
				connection.inbound();
				return Mono.never();
			}))
			.start()) {
			TestClient client = server.connect();
			assertThat(client.readSlot()).isZero();
			client.send(new byte[300_000]);
			Departure.HALF_CLOSE.leave(client);
			// Epoll reads to the end once the peer has closed
			List<EndReason> reasons = link.transport().isNative()
					? List.of(EndReason.IDLE_TIMEOUT, EndReason.PEER_CLOSED) : List.of(EndReason.IDLE_TIMEOUT);
			TestServer.await("the end",
					() -> assertThat(server.events().of(SlotFreeEvent.class)).singleElement()
						.extracting(SlotFreeEvent::getReason)
						.isIn(reasons));
		}
	}

	@FaultTest
	void aPeerThatNeverReadsIsGivenUpAtTheWriteTimeoutAndHasItsSlotFreed(Link link, Answer answer) {
		Faults.Memory memory = new Faults.Memory();
		AtomicLong most = new AtomicLong();
		ConnectionHandler handler = (connection) -> answer.send(connection.outbound(),
				() -> most.accumulateAndGet(memory.held(), Math::max));
		try (TestServer server = TestServer.create(link,
				(builder) -> builder.writeTimeout(Duration.ofMillis(500)).customizer(memory).connectionHandler(handler))
			.start()) {
			TestClient client = server.connect();
			assertThat(client.readSlot()).isZero();
			TestServer.await("the end", () -> assertThat(server.slotsInUse()).isZero());
			client.reset();
			assertThat(most).hasValueLessThan(8_000_000);
			assertThat(server.events().of(SlotFreeEvent.class)).singleElement()
				.extracting(SlotFreeEvent::getReason)
				.isEqualTo(EndReason.WRITE_TIMEOUT);
		}
	}

	@FaultTest
	void whatAPeerSendsBeforeItsSlotIsGivenIsNotLost(Link link, ListenerThreads threads) {
		CompletableFuture<Integer> answer = new CompletableFuture<>();
		byte[] bytes = Payload.of(500_000);
		try (TestServer server = TestServer.create(link,
				(builder) -> threads.applyTo(builder.connectionHandler(Faults::echo)))) {
			server.events().on(SlotRequestEvent.class, (event) -> event.assign(Mono.fromFuture(answer, true)));
			server.start();
			TestClient client = server.connect();
			client.send(bytes);
			answer.complete(0);
			assertThat(client.readSlot()).isZero();
			Payload.verify(client.read(bytes.length), bytes);
			Faults.verifyNoError(server);
			client.close();
			server.verifyNothingLeft();
			server.expectNextSlot(0);
		}
	}

	@FaultTest
	void aHandlerWhosePeerResetsInTheMiddleOfItsAnswerEndsAndIsNoError(Link link, ListenerThreads threads) {
		byte[] answer = new byte[4_000_000];
		try (TestServer server = TestServer
			.create(link, (builder) -> threads.applyTo(builder
				.connectionHandler((connection) -> connection.outbound().sendByteArray(Mono.just(answer)).then())))
			.start()) {
			for (int i = 0; i < 10; i++) {
				TestClient client = server.connect();
				assertThat(client.readSlot()).isZero();
				client.read(1 + 1000 * i);
				if (i % 2 == 0) {
					client.reset();
				}
				else {
					client.cut();
				}
				server.awaitConnections(0);
			}
			Faults.verifyNoError(server);
		}
	}

	@FaultTest
	void urgentDataIsNoFault(Transport transport) throws IOException {
		try (TestServer server = TestServer.create(transport, (builder) -> builder.connectionHandler(Faults::echo))
			.start()) {
			TestClient client = server.connect();
			assertThat(client.readSlot()).isZero();
			Socket socket = client.socket();
			socket.sendUrgentData('!');
			assertThat(client.send("hello\n").readLine()).endsWith("hello\n");
			socket.sendUrgentData('!');
			client.close();
			server.awaitConnections(0);
			Faults.verifyNoError(server);
		}
	}

	/**
	 * What a handler sends.
	 */
	enum Answer {

		LARGE {
			@Override
			Publisher<Void> send(NettyOutbound outbound, Runnable beforeEach) {
				return outbound.sendByteArray(Mono.just(new byte[16_000_000])).then();
			}
		},

		/**
		 * More than all buffers in between can hold.
		 */
		ENDLESS {
			@Override
			Publisher<Void> send(NettyOutbound outbound, Runnable beforeEach) {
				return outbound.send(Flux.range(0, 6_000).map((i) -> {
					beforeEach.run();
					return outbound.alloc().buffer(16_384).writeZero(16_384);
				})).then();
			}
		};

		abstract Publisher<Void> send(NettyOutbound outbound, Runnable beforeEach);

	}

	/**
	 * What the owner of the bytes does with them.
	 */
	enum Owner {

		NOBODY(null, (event) -> {
		}),

		LISTENER_THAT_NEVER_SUBSCRIBES(null, (event) -> event.getConnection().inbound()),

		LISTENER_THAT_NEVER_ASKS(null, (event) -> event.getConnection().inbound().receive().subscribe(new Silent())),

		HANDLER_THAT_NEVER_CLAIMS((connection) -> Mono.never(), (event) -> {
		}),

		HANDLER_THAT_NEVER_ASKS((connection) -> {
			connection.inbound().receive().subscribe(new Silent());
			return Mono.never();
		}, (event) -> {
		}),

		HANDLER_THAT_READS((connection) -> connection.inbound().receive().then(), (event) -> {
		}),

		HANDLER_THAT_ECHOES(Faults::echo, (event) -> {
		});

		private final @Nullable ConnectionHandler handler;

		private final Consumer<ConnectionEvent> listener;

		Owner(@Nullable ConnectionHandler handler, Consumer<ConnectionEvent> listener) {
			this.handler = handler;
			this.listener = listener;
		}

	}

	/**
	 * Subscribes, but never requests anything.
	 */
	private static final class Silent extends BaseSubscriber<Object> {

		@Override
		protected void hookOnSubscribe(Subscription subscription) {
		}

		@Override
		protected void hookOnError(Throwable error) {
		}

	}

}
