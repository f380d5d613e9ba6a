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

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AutoClose;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.MDC;
import reactor.core.publisher.Mono;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for the id of a connection in the logging context.
 */
@ParameterizedClass
@EnumSource
class LoggingContextTests {

	private static final String KEY = "callosum.connection";

	private static final String NOTHING = "nothing";

	@AutoClose("shutdownNow")
	private final ExecutorService executor = Executors.newSingleThreadExecutor();

	private final Map<String, String> seen = new ConcurrentHashMap<>();

	private final CopyOnWriteArrayList<String> after = new CopyOnWriteArrayList<>();

	@Parameter
	Transport transport;

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void listenersAllocatorAndHandlerHaveTheIdOfTheirConnection(boolean blocking) {
		try (TestServer server = TestServer.create(this.transport, (builder) -> {
			builder.slotAllocator(new LowestSlotAllocator() {

				@Override
				public int allocate(SlotRequest request) {
					note("allocator");
					return super.allocate(request);
				}

			});
			return blocking ? builder.blockingConnectionHandler((connection) -> note("handler"), null)
					: builder.connectionHandler((connection) -> {
						note("handler");
						return connection.inbound().receive().then();
					});
		})) {
			server.events().on(ServerStartedEvent.class, (event) -> note("started"));
			server.events().on(SlotRequestEvent.class, (event) -> note("request"));
			server.events().on(ConnectionEvent.class, (event) -> note("connection"));
			server.events().on(SlotFreeEvent.class, (event) -> note("free"));
			server.start().expectNobodyNext();
			server.connect().readSlot();
			server.closeClients();
			server.verifyNothingLeft();
			TestServer.await("the handler", () -> assertThat(this.seen).containsKeys("handler", "free"));
			assertThat(this.seen).isEqualTo(Map.of("started", NOTHING, "request", "c1", "allocator", "c1", "connection",
					"c1", "handler", "c1", "free", "c1"));
		}
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void whatWasInTheLoggingContextIsThereAgain(boolean empty) {
		String outer = empty ? null : "outer";
		try (TestServer server = TestServer.create(this.transport,
				(builder) -> builder.connectionHandler((connection) -> Mono.error(new IllegalStateException("fails")))
					.listenerExecutor((task) -> this.executor.execute(() -> {
						put(outer);
						task.run();
						this.after.add(value());
					})))) {
			server.events().on(ConnectionEvent.class, (event) -> note("connection"));
			server.start();
			server.connect().readSlot();
			TestServer.await("the end", () -> assertThat(server.events().of(SlotFreeEvent.class)).hasSize(1));
			server.verifyNothingLeft();
			assertThat(this.seen).containsEntry("connection", "c1");
			TestServer.await("what follows a listener", () -> assertThat(this.after).isNotEmpty());
			assertThat(this.after).containsOnly(empty ? NOTHING : outer);
		}
	}

	private static void put(@Nullable String outer) {
		if (outer != null) {
			MDC.put(KEY, outer);
		}
		else {
			MDC.remove(KEY);
		}
	}

	private void note(String where) {
		this.seen.put(where, value());
	}

	private static String value() {
		String value = MDC.get(KEY);
		return (value != null) ? value : NOTHING;
	}

}
