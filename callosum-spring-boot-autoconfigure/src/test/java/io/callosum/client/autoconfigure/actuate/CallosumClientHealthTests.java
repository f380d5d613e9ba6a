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

package io.callosum.client.autoconfigure.actuate;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Instant;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

import org.springframework.boot.actuate.autoconfigure.endpoint.EndpointAutoConfiguration;
import org.springframework.boot.health.contributor.CompositeHealthContributor;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.HealthContributor;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.boot.health.contributor.Status;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.ApplicationContext;

import io.callosum.client.CallosumClient;
import io.callosum.client.ClientSnapshot;
import io.callosum.client.ClientSnapshot.Member;
import io.callosum.client.ClientSnapshot.Server;
import io.callosum.client.autoconfigure.TestApplications;
import io.callosum.client.autoconfigure.actuate.CallosumClientsEndpoint.ClientDescriptor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.mockito.BDDMockito.given;
import static org.mockito.Mockito.mock;

/**
 * Tests for the health of clients, and for the endpoint that shows them.
 */
class CallosumClientHealthTests {

	private static final InetSocketAddress ADDRESS = new InetSocketAddress(InetAddress.getLoopbackAddress(), 4040);

	private final ApplicationContextRunner runner = TestApplications
		.runner(CallosumClientHealthContributorAutoConfiguration.class, EndpointAutoConfiguration.class,
				CallosumClientsEndpointAutoConfiguration.class)
		.withPropertyValues("management.endpoints.jmx.exposure.include=*", "spring.jmx.enabled=true");

	@ParameterizedTest
	@MethodSource("statuses")
	void theStatusIsThatOfTheSnapshot(ClientSnapshot.State state, int connections, List<Server.State> servers,
			Status status) {
		CallosumClient client = mock(CallosumClient.class);
		Member member = new Member("c1", 3, ADDRESS, Instant.now(), false, false);
		given(client.snapshot())
			.willReturn(new ClientSnapshot("default", state, 10, 0, Collections.nCopies(connections, member),
					servers.stream().map((server) -> new Server(ADDRESS, server, 0, "refused")).toList()));
		Health health = new CallosumClientHealthIndicator(client).health();
		assertThat(health.getStatus()).isEqualTo(status);
		assertThat(health.getDetails()).containsEntry("connections", connections).containsEntry("poolSize", 10);
		if (status.equals(Status.DOWN) && !servers.isEmpty()) {
			assertThat(health.getDetails()).containsEntry("lastFailure", "127.0.0.1:4040: refused");
		}
	}

	static Stream<Arguments> statuses() {
		ClientSnapshot.State running = ClientSnapshot.State.RUNNING;
		return Stream.of(Arguments.of(running, 1, List.of(Server.State.REACHABLE), Status.UP),
				Arguments.of(running, 1, List.of(Server.State.UNREACHABLE), Status.UP),
				Arguments.of(running, 0, List.of(Server.State.UNKNOWN), Status.UNKNOWN),
				Arguments.of(running, 0, List.of(Server.State.UNREACHABLE, Server.State.REACHABLE), Status.UNKNOWN),
				Arguments.of(running, 0, List.of(Server.State.UNREACHABLE, Server.State.EJECTED), Status.DOWN),
				Arguments.of(running, 0, List.of(), Status.DOWN),
				Arguments.of(ClientSnapshot.State.STOPPING, 1, List.of(Server.State.REACHABLE), Status.OUT_OF_SERVICE),
				Arguments.of(ClientSnapshot.State.STOPPED, 0, List.of(), Status.OUT_OF_SERVICE));
	}

	@Test
	void itIsACompositeByNameAlsoForASingleClient() {
		this.runner.run((context) -> {
			TestApplications.awaitFull(context.getBean(CallosumClient.class));
			assertThat(health(context, "default").getStatus()).isEqualTo(Status.UP);
			context.stop();
			assertThat(health(context, "default").getStatus()).isEqualTo(Status.OUT_OF_SERVICE);
			context.start();
			TestApplications.await(() -> assertThat(health(context, "default").getStatus()).isEqualTo(Status.UP));
		});
		this.runner.withPropertyValues("callosum.client.service.orders.servers=127.0.0.1:1").run((context) -> {
			TestApplications.await(() -> assertThat(health(context, "default").getStatus()).isEqualTo(Status.UP));
			TestApplications.await(() -> assertThat(health(context, "orders").getStatus()).isEqualTo(Status.DOWN));
		});
	}

	@Test
	void thereIsNoneWithoutAClientOrWhereItIsDisabled() {
		this.runner.withPropertyValues("callosum.client.enabled=false")
			.run((context) -> assertThat(context).hasNotFailed().doesNotHaveBean(HealthContributor.class));
		this.runner.withPropertyValues("management.health.callosumclient.enabled=false")
			.run((context) -> assertThat(context).hasNotFailed().doesNotHaveBean(HealthContributor.class));
	}

	// The endpoint

	@Test
	void theEndpointShowsAllClientsOrOne() {
		this.runner.withPropertyValues("callosum.client.service.orders.servers=127.0.0.1:1").run((context) -> {
			CallosumClient client = context.getBean(CallosumClient.class);
			TestApplications.awaitFull(client);
			CallosumClientsEndpoint endpoint = context.getBean(CallosumClientsEndpoint.class);
			assertThat(endpoint.clients().clients()).containsOnlyKeys("default", "orders");
			assertThat(endpoint.client("unknown")).isNull();
			String server = context.getEnvironment().resolvePlaceholders("127.0.0.1:${local.callosum.server.port}");
			ClientDescriptor descriptor = endpoint.client("default");
			assertThat(descriptor).isNotNull();
			assertThat(descriptor.name()).isEqualTo("default");
			assertThat(descriptor.state()).isEqualTo(ClientSnapshot.State.RUNNING);
			assertThat(descriptor.poolSize()).isEqualTo(3);
			assertThat(descriptor.members()).extracting("slot").containsExactly(0, 1, 2);
			assertThat(descriptor.members()).allSatisfy((member) -> {
				assertThat(member.server()).isEqualTo(server);
				assertThat(member.leased()).isFalse();
			});
			assertThat(descriptor.servers()).singleElement().satisfies((shown) -> {
				assertThat(shown.address()).isEqualTo(server);
				assertThat(shown.state()).isEqualTo(Server.State.REACHABLE);
				assertThat(shown.connections()).isEqualTo(3);
			});
		});
	}

	private static Health health(ApplicationContext context, String client) {
		CompositeHealthContributor composite = context.getBean("callosumClientHealthContributor",
				CompositeHealthContributor.class);
		Health health = ((HealthIndicator) composite.getContributor(client)).health();
		assertThat(health).isNotNull();
		return health;
	}

}
