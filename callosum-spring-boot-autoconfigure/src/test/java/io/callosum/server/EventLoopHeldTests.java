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

import java.time.Duration;
import java.util.concurrent.CountDownLatch;

import ch.qos.logback.classic.Level;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

import io.callosum.transport.UserCode;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for the warnings about code that holds an event loop.
 *
 * @author The Callosum authors
 */
@ParameterizedClass
@EnumSource
class EventLoopHeldTests {

	private static final Duration LONG = Duration.ofMillis(120);

	@Parameter
	Transport transport;

	@Test
	void anOperatorOfAHandlerThatHoldsAnEventLoopIsWarnedOfOnce() {
		verifyWarning((connection) -> connection.inbound().receive().doOnNext((bytes) -> pause()).then(),
				"The connection handler held an event loop for ");
	}

	@Test
	void aHandlerThatHoldsAnEventLoopBeforeItReturnsIsWarnedOfOnce() {
		verifyWarning((connection) -> {
			pause();
			return connection.inbound().receive().then();
		}, "The connection handler held an event loop for ");
	}

	@Test
	void aListenerWhoseReceiverHoldsAnEventLoopIsWarnedOfOnce() {
		try (TestServer server = TestServer.create(this.transport)) {
			server.events()
				.on(ConnectionEvent.class,
						(event) -> event.getConnection().inbound().receive().doOnNext((bytes) -> pause()).subscribe());
			verifyWarning(server.start(), "A listener that receives the bytes of a connection held an event loop for ");
		}
	}

	@Test
	void aThreadThatMayBlockIsNotWarnedOf() {
		assertThat(UserCode.heldEventLoopSince(System.nanoTime() - LONG.toNanos())).isZero();
	}

	@Test
	void whatMayHaveWaitedForClassesToBeLoadedIsNotWarnedOf() {
		try (TestServer server = TestServer.create(this.transport)) {
			ServerEvents events = server.server().events();
			events.ownerHeldEventLoop("A", false, LONG.toNanos());
			events.ownerHeldEventLoop("A", true, LONG.toNanos());
			events.ownerHeldEventLoop("B", true, LONG.toNanos());
			assertThat(server.logged(Level.WARN)).isEmpty();
			events.ownerHeldEventLoop("B", true, 0);
			assertThat(server.logged(Level.WARN)).singleElement().asString().contains("B held an event loop");
		}
	}

	@Test
	void whatHeldAnotherEventLoopAtTheSameTimeMayHaveWaitedForTheSameClasses() {
		try (TestServer server = TestServer.create(this.transport)) {
			ServerEvents events = server.server().events();
			long start = System.nanoTime();
			long second = Duration.ofSeconds(1).toNanos();
			assertThat(events.mayHaveLoadedClasses("A", LONG.toNanos(), start + LONG.toNanos())).isTrue();
			assertThat(events.mayHaveLoadedClasses("A", second, start + second)).isTrue();
			assertThat(events.mayHaveLoadedClasses("A", second, start + second + LONG.toNanos() + 1)).isFalse();
			assertThat(events.mayHaveLoadedClasses("B", second + 1, start)).isFalse();
		}
	}

	@Test
	void whatHoldsAnEventLoopForLongerThanClassesTakeToLoadIsWarnedOfTheFirstTime() {
		try (TestServer server = TestServer.create(this.transport)) {
			server.server().events().ownerHeldEventLoop("A", false, Duration.ofMillis(1001).toNanos());
			assertThat(server.logged(Level.WARN)).singleElement()
				.asString()
				.contains("A held an event loop for 1001 ms");
		}
	}

	@Test
	void theLagGrowsWhileAnEventLoopIsHeldAndGoesBack() {
		CountDownLatch released = new CountDownLatch(1);
		try (TestServer server = TestServer.create(this.transport)) {
			assertThat(server.server().eventLoopLag()).isZero();
			server.events().on(ConnectionEvent.class, (event) -> TestThreads.await(released));
			server.start();
			server.connect();
			TestServer.await("lag", () -> assertThat(server.server().eventLoopLag()).isGreaterThan(LONG));
			released.countDown();
			TestServer.await("no lag", () -> assertThat(server.server().eventLoopLag()).isLessThan(LONG));
			server.closeClients();
			server.server().stop();
			assertThat(server.server().eventLoopLag()).isZero();
		}
	}

	private void verifyWarning(ConnectionHandler handler, String warning) {
		try (TestServer server = TestServer.create(this.transport, (builder) -> builder.connectionHandler(handler))
			.start()) {
			verifyWarning(server, warning);
		}
	}

	private static void verifyWarning(TestServer server, String warning) {
		send(server);
		send(server);
		assertThat(server.logged(Level.WARN)).filteredOn((line) -> line.contains(warning))
			.singleElement()
			.asString()
			.containsPattern(" [1-9]\\d\\d+ ms")
			.contains("subscribeOn");
	}

	private static void send(TestServer server) {
		TestClient client = server.connect();
		client.readSlot();
		client.send("hello").close();
		server.awaitConnections(0);
	}

	private static void pause() {
		TestThreads.pause(LONG);
	}

}
