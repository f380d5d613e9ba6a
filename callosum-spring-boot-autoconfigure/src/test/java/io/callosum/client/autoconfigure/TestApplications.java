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

package io.callosum.client.autoconfigure;

import java.time.Duration;

import org.awaitility.Awaitility;
import org.awaitility.core.ThrowingRunnable;
import reactor.core.publisher.Mono;

import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.autoconfigure.context.LifecycleAutoConfiguration;
import org.springframework.boot.autoconfigure.ssl.SslAutoConfiguration;
import org.springframework.boot.convert.ApplicationConversionService;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;

import io.callosum.client.CallosumClient;
import io.callosum.client.ClientSnapshot;
import io.callosum.server.ConnectionHandler;
import io.callosum.server.autoconfigure.CallosumServerAutoConfiguration;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Applications with an echo server on an ephemeral port, and a client of that server.
 */
public final class TestApplications {

	public static final Duration TIMEOUT = Duration.ofSeconds(60);

	private TestApplications() {
	}

	public static ApplicationContextRunner runner(Class<?>... autoConfigurations) {
		ConnectionHandler echo = (connection) -> connection.outbound().send(connection.inbound().receive().retain());
		return new ApplicationContextRunner()
			.withInitializer(
					(context) -> context.getEnvironment().setConversionService(new ApplicationConversionService()))
			.withConfiguration(
					AutoConfigurations.of(CallosumServerAutoConfiguration.class, CallosumClientAutoConfiguration.class,
							LifecycleAutoConfiguration.class, SslAutoConfiguration.class))
			.withConfiguration(AutoConfigurations.of(autoConfigurations))
			.withBean(ConnectionHandler.class, () -> echo)
			.withPropertyValues("callosum.server.host=127.0.0.1", "callosum.server.port=0",
					"callosum.server.shutdown-quiet-period=50ms",
					"callosum.client.servers=127.0.0.1:${local.callosum.server.port}", "callosum.client.pool-size=3",
					"callosum.client.acquire-timeout=30s");
	}

	public static String echo(CallosumClient client, String text) {
		return client
			.exchange((lease) -> lease.outbound()
				.sendString(Mono.just(text))
				.then()
				.then(lease.inbound().receive().asString().next()))
			.block(TIMEOUT);
	}

	public static void await(ThrowingRunnable assertion) {
		Awaitility.await().atMost(TIMEOUT).pollInterval(Duration.ofMillis(10)).untilAsserted(assertion);
	}

	/**
	 * Wait until the pool is full, and each connection is ready and not leased.
	 */
	public static void awaitFull(CallosumClient client) {
		await(() -> {
			ClientSnapshot snapshot = client.snapshot();
			assertThat(snapshot.members()).hasSize(snapshot.poolSize()).noneMatch(ClientSnapshot.Member::leased);
		});
	}

}
