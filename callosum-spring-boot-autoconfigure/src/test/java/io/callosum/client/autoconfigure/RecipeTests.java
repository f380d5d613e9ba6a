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

import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;

import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.test.annotation.DirtiesContext;
import org.springframework.test.context.bean.override.mockito.MockitoBean;

import io.callosum.client.CallosumClient;
import io.callosum.server.ConnectionHandler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.mockito.ArgumentMatchers.any;
import static org.mockito.BDDMockito.given;

/**
 * Shows how an application tests its use of a client.
 */
class RecipeTests {

	/**
	 * With the server of the same application, on a free port.
	 */
	@Nested
	@DirtiesContext
	@SpringBootTest(classes = Application.class,
			properties = { "callosum.server.host=localhost", "callosum.server.port=0",
					"callosum.client.servers=localhost:${local.callosum.server.port}",
					"callosum.client.acquire-timeout=30s" })
	class ServerAndClient {

		@Autowired
		private Greeter greeter;

		@Test
		void theAnswerComesFromTheServer() {
			assertThat(this.greeter.greet("world").block(TestApplications.TIMEOUT)).isEqualTo("hello world");
		}

	}

	/**
	 * With a client that is a mock, and no server.
	 */
	@Nested
	@DirtiesContext
	@SpringBootTest(classes = Application.class,
			properties = { "callosum.server.enabled=false", "callosum.client.servers=orders.example.org" })
	class MockedClient {

		@MockitoBean
		private CallosumClient client;

		@Autowired
		private Greeter greeter;

		@Autowired
		private CallosumClients clients;

		@Test
		void theAnswerComesFromTheMock() {
			given(this.client.exchange(any())).willReturn(Mono.just("hello mock"));
			assertThat(this.greeter.greet("world").block(TestApplications.TIMEOUT)).isEqualTo("hello mock");
			assertThat(this.clients.get("default")).isSameAs(this.client);
		}

	}

	@Configuration(proxyBeanMethods = false)
	@EnableAutoConfiguration
	@Import(Greeter.class)
	static class Application {

		@Bean
		ConnectionHandler echo() {
			return (connection) -> connection.outbound().send(connection.inbound().receive().retain());
		}

	}

	static class Greeter {

		private final CallosumClient client;

		Greeter(CallosumClient client) {
			this.client = client;
		}

		Mono<String> greet(String name) {
			return this.client.exchange((lease) -> lease.outbound()
				.sendString(Mono.just("hello " + name))
				.then()
				.then(lease.inbound().receive().asString().next()));
		}

	}

}
