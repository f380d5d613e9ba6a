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

import java.util.Map;
import java.util.function.Consumer;

import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import org.junit.jupiter.api.Test;

import org.springframework.aot.hint.predicate.RuntimeHintsPredicates;
import org.springframework.aot.test.generate.TestGenerationContext;
import org.springframework.boot.autoconfigure.ImportAutoConfiguration;
import org.springframework.boot.autoconfigure.ssl.SslAutoConfiguration;
import org.springframework.boot.convert.ApplicationConversionService;
import org.springframework.context.ApplicationContextInitializer;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.aot.ApplicationContextAotGenerator;
import org.springframework.context.support.GenericApplicationContext;
import org.springframework.core.env.MapPropertySource;
import org.springframework.core.test.tools.CompileWithForkedClassLoader;
import org.springframework.core.test.tools.TestCompiler;
import org.springframework.javapoet.ClassName;

import io.callosum.client.CallosumClient;
import io.callosum.client.autoconfigure.actuate.CallosumClientMetricsAutoConfiguration;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for clients in applications that are processed ahead of time.
 */
class ClientAotTests {

	@Test
	@CompileWithForkedClassLoader
	void theClientsAreThoseOfTheEnvironmentThatTheApplicationRunsIn() {
		run(Map.of("callosum.client.servers", "localhost:${not.known.yet}"),
				Map.of("callosum.client.servers", "127.0.0.1:1", "callosum.client.service.orders.servers",
						"127.0.0.1:2", "callosum.client.service.orders.pool-size", "3"),
				(context) -> {
					CallosumClients clients = context.getBean(CallosumClients.class);
					assertThat(clients.names()).containsExactlyInAnyOrder("default", "orders");
					assertThat(clients.stream()).allMatch(CallosumClient::isRunning);
					assertThat(clients.get("orders").snapshot().poolSize()).isEqualTo(3);
					assertThat(context.getBean(CallosumClient.class)).isSameAs(clients.get("default"));
					assertThat(
							context.getBean(SimpleMeterRegistry.class).find("callosum.client.connections.max").gauges())
						.hasSize(2);
				});
	}

	@Test
	@CompileWithForkedClassLoader
	void aClientRunsAlsoWhereNoneWasKnownAheadOfTime() {
		run(Map.of(), Map.of("callosum.client.servers", "127.0.0.1:1"), (context) -> {
			CallosumClients clients = context.getBean(CallosumClients.class);
			assertThat(clients.names()).containsExactly("default");
			assertThat(clients.get("default").isRunning()).isTrue();
			context.stop();
			assertThat(clients.get("default").isRunning()).isFalse();
		});
	}

	private static void run(Map<String, Object> ahead, Map<String, Object> properties,
			Consumer<GenericApplicationContext> test) {
		AnnotationConfigApplicationContext processed = new AnnotationConfigApplicationContext();
		configure(processed, ahead);
		processed.register(Application.class);
		TestGenerationContext generation = new TestGenerationContext();
		ClassName initializer = new ApplicationContextAotGenerator().processAheadOfTime(processed, generation);
		generation.writeGeneratedContent();
		assertThat(RuntimeHintsPredicates.reflection().onType(ClientProperties.class))
			.accepts(generation.getRuntimeHints());
		TestCompiler.forSystem().with(generation).compile((compiled) -> {
			try (GenericApplicationContext context = new GenericApplicationContext()) {
				configure(context, properties);
				@SuppressWarnings("unchecked")
				ApplicationContextInitializer<GenericApplicationContext> instance = compiled
					.getInstance(ApplicationContextInitializer.class, initializer.toString());
				instance.initialize(context);
				context.refresh();
				test.accept(context);
			}
		});
	}

	private static void configure(GenericApplicationContext context, Map<String, Object> properties) {
		context.getEnvironment().setConversionService(new ApplicationConversionService());
		context.getEnvironment().getPropertySources().addFirst(new MapPropertySource("test", properties));
	}

	@Configuration(proxyBeanMethods = false)
	@ImportAutoConfiguration({ SslAutoConfiguration.class, CallosumClientAutoConfiguration.class,
			CallosumClientMetricsAutoConfiguration.class })
	static class Application {

		@Bean
		SimpleMeterRegistry meterRegistry() {
			return new SimpleMeterRegistry();
		}

	}

}
