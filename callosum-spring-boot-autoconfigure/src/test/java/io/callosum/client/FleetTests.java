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

import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

import io.netty.handler.codec.LineBasedFrameDecoder;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.netty.resources.LoopResources;
import reactor.util.retry.Retry;

import io.callosum.server.CallosumServer;
import io.callosum.server.FreePort;
import io.callosum.server.Link;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for three servers and thirty clients, over sockets.
 *
 * @author The Callosum authors
 */
class FleetTests {

	private static final int CLIENTS = 30;

	private static final int POOL_SIZE = 5;

	private static final Duration TIMEOUT = Duration.ofSeconds(20);

	@RegisterExtension
	private final TestClientPool clients = new TestClientPool();

	private final LoopResources loops = LoopResources.create("fleet", 2, true);

	private final List<CallosumServer> servers = new ArrayList<>();

	private final List<CallosumClient> fleet = new ArrayList<>();

	@AfterEach
	void stop() {
		this.fleet.forEach(CallosumClient::stop);
		this.servers.forEach(CallosumServer::stop);
		this.loops.disposeLater(Duration.ZERO, TIMEOUT).block();
	}

	private void start(Duration rovingInterval) {
		for (int i = 0; i < 3; i++) {
			this.servers.add(server(FreePort.find()));
		}
		InetSocketAddress[] addresses = this.servers.stream()
			.map((server) -> new InetSocketAddress("127.0.0.1", server.address().getPort()))
			.toArray(InetSocketAddress[]::new);
		for (int i = 0; i < CLIENTS; i++) {
			this.fleet.add(this.clients.start(Link.EPOLL,
					(builder) -> builder.poolSize(POOL_SIZE)
						.loopResources(this.loops)
						.rovingInterval(rovingInterval)
						.initializer((lease) -> {
							lease.inbound()
								.withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(100)));
							return Mono.empty();
						}),
					addresses));
		}
	}

	private CallosumServer server(int port) {
		CallosumServer server = CallosumServer.builder()
			.host("127.0.0.1")
			.port(port)
			.loopResources(this.loops)
			.shutdownQuietPeriod(Duration.ofMillis(200))
			.connectionHandler(
					(connection) -> connection.outbound().send(connection.inbound().receive().retain()).then())
			.build();
		server.start();
		return this.clients.compare(server);
	}

	private List<Integer> counts() {
		return this.servers.stream().map((server) -> server.connections().size()).toList();
	}

	private void awaitEven(int within) {
		TestClientPool.await("even", () -> {
			List<Integer> counts = counts();
			assertThat(counts.stream().mapToInt(Integer::intValue).sum()).isEqualTo(CLIENTS * POOL_SIZE);
			assertThat(counts).allMatch((count) -> Math.abs(count - CLIENTS * POOL_SIZE / 3) <= within);
		});
	}

	@Test
	void atRestTheCountsDifferByTwoAtMost() {
		start(Duration.ofMillis(500));
		TestClientPool.await("at rest", () -> {
			List<Integer> counts = counts();
			assertThat(counts.stream().mapToInt(Integer::intValue).sum()).isEqualTo(CLIENTS * POOL_SIZE);
			assertThat(counts.stream().mapToInt(Integer::intValue).max().orElseThrow()
					- counts.stream().mapToInt(Integer::intValue).min().orElseThrow())
				.isLessThanOrEqualTo(2);
		});
		this.fleet.forEach(this.clients::awaitRest);
	}

	@Test
	void aRestartedServerIsEvenAgainSoon() {
		start(Duration.ofSeconds(5));
		awaitEven(5);
		int port = this.servers.get(0).address().getPort();
		this.servers.get(0).stop();
		CallosumServer restarted = server(port);
		this.servers.set(0, restarted);
		// A clock that stands still while the machine is stalled
		AtomicInteger millis = new AtomicInteger();
		ScheduledFuture<?> clock = this.loops.onServer(true)
			.next()
			.scheduleWithFixedDelay(() -> millis.addAndGet(10), 10, 10, TimeUnit.MILLISECONDS);
		awaitEven(5);
		clock.cancel(false);
		assertThat(Duration.ofMillis(millis.get())).isLessThan(Duration.ofSeconds(15));
	}

	@Test
	void aRollingRestartFailsNothingThatRetriesDoNotCover() {
		start(Duration.ofSeconds(1));
		awaitEven(10);
		AtomicBoolean stop = new AtomicBoolean();
		AtomicInteger done = new AtomicInteger();
		Mono<Void> load = Flux.fromIterable(this.fleet)
			.flatMap((client) -> Mono.defer(() -> exchange(client, done))
				.delayElement(Duration.ofMillis(5))
				.repeat(() -> !stop.get())
				.then(), CLIENTS)
			.then()
			.cache();
		AtomicReference<Throwable> failure = new AtomicReference<>();
		load.subscribe((nothing) -> {
		}, failure::set);
		for (int i = 0; i < this.servers.size(); i++) {
			int port = this.servers.get(i).address().getPort();
			this.servers.get(i).stop(Duration.ofSeconds(2));
			this.servers.set(i, server(port));
			int before = done.get();
			TestClientPool.await("goes on",
					() -> assertThat(failure.get() != null || done.get() > before + 100).isTrue());
			assertThat(failure).hasValue(null);
			awaitEven(15);
		}
		stop.set(true);
		load.block(TIMEOUT);
		assertThat(done).hasValueGreaterThan(300);
	}

	private static Mono<String> exchange(CallosumClient client, AtomicInteger done) {
		return client
			.exchange((lease) -> lease.outbound()
				.sendString(Mono.just("ping\r\n"))
				.then()
				.then(lease.inbound().receive().asString().next()))
			// The next connection may also be about to end
			.retryWhen(Retry.backoff(3, Duration.ofMillis(10))
				.filter((error) -> error instanceof ConnectionLostException lost && lost.isRetryable()))
			.doOnNext((answer) -> {
				assertThat(answer).isEqualTo("ping");
				done.incrementAndGet();
			});
	}

}
