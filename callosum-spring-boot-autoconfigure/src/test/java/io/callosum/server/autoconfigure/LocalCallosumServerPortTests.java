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

package io.callosum.server.autoconfigure;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;

import org.junit.jupiter.api.Test;

import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.event.EventListener;
import org.springframework.core.annotation.Order;
import org.springframework.core.env.Environment;
import org.springframework.test.annotation.DirtiesContext;

import io.callosum.server.CallosumServer;
import io.callosum.server.ServerStartedEvent;
import io.callosum.server.TestClient;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for {@link LocalCallosumServerPort} and the property behind it.
 *
 * @author The Callosum authors
 */
@DirtiesContext // otherwise its server would run beside the tests of other classes
@SpringBootTest(properties = { "callosum.server.host=127.0.0.1", "callosum.server.port=0" })
class LocalCallosumServerPortTests {

	@LocalCallosumServerPort
	private int field;

	@Autowired
	private CallosumServer server;

	@Autowired
	private ConfigurableApplicationContext context;

	@Autowired
	private Environment environment;

	@Test
	void aTestIsInjectedWithThePort(@LocalCallosumServerPort int parameter) {
		assertThat(this.server.address()).isNotNull();
		assertThat(this.field).isPositive().isEqualTo(parameter).isEqualTo(this.server.address().getPort());
		try (TestClient client = new TestClient(this.field)) {
			assertThat(client.readSlot()).isZero();
		}
	}

	@Test
	void thePropertyFollowsEachStartOfTheServer() {
		CallosumServer other = CallosumServer.builder().host("127.0.0.1").port(0).build();
		try {
			this.server.stop();
			// Takes a port, most likely the one that has become free
			other.start();
			this.server.start();
			assertThat(this.server.address()).isNotNull();
			assertThat(this.environment.getProperty("local.callosum.server.port", Integer.class))
				.isEqualTo(this.server.address().getPort());
		}
		finally {
			other.stop();
		}
	}

	@Test
	void eachContextHasThePortOfItsOwnServer() {
		try (ConfigurableApplicationContext parent = run();
				ConfigurableApplicationContext child = run(parent, ChildApplication.class)) {
			int childPort = port(child);
			assertThat(childPort).isNotEqualTo(port(parent));
			assertThat(property(child)).isEqualTo(childPort);
			assertThat(child.getBean(ChildApplication.class).started).containsExactly(childPort);
		}
	}

	@Test
	void aParentWithoutAServerKnowsThePortOfItsChild() {
		try (ConfigurableApplicationContext parent = run("--callosum.server.enabled=false");
				ConfigurableApplicationContext child = run(parent, Application.class)) {
			assertThat(property(parent)).isEqualTo(port(child));
		}
	}

	@Test
	void anotherServerOfTheApplicationDoesNotChangeTheProperty() {
		CallosumServer other = CallosumServer.builder().host("127.0.0.1").port(0).eventPublisher(this.context).build();
		other.start();
		try {
			assertThat(this.environment.getProperty("local.callosum.server.port", Integer.class))
				.isEqualTo(this.server.address().getPort());
		}
		finally {
			other.stop();
		}
	}

	@Test
	void listenersOfTheStartCanReadTheProperty() {
		try (ConfigurableApplicationContext context = run()) {
			assertThat(context.getBean(Application.class).portAtStart.get()).isEqualTo(property(context).toString());
		}
	}

	private static ConfigurableApplicationContext run(String... arguments) {
		return new SpringApplicationBuilder(Application.class).web(WebApplicationType.NONE).run(arguments(arguments));
	}

	private static ConfigurableApplicationContext run(ConfigurableApplicationContext parent, Class<?> type) {
		return new SpringApplicationBuilder(type).web(WebApplicationType.NONE)
			.parent(parent)
			.run(arguments("--callosum.server.enabled=true"));
	}

	private static String[] arguments(String... more) {
		String[] arguments = new String[more.length + 2];
		arguments[0] = "--callosum.server.host=127.0.0.1";
		arguments[1] = "--callosum.server.port=0";
		System.arraycopy(more, 0, arguments, 2, more.length);
		return arguments;
	}

	private static Integer property(ConfigurableApplicationContext context) {
		return context.getEnvironment().getRequiredProperty("local.callosum.server.port", Integer.class);
	}

	private static int port(ConfigurableApplicationContext context) {
		CallosumServer server = context.getBean(CallosumServer.class);
		assertThat(server.address()).isNotNull();
		return server.address().getPort();
	}

	@Configuration(proxyBeanMethods = false)
	@EnableAutoConfiguration
	static class Application {

		private final AtomicReference<String> portAtStart = new AtomicReference<>();

		@Autowired
		private Environment environment;

		@EventListener
		@Order(0)
		void started(ServerStartedEvent event) {
			this.portAtStart.set(this.environment.getProperty("local.callosum.server.port"));
		}

	}

	@Configuration(proxyBeanMethods = false)
	@EnableAutoConfiguration
	static class ChildApplication {

		private final List<Integer> started = new CopyOnWriteArrayList<>();

		@Bean
		CallosumServer callosumServer(CallosumServer.Builder builder) {
			return builder.build();
		}

		@EventListener
		void started(ServerStartedEvent event) {
			this.started.add(event.getServer().address().getPort());
		}

	}

}
