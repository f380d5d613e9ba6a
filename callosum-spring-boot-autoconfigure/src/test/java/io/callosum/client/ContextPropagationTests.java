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

import java.lang.ref.WeakReference;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

import io.micrometer.context.ContextRegistry;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;
import reactor.core.publisher.Hooks;
import reactor.core.publisher.Mono;
import reactor.netty.resources.LoopResources;

import io.callosum.server.CallosumServer;
import io.callosum.server.GarbageCollection;
import io.callosum.server.Link;
import io.callosum.server.Transport;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for a client in an application that propagates the context of its threads, as
 * {@code spring.reactor.context-propagation=auto} does.
 *
 * @author The Callosum authors
 */
@ParameterizedClass
@EnumSource
class ContextPropagationTests {

	private static final String KEY = "callosum.caller";

	private static final Duration TIMEOUT = Duration.ofSeconds(30);

	private static final ThreadLocal<Object> CALLER = new ThreadLocal<>();

	@RegisterExtension
	private final TestClientPool clients = new TestClientPool();

	private final LoopResources loops = LoopResources.create("context", 2, true);

	private final CallosumServer server = CallosumServer.builder()
		.host("127.0.0.1")
		.port(0)
		.loopResources(this.loops)
		.connectionHandler((connection) -> connection.outbound().send(connection.inbound().receive().retain()).then())
		.build();

	/**
	 * The callers that were in the context while connections were set up.
	 */
	private final List<Object> seen = new CopyOnWriteArrayList<>();

	@Parameter
	Transport transport;

	@BeforeEach
	void propagate() {
		ContextRegistry.getInstance().registerThreadLocalAccessor(KEY, CALLER);
		Hooks.enableAutomaticContextPropagation();
		this.server.start();
		this.clients.compare(this.server);
	}

	@AfterEach
	void stop() {
		Hooks.disableAutomaticContextPropagation();
		ContextRegistry.getInstance().removeThreadLocalAccessor(KEY);
		CALLER.remove();
		this.server.stop();
		this.loops.disposeLater(Duration.ZERO, TIMEOUT).block();
	}

	@Test
	void nothingOfTheCallerThatStartsTheClientStaysInThePool() {
		CALLER.set(new Object());
		WeakReference<Object> caller = new WeakReference<>(CALLER.get());
		CallosumClient client = start();
		exchange(client);
		CALLER.remove();
		TestClientPool.await("the caller to be garbage", () -> {
			GarbageCollection.await();
			assertThat(caller.get()).isNull();
		});
		// The client still works
		exchange(client);
		this.clients.awaitRest(client);
	}

	@Test
	void noDialRunsInTheContextOfACaller() {
		CallosumClient client = start();
		for (int i = 0; i < 3; i++) {
			CALLER.set("caller " + i);
			CallosumLease lease = client.acquire().block(TIMEOUT);
			// Another connection is dialled in its place
			lease.discard(null);
			CALLER.remove();
			this.clients.awaitRest(client);
		}
		assertThat(this.seen).hasSizeGreaterThan(3).containsOnly("nobody");
	}

	private CallosumClient start() {
		return this.clients.start(Link.plain(this.transport),
				(builder) -> builder.poolSize(2)
					.rovingInterval(Duration.ofMillis(200))
					.initializer((lease) -> Mono.deferContextual((context) -> {
						Object caller = (CALLER.get() != null) ? CALLER.get() : context.getOrDefault(KEY, "nobody");
						this.seen.add(caller);
						return Mono.empty();
					})),
				new InetSocketAddress("127.0.0.1", this.server.address().getPort()));
	}

	private void exchange(CallosumClient client) {
		String answer = client
			.exchange((lease) -> lease.outbound()
				.sendString(Mono.just("ping"))
				.then()
				.then(lease.inbound().receive().asString().next()))
			.block(TIMEOUT);
		assertThat(answer).isEqualTo("ping");
	}

}
