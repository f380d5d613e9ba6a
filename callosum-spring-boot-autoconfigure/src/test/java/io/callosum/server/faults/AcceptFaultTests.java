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
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.stream.IntStream;

import javax.net.ssl.SSLException;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.EventLoop;
import reactor.core.publisher.Mono;
import reactor.netty.ConnectionObserver;

import io.callosum.server.CallosumTcpServerCustomizer;
import io.callosum.server.ConnectionEvent;
import io.callosum.server.Link;
import io.callosum.server.ServerErrorEvent;
import io.callosum.server.TestClient;
import io.callosum.server.TestServer;
import io.callosum.server.Transport;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Faults from the accept to the request for a slot.
 */
class AcceptFaultTests {

	private static final Set<Departure> NOISY = EnumSet.of(Departure.BYTES_AND_CUT, Departure.BYTES_AND_RST);

	@FaultTest
	void aPeerThatLeavesAtOnceCostsNoSlotAndNoLineInTheLog(Link link, Departure departure) {
		int clients = Faults.storm(link) / 4;
		// Not all at once: a connection that is reset while it waits for a place in the
		// backlog was never established
		int rounds = (link.isSecure() || departure != Departure.RST) ? 1 : Math.max(1, 20_000 / clients);
		try (TestServer server = TestServer.create(link).start()) {
			for (int round = 0; round < rounds; round++) {
				Faults.inThreads(clients, (i) -> {
					// With TLS, every other one leaves before it has shaken hands
					try (TestClient client = (i % 2 == 0) ? server.connect() : server.connectRaw()) {
						departure.leave(client);
					}
				});
				server.awaitAccepted();
			}
			server.verifyNothingLeft();
			if (link.isSecure() && NOISY.contains(departure)) {
				// Bytes that are not a handshake are an error
				assertThat(server.events().of(ServerErrorEvent.class)).extracting(ServerErrorEvent::getError)
					.allSatisfy((error) -> assertThat(error).isInstanceOf(SSLException.class));
				assertThat(server.warnings()).hasSizeLessThanOrEqualTo(1);
				Faults.verifyNoStackTrace(server);
			}
			else {
				Faults.verifyNoError(server);
			}
		}
	}

	@FaultTest
	void clientsThatConnectAtOnceGetEachSlotFromZeroOnce(Link link) {
		int clients = Faults.storm(link);
		try (TestServer server = TestServer.create(link).start()) {
			List<Integer> slots = Collections.synchronizedList(new ArrayList<>());
			Faults.inThreads(clients, (i) -> slots.add(server.connect().readSlot()));
			assertThat(slots).containsExactlyInAnyOrderElementsOf(IntStream.range(0, clients).boxed().toList());
			server.awaitConnections(clients);
			server.closeClients();
			server.verifyNothingLeft();
			Faults.verifyNoError(server);
		}
	}

	@FaultTest
	void oneTooManyIsClosedWithoutAByteAndAPlaceThatIsLeftIsForTheNext(Link link) {
		try (TestServer server = TestServer.create(link, (builder) -> builder.maxConnections(5)).start()) {
			List<TestClient> clients = new ArrayList<>();
			for (int i = 0; i < 5; i++) {
				clients.add(server.connect());
				assertThat(clients.get(i).readSlot()).isEqualTo(i);
			}
			for (int i = 0; i < 3; i++) {
				assertThat(server.connectRaw().readAll()).isEmpty();
			}
			assertThat(server.connect().isRefused()).isTrue();
			TestServer.await("refusals", () -> assertThat(server.measured("refused")).isEqualTo(4));
			assertThat(server.warnings()).hasSize(1);
			clients.get(2).close();
			server.awaitConnections(4);
			assertThat(server.connect().readSlot()).isEqualTo(2);
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
		}
	}

