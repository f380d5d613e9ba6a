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

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;

import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.micrometer.observation.Observation;
import io.micrometer.observation.ObservationHandler;
import io.micrometer.observation.ObservationRegistry;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;

import org.springframework.boot.LazyInitializationBeanFactoryPostProcessor;
import org.springframework.boot.actuate.endpoint.annotation.Endpoint;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.ApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

import io.callosum.client.CallosumClient;
import io.callosum.client.CallosumLease;
import io.callosum.client.ServerAddress;
import io.callosum.client.autoconfigure.CallosumClients;
import io.callosum.client.autoconfigure.TestApplications;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for the meters of clients.
 */
class CallosumClientMetricsTests {

	private static final Map<String, List<String>> TAGS = Map
		.of("callosum.client.connections.active", List.of(), "callosum.client.connections.idle", List.of(),
				"callosum.client.connections.max", List.of(), "callosum.client.acquires.pending", List.of(),
				"callosum.client.slots.worst", List.of(), "callosum.client.servers",
				List.of("state=unknown", "state=reachable", "state=unreachable", "state=ejected"),
				"callosum.client.acquire.time",
				List.of("outcome=acquired", "outcome=timeout", "outcome=rejected", "outcome=cancelled",
						"outcome=stopped"),
				"callosum.client.lease.duration", List.of("outcome=released", "outcome=discarded", "outcome=lost"),
				"callosum.client.dial.time", List.of("outcome=kept", "outcome=turned-down", "outcome=failed"),
				"callosum.client.connections.closed",
				List.of("reason=replaced", "reason=peer-closed", "reason=peer-reset", "reason=discarded",
						"reason=unsolicited", "reason=unread", "reason=aged", "reason=server-removed",
						"reason=server-ejected", "reason=initializer-failed", "reason=stopped"));

	private final ApplicationContextRunner runner = TestApplications
		.runner(CallosumClientMetricsAutoConfiguration.class)
		.withBean(SimpleMeterRegistry.class);

	@Test
	void allMetersAreThereFromTheStartAndHaveNoOtherTags() {
		this.runner.withPropertyValues("callosum.client.servers=192.0.2.1", "callosum.server.enabled=false")
			.run((context) -> {
				List<Meter> meters = meters(context, "default");
				TAGS.forEach(
						(name, tags) -> assertThat(meters).filteredOn((meter) -> meter.getId().getName().equals(name))
							.extracting(CallosumClientMetricsTests::otherTags)
							.as(name)
							.containsExactlyInAnyOrderElementsOf(tags.isEmpty() ? List.of("") : tags));
				assertThat(meters).extracting((meter) -> meter.getId().getName())
					.containsOnlyOnce("callosum.client.discovery.failures")
					.hasSize(5 + 1 + TAGS.values().stream().mapToInt(List::size).sum());
			});
	}

	@Test
	void metersGoAtTheStopAndComeBackAtTheStart() {
		this.runner.run((context) -> {
			CallosumClient client = context.getBean(CallosumClient.class);
			TestApplications.awaitFull(client);
			int size = meters(context, "default").size();
			context.stop();
			assertThat(meters(context, "default")).isEmpty();
			context.start();
			assertThat(meters(context, "default")).hasSize(size);
			client.stop();
			assertThat(meters(context, "default")).isEmpty();
			client.start();
			TestApplications.awaitFull(client);
			System.gc();
			assertThat(gauge(context, "connections.idle")).isEqualTo(3);
			assertThat(gauge(context, "connections.max")).isEqualTo(3);
		});
	}

	@Test
	void numbersAreThoseOfTheClient() {
		this.runner.withPropertyValues("callosum.client.roving-interval=1h").run((context) -> {
			CallosumClient client = context.getBean(CallosumClient.class);
			MeterRegistry registry = context.getBean(MeterRegistry.class);
			TestApplications.awaitFull(client);
			CallosumLease lease = client.acquire().block(TestApplications.TIMEOUT);
			assertThat(gauge(context, "connections.active")).isEqualTo(1);
			assertThat(gauge(context, "connections.idle")).isEqualTo(2);
			assertThat(gauge(context, "slots.worst")).isEqualTo(2);
			assertThat(registry.get("callosum.client.servers").tag("state", "reachable").gauge().value()).isEqualTo(1);
			assertThat(registry.get("callosum.client.acquire.time").tag("outcome", "acquired").timer().count())
				.isEqualTo(1);
			assertThat(registry.get("callosum.client.dial.time").tag("outcome", "kept").timer().count()).isEqualTo(3);
			lease.release();
			TestApplications.await(() -> assertThat(
					registry.get("callosum.client.lease.duration").tag("outcome", "released").timer().count())
				.isEqualTo(1));
			client.acquire().block(TestApplications.TIMEOUT).discard(null);
			TestApplications.await(() -> {
				assertThat(registry.get("callosum.client.lease.duration").tag("outcome", "discarded").timer().count())
					.isEqualTo(1);
				assertThat(
						registry.get("callosum.client.connections.closed").tag("reason", "discarded").counter().count())
					.isEqualTo(1);
			});
		});
	}

	@Test
	void aSecondClientChangesNothingForTheFirst() {
		this.runner.run((context) -> {
			List<String> names = meters(context, "default").stream().map((meter) -> meter.getId().toString()).toList();
			this.runner.withPropertyValues("callosum.client.service.orders.servers=${callosum.client.servers}")
				.run((both) -> {
					assertThat(meters(both, "default").stream().map((meter) -> meter.getId().toString()))
						.containsExactlyInAnyOrderElementsOf(names);
					assertThat(meters(both, "orders")).hasSameSizeAs(names);
				});
		});
	}

