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

import java.time.Duration;
import java.util.function.UnaryOperator;

import io.netty.resolver.dns.SingletonDnsServerAddressStreamProvider;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;
import reactor.core.publisher.Mono;

import io.callosum.server.FreePort;
import io.callosum.server.Link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/**
 * Tests for clients whose servers share a host name, with a name server and sockets.
 *
 * @author The Callosum authors
 */
@ParameterizedClass
@EnumSource
class NamedServersTests {

	private static final String NAME = "orders.internal";

	private static final Duration TIMEOUT = Duration.ofSeconds(20);

	@RegisterExtension
	private final TestClientPool clients = new TestClientPool();

	private final Link link;

	private final TestDns dns = new TestDns();

	private final ScriptedServer first;

	private final ScriptedServer second;

	NamedServersTests(Link link) {
		this.link = link;
		int port = FreePort.find();
		this.first = new ScriptedServer(link.isSecure() ? ClientTls.certificate(NAME) : null, "127.0.0.1", port);
		this.second = new ScriptedServer(link.isSecure() ? ClientTls.certificate(NAME) : null, "127.0.0.2", port);
	}

	@AfterEach
	void close() {
		this.first.close();
		this.second.close();
		this.dns.close();
	}

	private int port() {
		return this.first.address().getPort();
	}

	private CallosumClient start(UnaryOperator<CallosumClient.Builder> customizer) {
		CallosumClient client = this.clients.create(this.link,
				(builder) -> customizer.apply(builder.servers(new ServerAddress(NAME, port()))
					.dnsTimeToLive(Duration.ofMillis(50), Duration.ofMillis(200))),
				(settings, ids) -> new TcpTransport(settings, ids, (resolver) -> resolver
					.nameServerProvider(new SingletonDnsServerAddressStreamProvider(this.dns.address()))));
		client.start();
		return client;
	}

	@Test
	void aNameMayHaveSeveralServersWhichTlsVerifiesByTheName() {
		this.dns.answer(NAME, 1, "127.0.0.1", "127.0.0.2");
		CallosumClient client = start((builder) -> builder.poolSize(4));
		this.clients.awaitRest(client);
		TestClientPool.await("spread",
				() -> assertThat(client.snapshot().members())
					.extracting((member) -> member.server().getAddress().getHostAddress())
					.containsOnly("127.0.0.1", "127.0.0.2"));
		assertThat(client.snapshot().members()).extracting((member) -> member.server().getHostString())
			.containsOnly(NAME);
	}

	@Test
	void aServerThatJoinsIsDialledThoughNothingHasFailed() {
		this.dns.answer(NAME, 0, "127.0.0.1");
		CallosumClient client = start((builder) -> builder.poolSize(4).rovingInterval(Duration.ofMillis(500)));
		this.clients.awaitRest(client);
		assertThat(this.second.accepts()).isZero();
		this.dns.answer(NAME, 0, "127.0.0.1", "127.0.0.2");
		TestClientPool.await("joined",
				() -> assertThat(client.snapshot().members())
					.extracting((member) -> member.server().getAddress().getHostAddress())
					.contains("127.0.0.2"));
		this.dns.answer(NAME, 0, "127.0.0.2");
		TestClientPool.await("left",
				() -> assertThat(client.snapshot().members()).hasSize(4)
					.extracting((member) -> member.server().getAddress().getHostAddress())
					.containsOnly("127.0.0.2"));
		// By then, the dials that began earlier have ended
		awaitDials(2);
		int accepts = this.first.acceptsOfAll();
		awaitDials(3);
		assertThat(this.first.acceptsOfAll()).isEqualTo(accepts);
	}

	private void awaitDials(int more) {
		int dials = this.second.acceptsOfAll();
		TestClientPool.await("goes on", () -> assertThat(this.second.accepts()).isGreaterThanOrEqualTo(dials + more));
	}

	@Test
	void anAcquireEndsInTimeWhenDnsHangs() {
		this.dns.silence(NAME);
		CallosumClient client = start((builder) -> builder);
		long start = System.nanoTime();
		assertThatExceptionOfType(LeaseUnavailableException.class)
			.isThrownBy(() -> client.acquire(Duration.ofMillis(300)).block(TIMEOUT))
			.satisfies((unavailable) -> assertThat(unavailable.getReason())
				.isEqualTo(LeaseUnavailableException.Reason.NO_SERVER));
		assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(15));
		this.dns.answer(NAME, 1, "127.0.0.1");
		assertThat(client.exchange((lease) -> Mono.just(lease.slot())).block(TIMEOUT)).isZero();
	}

}
