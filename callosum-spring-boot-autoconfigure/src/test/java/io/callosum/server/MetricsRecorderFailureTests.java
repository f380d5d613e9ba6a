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

import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;

import ch.qos.logback.classic.Level;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for a {@link CallosumMetricsRecorder} that throws in each of its methods. Every
 * test checks at its end that no slot and no buffer is left.
 */
class MetricsRecorderFailureTests {

	@ParameterizedTest
	@EnumSource
	void aRecorderThatThrowsHarmsNoConnection(Transport transport) {
		try (TestServer server = create(transport, new AtomicInteger())) {
			server.start();
			for (int i = 0; i < 3; i++) {
				TestClient client = server.connect();
				assertThat(client.readSlot()).isEqualTo(i);
				// Nobody requests these bytes: they are held, and must be released
				client.send("unread");
			}
			server.closeClients();
			TestServer.await("end", () -> assertThat(server.events().of(SlotFreeEvent.class)).hasSize(3));
			assertThat(server.events().of(ConnectionEvent.class)).hasSize(3);
			server.verifyNothingLeft();
			assertThat(server.logged(Level.ERROR)).singleElement().asString().contains("The metrics recorder failed");
		}
	}

	@ParameterizedTest
	@EnumSource
	void aRecorderThatThrowsHarmsNoRefusal(Transport transport) {
		AtomicInteger calls = new AtomicInteger();
		Sinks.One<Integer> slot = Sinks.one();
		try (TestServer server = create(transport, calls)) {
			server.events().on(SlotRequestEvent.class, (event) -> {
				String id = event.getRequest().connectionId();
				if (id.equals("c1")) {
					event.reject(new NoSlotAvailableException("none"));
				}
				else if (id.equals("c2")) {
					throw new IllegalStateException("simulated");
				}
				else if (id.equals("c3")) {
					event.assign(slot.asMono());
				}
			});
			server.start();
			for (int i = 0; i < 3; i++) {
				assertThat(server.connect().readAll()).isEmpty();
			}
			slot.tryEmitValue(7);
			TestServer.await("late slot", () -> assertThat(server.events().of(SlotFreeEvent.class)).singleElement()
				.satisfies((event) -> assertThat(event.getSlot()).isEqualTo(7)));
			assertThat(server.connect().readSlot()).isZero();
			server.closeClients();
			server.verifyNothingLeft();
			assertThat(server.events().of(ServerErrorEvent.class)).hasSize(2);
			assertThat(server.measured("listenerFailed")).isOne();
			assertThat(server.measured("slotRequestOverdue")).isOne();
			assertThat(server.measured("overdueSlotRequestAnswered")).isOne();
			assertThat(server.measured("refused")).isEqualTo(3);
		}
	}

	@Test
	void everyMethodIsGuarded() throws ReflectiveOperationException {
		AtomicInteger calls = new AtomicInteger();
		CallosumMetricsRecorder guarded = new GuardedMetricsRecorder(throwing(calls));
		Method[] methods = CallosumMetricsRecorder.class.getDeclaredMethods();
		for (Method method : methods) {
			method.invoke(guarded, Arrays.stream(method.getParameterTypes()).map((type) -> argument(type)).toArray());
		}
		assertThat(calls).hasValue(methods.length);
	}

	private static TestServer create(Transport transport, AtomicInteger calls) {
		return TestServer.create(transport,
				(builder) -> builder.metricsRecorder(throwing(calls))
					.slotTimeout(Duration.ofMillis(500))
					.connectionHandler((connection) -> connection.onClose().then(Mono.empty())));
	}

	private static CallosumMetricsRecorder throwing(AtomicInteger calls) {
		return (CallosumMetricsRecorder) Proxy.newProxyInstance(CallosumMetricsRecorder.class.getClassLoader(),
				new Class<?>[] { CallosumMetricsRecorder.class }, (proxy, method, arguments) -> {
					calls.incrementAndGet();
					throw new IllegalStateException(method.getName());
				});
	}

	private static Object argument(Class<?> type) {
		if (type.isEnum()) {
			return type.getEnumConstants()[0];
		}
		return (type == long.class) ? 1L : Duration.ZERO;
	}

}