	@Test
	void aClientOfTheApplicationIsMeasuredLikeTheOthers() {
		this.runner.withUserConfiguration(OwnClientConfiguration.class).run((context) -> {
			assertThat(meters(context, "own")).hasSameSizeAs(meters(context, "default"));
			context.getBean(CallosumClients.class)
				.get("own")
				.acquire(Duration.ofMillis(50))
				.onErrorComplete()
				.block(TestApplications.TIMEOUT);
			assertThat(context.getBean(MeterRegistry.class)
				.get("callosum.client.acquire.time")
				.tags("name", "own", "outcome", "timeout")
				.timer()
				.count()).isEqualTo(1);
		});
	}

	@Test
	void clientsAreMeasuredWhereBeansAreLazy() {
		this.runner
			.withInitializer(
					(context) -> context.addBeanFactoryPostProcessor(new LazyInitializationBeanFactoryPostProcessor()))
			.run((context) -> assertThat(meters(context, "default")).isNotEmpty());
	}

	@Test
	void thereAreNoneWithoutAClientOrWithoutMicrometer() {
		this.runner.withPropertyValues("callosum.client.enabled=false")
			.run((context) -> assertThat(context).hasNotFailed().doesNotHaveBean(ClientMetrics.class));
		TestApplications
			.runner(CallosumClientMetricsAutoConfiguration.class, CallosumClientObservationAutoConfiguration.class,
					CallosumClientHealthContributorAutoConfiguration.class,
					CallosumClientsEndpointAutoConfiguration.class)
			.withClassLoader(new FilteredClassLoader(MeterRegistry.class, ObservationRegistry.class,
					HealthIndicator.class, Endpoint.class))
			.run((context) -> {
				assertThat(context).hasNotFailed().doesNotHaveBean("callosumClientMetrics");
				assertThat(context.getBean(CallosumClient.class).isRunning()).isTrue();
			});
	}

	// Observations

	@Test
	void callsAreObservedWithNamesOfLowCardinality() {
		TestApplications.runner(CallosumClientObservationAutoConfiguration.class)
			.withUserConfiguration(ObservationConfiguration.class)
			.run((context) -> {
				CallosumClient client = context.getBean(CallosumClient.class);
				List<String> observed = context.getBean(ObservationConfiguration.class).observed;
				TestApplications.echo(client, "hello");
				TestApplications.await(() -> assertThat(observed)
					.containsExactly("callosum.client.operations name=default operation=exchange outcome=completed"));
				observed.clear();
				client.use((lease) -> Flux.error(new IllegalStateException("test")))
					.onErrorComplete()
					.blockLast(TestApplications.TIMEOUT);
				client.use((lease) -> Flux.just(1, 2)).take(1).blockLast(TestApplications.TIMEOUT);
				client
					.execute((lease) -> context.getBean(ObservationRegistry.class).getCurrentObservation().toString());
				TestApplications.await(() -> assertThat(observed).containsExactlyInAnyOrder(
						"callosum.client.operations name=default operation=use outcome=failed IllegalStateException",
						"callosum.client.operations name=default operation=use outcome=cancelled",
						"callosum.client.operations name=default operation=execute outcome=completed"));
				assertThat(context.getBean(ObservationRegistry.class).getCurrentObservation()).isNull();
			});
	}

	private static List<Meter> meters(ApplicationContext context, String client) {
		return context.getBean(MeterRegistry.class)
			.getMeters()
			.stream()
			.filter((meter) -> meter.getId().getName().startsWith("callosum.client.")
					&& client.equals(meter.getId().getTag("name")))
			.toList();
	}

	private static String otherTags(Meter meter) {
		return meter.getId()
			.getTags()
			.stream()
			.filter((tag) -> !tag.getKey().equals("name"))
			.map((Tag tag) -> tag.getKey() + "=" + tag.getValue())
			.collect(Collectors.joining(" "));
	}

	private static double gauge(ApplicationContext context, String name) {
		return context.getBean(MeterRegistry.class).get("callosum.client." + name).gauge().value();
	}

	@Configuration(proxyBeanMethods = false)
	static class OwnClientConfiguration {

		@Bean(defaultCandidate = false)
		CallosumClient own() {
			return CallosumClient.builder().name("own").servers(ServerAddress.of("127.0.0.1:1")).build();
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class ObservationConfiguration {

		private final List<String> observed = new CopyOnWriteArrayList<>();

		@Bean
		ObservationRegistry observationRegistry() {
			ObservationRegistry registry = ObservationRegistry.create();
			registry.observationConfig().observationHandler(new ObservationHandler<>() {

				@Override
				public void onStop(Observation.Context context) {
					StringBuilder text = new StringBuilder(String.valueOf(context.getName()));
					context.getLowCardinalityKeyValues()
						.forEach((keyValue) -> text.append(' ')
							.append(keyValue.getKey())
							.append('=')
							.append(keyValue.getValue()));
					if (context.getError() != null) {
						text.append(' ').append(context.getError().getClass().getSimpleName());
					}
					ObservationConfiguration.this.observed.add(text.toString());
				}

				@Override
				public boolean supportsContext(Observation.Context context) {
					return true;
				}

			});
			return registry;
		}

	}

}
