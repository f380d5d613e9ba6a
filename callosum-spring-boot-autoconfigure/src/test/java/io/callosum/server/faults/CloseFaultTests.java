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

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;

import reactor.core.publisher.Mono;

import io.callosum.server.CallosumConnection;
import io.callosum.server.ConnectionEvent;
import io.callosum.server.EndReason;
import io.callosum.server.Link;
import io.callosum.server.ListenerThreads;
import io.callosum.server.ServerErrorEvent;
import io.callosum.server.SlotFreeEvent;
import io.callosum.server.TestClient;
import io.callosum.server.TestServer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

/**
 * Faults at the end of a connection.
 */
class CloseFaultTests {

	@FaultTest
	void aHalfCloseIsTheEndAndFreesTheSlot(Link link, ListenerThreads threads) {
		try (TestServer server = TestServer
			.create(link, (builder) -> threads.applyTo(builder.connectionHandler((connection) -> Mono.never())))
			.start()) {
			for (int i = 0; i < 10; i++) {
				TestClient client = server.connect();
				assertThat(client.readSlot()).isZero();
				Departure.HALF_CLOSE.leave(client);
				server.awaitConnections(0);
				assertThat(client.read()).isEqualTo(-1);
				client.close();
			}
			assertThat(server.events().of(SlotFreeEvent.class)).hasSize(10)
				.allSatisfy((event) -> assertThat(event.getReason()).isEqualTo(EndReason.PEER_CLOSED));
			Faults.verifyNoError(server);
		}
	}

	@FaultTest
	void aSlotIsBackWithinASecond(Link link, ListenerThreads threads) {
		try (TestServer server = TestServer.create(link, threads::applyTo).start()) {
			for (Departure departure : Departure.values()) {
				// The best of several, because the machine may be busy
				long best = IntStream.range(0, 5)
					.mapToLong((i) -> nanosUntilSlotIsBack(server, departure))
					.min()
					.orElseThrow();
				assertThat(best).as(departure.name()).isLessThan(TimeUnit.SECONDS.toNanos(1));
			}
		}
	}

	private static long nanosUntilSlotIsBack(TestServer server, Departure departure) {
		TestClient client = server.connect();
		assertThat(client.readSlot()).isZero();
		long start = System.nanoTime();
		departure.leave(client);
		server.awaitConnections(0);
		return System.nanoTime() - start;
	}

	@FaultTest
	void noSlotHasTwoHoldersAndNoneIsLostWhereConnectionsComeAndGo(Link link, ListenerThreads threads) {
		AtomicInteger highest = new AtomicInteger();
		AtomicBoolean over = new AtomicBoolean();
		try (TestServer server = TestServer.create(link, threads::applyTo).start()) {
			CompletableFuture<Void> watching = CompletableFuture.runAsync(() -> {
				while (!over.get()) {
					assertThat(server.server().connections()).extracting(CallosumConnection::slot)
						.doesNotHaveDuplicates();
					Faults.pause(100);
				}
			});
			Faults.inThreads(Faults.storm(link), (i) -> {
				try (TestClient client = server.connect()) {
					highest.accumulateAndGet(client.readSlot(), Math::max);
					Departure.values()[i % Departure.values().length].leave(client);
				}
			});
			over.set(true);
			watching.join();
			server.verifyNothingLeft();
			// Four at a time, and those that the server has not released yet
			assertThat(highest).hasValueLessThan(100);
			Faults.verifyNoError(server);
		}
		finally {
			over.set(true);
		}
	}

	@FaultTest
	void aSlotIsFreedOnceWhicheverSideClosesFirst(Link link, ListenerThreads threads) {
		ConcurrentMap<Integer, CallosumConnection> connections = new ConcurrentHashMap<>();
		try (TestServer server = TestServer.create(link, (builder) -> threads.applyTo(builder.connectionHandler(
				(connection) -> connection.inbound().receive().asString().takeUntil("!"::equals).then())))) {
			server.events()
				.on(ConnectionEvent.class, (event) -> connections.put(event.getSlot(), event.getConnection()));
			server.start();
			Faults.inThreads(Faults.storm(link) / 2, (i) -> {
				TestClient client = server.connect();
				int slot = client.readSlot();
				if (i % 3 != 0) {
					client.send("!");
				}
				CompletableFuture<Void> closing = CompletableFuture.runAsync(() -> {
					CallosumConnection connection = connections.get(slot);
					if (connection != null) {
						Faults.pause(500);
						connection.close();
					}
				});
				Faults.pause(500);
				client.reset();
				closing.join();
			});
			server.verifyNothingLeft();
			assertThat(server.events().of(SlotFreeEvent.class))
				.hasSameSizeAs(server.events().of(ConnectionEvent.class));
			Faults.verifyNoError(server);
		}
	}

	@FaultTest
	void aConnectionThatIsGoneMayBeClosedAndWrittenToAgainAndAgain(Link link, ListenerThreads threads) {
		AtomicReference<CallosumConnection> closed = new AtomicReference<>();
		try (TestServer server = TestServer.create(link, threads::applyTo)) {
			server.events().on(ConnectionEvent.class, (event) -> closed.set(event.getConnection()));
			server.start();
			for (int i = 1; i <= 5; i++) {
				int expected = i;
				closed.set(null);
				TestClient client = server.connect();
				assertThat(client.readSlot()).isZero();
				TestServer.await("connection", () -> assertThat(closed.get()).isNotNull());
				CallosumConnection connection = closed.get();
				CompletableFuture<Void> onClose = connection.onClose().toFuture();
				Faults.inThreads(8, (j) -> connection.close());
				server.awaitConnections(0);
				assertThat(onClose).succeedsWithin(Duration.ofSeconds(10));
				connection.close();
				assertThat(connection.onClose().toFuture()).succeedsWithin(Duration.ofSeconds(10));
				connection.outbound().sendString(Mono.just("too late")).then().onErrorComplete().block();
				assertThatIllegalStateException().isThrownBy(connection::inbound);
				assertThat(connection.slot()).isZero();
				assertThat(connection.remoteAddress()).isNotNull();
				assertThat(server.events().of(SlotFreeEvent.class)).hasSize(expected);
				client.close();
			}
			Faults.verifyNoError(server);
		}
	}

	@FaultTest
	void aWatcherOfTheCloseThatThrowsLosesNoSlot(Link link, ListenerThreads threads) {
		AtomicInteger calls = new AtomicInteger();
		try (TestServer server = TestServer.create(link, threads::applyTo)) {
			server.events().on(ConnectionEvent.class, (event) -> {
				event.getConnection().onClose().subscribe(null, null, () -> {
					calls.incrementAndGet();
					throw new IllegalStateException("watcher");
				});
				event.getConnection().outbound().withConnection((connection) -> connection.onDispose(() -> {
					calls.incrementAndGet();
					throw new StackOverflowError();
				}));
			});
			server.start();
			for (int i = 1; i <= 5; i++) {
				int expected = i;
				TestClient client = server.connect();
				assertThat(client.readSlot()).isZero();
				TestServer.await("connection",
						() -> assertThat(server.events().of(ConnectionEvent.class)).hasSize(expected));
				client.close();
				server.awaitConnections(0);
			}
			assertThat(calls).hasPositiveValue();
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
		}
	}

}
