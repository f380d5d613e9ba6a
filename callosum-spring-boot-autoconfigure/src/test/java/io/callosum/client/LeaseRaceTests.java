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
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;

import io.netty.handler.codec.LineBasedFrameDecoder;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;

import io.callosum.client.ScriptedServer.Script;
import io.callosum.server.Link;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for leases that are ended, cancelled and used too late by many threads.
 *
 * @author The Callosum authors
 */
@ParameterizedClass
@EnumSource
class LeaseRaceTests {

	private static final int OPERATIONS = 1000;

	/**
	 * By chance, all servers may be backed off for a long time, several times in a row.
	 */
	private static final Duration TIMEOUT = Duration.ofMinutes(5);

	@RegisterExtension
	private final TestClientPool clients = new TestClientPool();

	private final Link link;

	private final List<ScriptedServer> servers;

	LeaseRaceTests(Link link) {
		this.link = link;
		this.servers = Stream.generate(() -> new ScriptedServer(link.isSecure()).script(Script.echo()))
			.limit(4)
			.toList();
	}

	@AfterEach
	void close() {
		this.servers.forEach(ScriptedServer::close);
	}

	@Test
	void noLeaseSeesTheBytesOfAnotherWhateverEndsIt() {
		long seed = System.nanoTime();
		CallosumClient client = this.clients.start(this.link,
				(builder) -> builder.poolSize(4).acquireTimeout(TIMEOUT).noEjection().initializer((lease) -> {
					lease.inbound().withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(100)));
					return Mono.empty();
				}), this.servers.stream().map(ScriptedServer::address).toArray(InetSocketAddress[]::new));
		AtomicInteger answers = new AtomicInteger();
		Flux.range(0, OPERATIONS)
			.flatMap((i) -> Mono.defer(() -> operation(client, "message " + i, new Random(seed + i), answers))
				.subscribeOn(Schedulers.boundedElastic()), 8)
			.blockLast(TIMEOUT);
		assertThat(answers.get()).as("seed %d", seed).isGreaterThan(OPERATIONS / 4);
		assertThat(client.exchange((lease) -> echo(lease, "last")).block(TIMEOUT)).isEqualTo("last");
	}

	private static Mono<?> operation(CallosumClient client, String message, Random random, AtomicInteger answers) {
		return switch (random.nextInt(6)) {
			case 0 -> check(client.exchange((lease) -> echo(lease, message)), message, answers)
				.timeout(Duration.ofNanos(random.nextInt(3_000_000)))
				.onErrorResume(TimeoutException.class, (timeout) -> Mono.empty());
			case 1 -> client.acquire().doOnNext((lease) -> {
				echo(lease, message).subscribe((answer) -> assertThat(answer).isEqualTo(message), (error) -> {
				});
				lease.discard(null);
				lease.release();
			});
			case 2 ->
				client.acquire().flatMap((lease) -> check(echo(lease, message), message, answers).doOnNext((answer) -> {
					lease.release();
					// Too late
					lease.discard(new IllegalStateException());
					lease.close();
				}));
			case 3 -> check(Mono.fromCallable(() -> execute(client, message)), message, answers);
			case 4 -> client
				.exchange((lease) -> lease.outbound()
					.sendString(Mono.just(message + "\r\n"))
					.then()
					.then(Mono.error(new IllegalStateException("no"))))
				.onErrorResume(IllegalStateException.class, (error) -> Mono.empty());
			default -> check(client.exchange((lease) -> echo(lease, message)), message, answers);
		};
	}

	private static Mono<String> check(Mono<String> exchange, String message, AtomicInteger answers) {
		return exchange.doOnNext((answer) -> {
			assertThat(answer).isEqualTo(message);
			answers.incrementAndGet();
		});
	}

	private static Mono<String> echo(CallosumLease lease, String message) {
		return lease.outbound()
			.sendString(Mono.just(message + "\r\n"))
			.then()
			.then(lease.inbound().receive().asString().next());
	}

	private static String execute(CallosumClient client, String message) throws Exception {
		return client.<String, Exception>execute((lease) -> {
			lease.outputStream().write((message + "\r\n").getBytes(StandardCharsets.US_ASCII));
			return new String(lease.inputStream().readNBytes(message.length()), StandardCharsets.US_ASCII);
		});
	}

}