	@FaultTest
	void anEventLoopThatIsHeldKeepsNobodyOnAnotherFromASlot(Link link, Held held) {
		CountDownLatch holding = new CountDownLatch(1);
		CountDownLatch release = new CountDownLatch(1);
		Set<EventLoop> loops = ConcurrentHashMap.newKeySet();
		ExecutorService threads = Executors.newCachedThreadPool();
		try (TestServer server = TestServer.create(link,
				(builder) -> builder.workerThreads(2)
					.customizer((tcpServer) -> tcpServer
						.doOnChannelInit((observer, channel, address) -> loops.add(channel.eventLoop()))))) {
			server.events().on(ConnectionEvent.class, (event) -> {
				if (event.getSlot() == held.ordinal()) {
					holding.countDown();
					await(release);
				}
			});
			server.start();
			for (Held slot : Held.values()) {
				assertThat(server.connect().readSlot()).isEqualTo(slot.ordinal());
				if (slot == held) {
					await(holding);
				}
			}
			assertThat(loops).hasSize(2);
			List<CompletableFuture<Integer>> slots = new ArrayList<>();
			for (int i = 0; i < 8; i++) {
				slots.add(CompletableFuture.supplyAsync(() -> server.connect().readSlot(), threads));
			}
			TestServer.await("those on the other event loop",
					() -> assertThat(slots).filteredOn(CompletableFuture::isDone).hasSizeGreaterThanOrEqualTo(3));
			release.countDown();
			assertThat(slots).allSatisfy((slot) -> assertThat(slot).succeedsWithin(Duration.ofSeconds(20)));
			server.awaitConnections(10);
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
		}
		finally {
			release.countDown();
			threads.shutdownNow();
		}
	}

	@FaultTest
	void aCustomizerThatFailsForOneConnectionHarmsNoOther(Link link, Stage stage) {
		AtomicInteger connections = new AtomicInteger();
		Runnable failing = () -> {
			if (connections.incrementAndGet() == 2) {
				throw new IllegalStateException("customizer");
			}
		};
		try (TestServer server = TestServer
			.create(link, (builder) -> builder.customizer(stage.customizer.apply(failing)))
			.start()) {
			assertThat(server.connect().readSlot()).isZero();
			TestClient second = server.connect();
			TestServer.await("the failure", () -> assertThat(connections).hasValueGreaterThanOrEqualTo(2));
			assertThat(second.readLine()).isIn("", "1\r\n");
			assertThat(second.isRefused()).isTrue();
			server.awaitConnections(1);
			assertThat(server.connect().readSlot()).isOne();
		}
	}

	@FaultTest
	void anAcceptThatFailsIsToldAndTheNextConnectionIsAccepted(Transport transport) {
		CompletableFuture<Channel> listening = new CompletableFuture<>();
		try (TestServer server = TestServer
			.create(transport,
					(builder) -> builder
						.customizer((tcpServer) -> tcpServer.doOnBound((bound) -> listening.complete(bound.channel()))))
			.start()) {
			assertThat(server.connect().readSlot()).isZero();
			IOException failure = new IOException("Too many open files");
			for (int i = 0; i < 10; i++) {
				listening.join().pipeline().fireExceptionCaught(failure);
			}
			TestServer.await("errors", () -> assertThat(server.measured("acceptFailed")).isEqualTo(10));
			assertThat(server.connect().readSlot()).isOne();
			assertThat(server.events().of(ServerErrorEvent.class)).hasSize(10).allSatisfy((event) -> {
				assertThat(event.getError()).isSameAs(failure);
				assertThat(event.getConnectionId()).isNull();
			});
			assertThat(server.warnings()).singleElement().asString().contains("Too many open files");
		}
	}

	private static void await(CountDownLatch latch) {
		try {
			latch.await();
		}
		catch (InterruptedException ex) {
			throw new IllegalStateException(ex);
		}
	}

	/**
	 * Which of two event loops is held, by a slot on it. If the port was on one of the
	 * loops, one of these would hold it.
	 */
	enum Held {

		SLOT_0, SLOT_1

	}

	/**
	 * Where a customizer runs its own code for each connection.
	 */
	enum Stage {

		INIT((code) -> (server) -> server.doOnChannelInit((observer, channel, address) -> code.run())),

		ACTIVE((code) -> (server) -> server
			.doOnChannelInit((observer, channel, address) -> channel.pipeline().addFirst(new OnActive(code)))),

		OBSERVED((code) -> (server) -> server.childObserve((connection, state) -> {
			if (state == ConnectionObserver.State.CONNECTED) {
				code.run();
			}
		})),

		CONNECTION((code) -> (server) -> server.doOnConnection((connection) -> code.run())),

		HANDLE((code) -> (server) -> server.handle((inbound, outbound) -> {
			code.run();
			return Mono.never();
		}));

		private final Function<Runnable, CallosumTcpServerCustomizer> customizer;

		Stage(Function<Runnable, CallosumTcpServerCustomizer> customizer) {
			this.customizer = customizer;
		}

	}

	private static final class OnActive extends ChannelInboundHandlerAdapter {

		private final Runnable code;

		private OnActive(Runnable code) {
			this.code = code;
		}

		@Override
		public void channelActive(ChannelHandlerContext ctx) {
			this.code.run();
			ctx.fireChannelActive();
		}

	}

}
