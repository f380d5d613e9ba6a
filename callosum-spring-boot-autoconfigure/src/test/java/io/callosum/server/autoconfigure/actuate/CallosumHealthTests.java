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

package io.callosum.server.autoconfigure.actuate;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.netty.DisposableServer;

import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.boot.health.contributor.Status;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.ApplicationContext;
import org.springframework.context.SmartLifecycle;

import io.callosum.server.CallosumServer;
import io.callosum.server.CallosumTcpServerCustomizer;
import io.callosum.server.autoconfigure.actuate.Applications.Clients;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for the health of a server.
 */
@ParameterizedClass
@ValueSource(booleans = { true, false })
class CallosumHealthTests {

	@Parameter
	boolean nativeTransport;

	@Test
	void aBoundServerIsUp() {
		runner().run((context) -> {
			try (Clients clients = new Clients()) {
				CallosumServer server = Applications.server(context);
				assertThat(health(context)).isEqualTo(Health.up()
					.withDetail("state", "running")
					.withDetail("address", "127.0.0.1:" + server.address().getPort())
					.withDetail("connections", 0)
					.build());
				assertThat(clients.slot(server)).isEqualTo(0);
				assertThat(clients.slot(server)).isEqualTo(1);
				assertThat(health(context).getDetails()).containsEntry("connections", 2)
					.containsEntry("highestSlot", 1)
					.doesNotContainKey("limit");
				clients.first().close();
				Applications.await(() -> assertThat(health(context).getDetails()).containsEntry("connections", 1)
					.containsEntry("highestSlot", 1));
			}
		});
	}

	@Test
	void aServerAtItsLimitIsUp() {
		runner().withPropertyValues("callosum.server.max-connections=1").run((context) -> {
			try (Clients clients = new Clients()) {
				assertThat(clients.slot(Applications.server(context))).isEqualTo(0);
				assertThat(clients.slot(Applications.server(context))).isEqualTo(-1);
				assertThat(health(context).getStatus()).isEqualTo(Status.UP);
				assertThat(health(context).getDetails()).containsEntry("connections", 1).containsEntry("limit", 1);
			}
		});
	}

	@Test
	void aServerThatDrainsIsOutOfService() {
		Applications.whileDraining(runner(), (context) -> {
			Applications.await(() -> assertThat(health(context).getStatus()).isEqualTo(Status.OUT_OF_SERVICE));
			assertThat(health(context).getDetails()).containsEntry("state", "stopping").containsEntry("connections", 1);
		});
	}

	@Test
	void aServerThatTheApplicationHasStoppedIsDown() {
		runner().run((context) -> {
			Applications.server(context).stop();
			assertThat(health(context))
				.isEqualTo(Health.down().withDetail("state", "stopped").withDetail("connections", 0).build());
			Applications.server(context).start();
			assertThat(health(context).getStatus()).isEqualTo(Status.UP);
		});
	}

	@Test
	void aServerThatItsContextHasStoppedIsOutOfService() {
		runner().run((context) -> {
			context.stop();
			assertThat(health(context))
				.isEqualTo(Health.outOfService().withDetail("state", "stopped").withDetail("connections", 0).build());
			context.start();
			assertThat(health(context).getStatus()).isEqualTo(Status.UP);
		});
	}

	@Test
	void aServerIsOutOfServiceBeforeAndAfterItsPhaseOfTheContext() {
		List<Status> statuses = new ArrayList<>();
		runner().withBean(OuterLifecycle.class, statuses).run((context) -> {
			assertThat(health(context).getStatus()).isEqualTo(Status.UP);
			assertThat(statuses).containsExactly(Status.OUT_OF_SERVICE);
			context.close();
			assertThat(statuses).containsExactly(Status.OUT_OF_SERVICE, Status.OUT_OF_SERVICE);
		});
	}

	@Test
	void aServerWhosePortWasClosedBehindItsBackIsDown() {
		AtomicReference<DisposableServer> listener = new AtomicReference<>();
		CallosumTcpServerCustomizer customizer = (server) -> server.doOnBound(listener::set);
		runner().withBean(CallosumTcpServerCustomizer.class, () -> customizer).run((context) -> {
			assertThat(health(context).getStatus()).isEqualTo(Status.UP);
			Applications.await(() -> assertThat(listener.get()).isNotNull());
			listener.get().disposeNow();
			assertThat(health(context).getStatus()).isEqualTo(Status.DOWN);
			assertThat(health(context).getDetails()).containsEntry("state", "failed");
			Applications.server(context).stop();
			Applications.server(context).start();
			assertThat(health(context).getStatus()).isEqualTo(Status.UP);
		});
	}

	@Test
	void thereIsNoneWhereItIsDisabled() {
		runner().withPropertyValues("management.health.callosum.enabled=false")
			.run((context) -> assertThat(context).doesNotHaveBean(HealthIndicator.class));
		runner().withPropertyValues("management.health.defaults.enabled=false")
			.run((context) -> assertThat(context).doesNotHaveBean(HealthIndicator.class));
	}

	@Test
	void thereIsNoneWithoutAServer() {
		runner().withPropertyValues("callosum.server.enabled=false")
			.run((context) -> assertThat(context).hasNotFailed().doesNotHaveBean(HealthIndicator.class));
	}

	@Test
	void thereIsNoneWithoutSpringBootsHealth() {
		runner().withClassLoader(new FilteredClassLoader(HealthIndicator.class))
			.run((context) -> assertThat(context).hasNotFailed()
				.hasSingleBean(CallosumServer.class)
				.doesNotHaveBean(CallosumHealthContributorAutoConfiguration.class));
	}

	@Test
	void oneOfTheApplicationWins() {
		HealthIndicator own = () -> Health.unknown().build();
		for (String name : new String[] { "callosumHealthIndicator", "callosumHealthContributor" }) {
			runner().withBean(name, HealthIndicator.class, () -> own)
				.run((context) -> assertThat(context).getBean(HealthIndicator.class).isSameAs(own));
		}
	}

	private ApplicationContextRunner runner() {
		return Applications.runner(CallosumHealthContributorAutoConfiguration.class)
			.withPropertyValues(Applications.transport(this.nativeTransport));
	}

	private static Health health(ApplicationContext context) {
		return context.getBean("callosumHealthIndicator", HealthIndicator.class).health();
	}

	/**
	 * Starts before the server, and stops after it.
	 */
	static class OuterLifecycle implements SmartLifecycle {

		private final List<Status> statuses;

		private final HealthIndicator indicator;

		private boolean running;

		OuterLifecycle(List<Status> statuses, HealthIndicator indicator) {
			this.statuses = statuses;
			this.indicator = indicator;
		}

		@Override
		public void start() {
			this.running = true;
			this.statuses.add(this.indicator.health().getStatus());
		}

		@Override
		public void stop() {
			this.running = false;
			this.statuses.add(this.indicator.health().getStatus());
		}

		@Override
		public boolean isRunning() {
			return this.running;
		}

		@Override
		public int getPhase() {
			return 0;
		}

	}

}
