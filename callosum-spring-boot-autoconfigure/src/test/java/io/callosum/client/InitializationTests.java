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

import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

import io.netty.handler.codec.LineBasedFrameDecoder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;
import reactor.core.publisher.Hooks;
import reactor.core.publisher.Mono;

import io.callosum.client.ScriptedServer.Script;
import io.callosum.server.Link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

/**
 * Tests for {@link ConnectionInitializer}, over sockets.
 *
 * @author The Callosum authors
 */
@ParameterizedClass
@EnumSource
class InitializationTests extends AbstractScriptedServerTests {

	InitializationTests(Link link) {
		super(link);
	}

	@Test
	void anInitializerReceivesAGreetingThatComesWithTheSlotLine() {
		this.server.script((peer) -> peer.send("0\r\nhello\r\n"));
		CallosumClient client = start((builder) -> builder.initializer((lease) -> {
			lease.inbound().withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(100)));
			return lease.inbound()
				.receive()
				.asString()
				.next()
				.doOnNext((greeting) -> lease.attributes().put("greeting", greeting))
				.then();
		}));
		assertThat(client.exchange((lease) -> Mono.just(lease.attributes().get("greeting"))).block(TIMEOUT))
			.isEqualTo("hello");
	}

	@Test
	void anInitializerMayAuthenticate() {
		this.server.script(Script.echo());
		CallosumClient client = start((builder) -> builder.initializer((lease) -> lease.outbound()
			.sendString(Mono.just("user\r\n"))
			.then(lease.inbound().receive().asString().next().then())));
		assertThat(client
			.exchange((lease) -> lease.outbound()
				.sendString(Mono.just("ping\r\n"))
				.then()
				.then(lease.inbound().receive().asString().next()))
			.block(TIMEOUT)).isEqualTo("ping\r\n");
	}

	@Test
	void anInitializerThatFailsOrDoesNotEndClosesTheConnection() {
		AtomicInteger calls = new AtomicInteger();
		CallosumClient client = start((builder) -> builder.acquireTimeout(Duration.ofMillis(500))
			.noEjection()
			.initializer((lease) -> switch (calls.getAndIncrement()) {
				case 0 -> Mono.error(new IllegalStateException("no"));
				case 1 -> throw new IllegalStateException("no again");
				case 2 -> Mono.never();
				case 3 -> {
					lease.release();
					yield Mono.empty();
				}
				default -> Mono.empty();
			}));
		TestClientPool.await("initialized",
				() -> assertThat(client.snapshot().members()).anyMatch((member) -> !member.leased()));
		TestClientPool.await("told",
				() -> assertThat(this.clients.closed(client)).hasSize(4).containsOnly(CloseReason.INITIALIZER_FAILED));
	}

	@Test
	void anAcquireFailsBecauseOfTheInitializerThatFailsEachTime() {
		IllegalStateException denied = new IllegalStateException("denied");
		CallosumClient client = start((builder) -> builder.initializer((lease) -> Mono.error(denied)));
		awaitFailure(client);
		assertThat(failureOfAcquire(client)).isSameAs(denied);
	}

	@Test
	void anAcquireFailsBecauseOfTheInitializerWhileTheNextOneRuns() {
		IllegalStateException denied = new IllegalStateException("denied");
		AtomicInteger calls = new AtomicInteger();
		CallosumClient client = start((builder) -> builder
			.initializer((lease) -> (calls.getAndIncrement() == 0) ? Mono.error(denied) : Mono.never()));
		TestClientPool.await("the next one", () -> assertThat(calls).hasValue(2));
		assertThat(failureOfAcquire(client)).isSameAs(denied);
		// Otherwise the end of the test would wait for the initializer
		client.stop();
	}

	@Test
	void anAcquireFailsBecauseTheServerClosesEachConnectionDuringTheInitializer() {
		this.server.script((peer) -> peer.send("0\r\n").close());
		CallosumClient client = start((builder) -> builder.initializer((lease) -> Mono.never()));
		awaitFailure(client);
		assertThat(failureOfAcquire(client)).isInstanceOf(IOException.class);
	}

	@Test
	void anAcquireThatFailsAfterAnInitializerHasCompletedDoesNotBlameOneThatFailedBefore() {
		AtomicInteger calls = new AtomicInteger();
		CallosumClient client = start((builder) -> builder.initializer((lease) -> (calls.getAndIncrement() == 0)
				? Mono.error(new IllegalStateException("denied")) : Mono.empty()));
		CallosumLease lease = client.acquire().block(TIMEOUT);
		assertThat(failureOfAcquire(client)).isNull();
		lease.release();
	}

	private void awaitFailure(CallosumClient client) {
		TestClientPool.await("the first failure", () -> assertThat(this.clients.closed(client)).isNotEmpty());
	}

	private Throwable failureOfAcquire(CallosumClient client) {
		return catchThrowableOfType(LeaseUnavailableException.class,
				() -> client.acquire(Duration.ofMillis(500)).block(TIMEOUT))
			.getCause();
	}

	@Test
	void anInitializerThatDiscardsItsLeaseAndFailsDropsNoError() {
		List<Throwable> dropped = new CopyOnWriteArrayList<>();
		Hooks.onErrorDropped(dropped::add);
		try {
			AtomicInteger calls = new AtomicInteger();
			CallosumClient client = start((builder) -> builder.noEjection()
				.initializer((lease) -> (calls.getAndIncrement() == 0)
						? Mono.<Void>error(new IllegalStateException("no")).doOnError(lease::discard) : Mono.empty()));
			TestClientPool.await("initialized",
					() -> assertThat(client.snapshot().members()).anyMatch((member) -> !member.leased()));
			TestClientPool.await("told", () -> assertThat(this.clients.closed(client)).hasSize(1));
			assertThat(dropped).extracting(Throwable::getMessage).doesNotContain("no");
		}
		finally {
			Hooks.resetOnErrorDropped();
		}
	}

}
