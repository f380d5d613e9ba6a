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

import java.net.InetSocketAddress;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import reactor.core.publisher.Flux;
import reactor.core.scheduler.Schedulers;

import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.cloud.client.DefaultServiceInstance;
import org.springframework.cloud.client.ServiceInstance;
import org.springframework.cloud.client.discovery.DiscoveryClient;
import org.springframework.cloud.client.discovery.ReactiveDiscoveryClient;
import org.springframework.cloud.client.discovery.event.HeartbeatEvent;
import org.springframework.cloud.client.discovery.simple.InstanceProperties;
import org.springframework.cloud.client.discovery.simple.reactive.SimpleReactiveDiscoveryClient;
import org.springframework.cloud.client.discovery.simple.reactive.SimpleReactiveDiscoveryProperties;
import org.springframework.context.ApplicationContext;

import io.callosum.client.CallosumClient;
import io.callosum.client.CallosumClientMetricsRecorder;
import io.callosum.client.ClientSnapshot;
import io.callosum.server.CallosumServer;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for clients whose servers are discovered by Spring Cloud.
 */
class SpringCloudDiscoveryTests {

	private final CallosumServer server = CallosumServer.builder()
		.host("127.0.0.1")
		.port(0)
		.connectionHandler((connection) -> connection.outbound().send(connection.inbound().receive().retain()))
		.build();

	private final AtomicInteger failures = new AtomicInteger();

	private final CountDownLatch end = new CountDownLatch(1);

	private volatile Supplier<List<ServiceInstance>> answer = List::of;

	@AfterEach
	void end() {
		this.end.countDown();
		this.server.stop();
	}

	@Test
	void theInstancesOfTheReactiveClientAreTheServers() {
		this.server.start();
		InstanceProperties instance = new InstanceProperties();
		instance.setServiceId("orders");
		instance.setHost("127.0.0.1");
		instance.setPort(this.server.address().getPort());
		SimpleReactiveDiscoveryProperties properties = new SimpleReactiveDiscoveryProperties();
		properties.setInstances(Map.of("orders", List.of(instance)));
		runner().withBean(ReactiveDiscoveryClient.class, () -> new SimpleReactiveDiscoveryClient(properties))
			.withBean(DiscoveryClient.class, () -> {
				throw new IllegalStateException("The reactive client comes first");
			}, (definition) -> definition.setLazyInit(true))
			.run((context) -> assertThat(TestApplications.echo(context.getBean(CallosumClient.class), "hello"))
				.isEqualTo("hello"));
	}

	@Test
	void thePortIsThatOfTheMetadataElseOfThePropertyElseOfTheInstance() {
		DefaultServiceInstance plain = new DefaultServiceInstance("1", "orders", "127.0.0.1", 1, false);
		DefaultServiceInstance withMetadata = new DefaultServiceInstance("2", "orders", "127.0.0.2", 1, false,
				Map.of("callosum-port", "2"));
		DefaultServiceInstance invalid = new DefaultServiceInstance("3", "orders", "127.0.0.3", 1, false,
				Map.of("callosum-port", "none"));
		this.answer = () -> List.of(plain, withMetadata, invalid);
		Discovery.REACTIVE.addTo(runner(), this).run((context) -> awaitServers(context, "127.0.0.1:1", "127.0.0.2:2"));
		Discovery.REACTIVE.addTo(runner(), this)
			.withPropertyValues("callosum.client.service-port=3")
			.run((context) -> awaitServers(context, "127.0.0.1:3", "127.0.0.2:2"));
	}

	@ParameterizedTest
	@EnumSource
	void aFailureAnEmptyAnswerAndSilenceKeepTheLastList(Discovery discovery) {
		discovery.addTo(runner(), this).withPropertyValues("callosum.client.discovery-interval=50ms").run((context) -> {
			this.answer = () -> List.of(instance(1), instance(2));
			awaitServers(context, "127.0.0.1:1", "127.0.0.1:2");
			this.answer = () -> {
				throw new IllegalStateException("test");
			};
			awaitFailures(2);
			awaitServers(context, "127.0.0.1:1", "127.0.0.1:2");
			this.answer = List::of;
			awaitFailures(2);
			awaitServers(context, "127.0.0.1:1", "127.0.0.1:2");
			this.answer = () -> {
				try {
					this.end.await();
				}
				catch (InterruptedException ex) {
					Thread.currentThread().interrupt();
				}
				return List.of();
			};
			awaitFailures(2);
			awaitServers(context, "127.0.0.1:1", "127.0.0.1:2");
			this.answer = () -> List.of(instance(2), instance(3));
			this.end.countDown();
			awaitServers(context, "127.0.0.1:2", "127.0.0.1:3");
		});
	}

	@Test
	void anApplicationStartsWhileTheDiscoveryClientHangs() {
		this.answer = () -> {
			try {
				this.end.await();
			}
			catch (InterruptedException ex) {
				Thread.currentThread().interrupt();
			}
			return List.of(instance(1));
		};
		Discovery.BLOCKING.addTo(runner(), this)
			.withPropertyValues("callosum.client.discovery-interval=100ms")
			.run((context) -> {
				assertThat(context.getBean(CallosumClient.class).snapshot().servers()).isEmpty();
				this.end.countDown();
				awaitServers(context, "127.0.0.1:1");
			});
	}

	@ParameterizedTest
	@EnumSource
	void aHeartbeatIsAReasonToAskAtOnce(Discovery discovery) {
		this.answer = () -> List.of(instance(1));
		discovery.addTo(runner(), this).withPropertyValues("callosum.client.discovery-interval=1h").run((context) -> {
			awaitServers(context, "127.0.0.1:1");
			this.answer = () -> List.of(instance(2));
			context.publishEvent(new HeartbeatEvent(this, 1L));
			awaitServers(context, "127.0.0.1:2");
		});
	}

	@Test
	void aBlockingClientIsAskedOnAnotherThread() {
		AtomicInteger onEventLoop = new AtomicInteger();
		this.answer = () -> {
			if (Schedulers.isInNonBlockingThread()) {
				onEventLoop.incrementAndGet();
			}
			return List.of(instance(1));
		};
		Discovery.BLOCKING.addTo(runner(), this).run((context) -> awaitServers(context, "127.0.0.1:1"));
		assertThat(onEventLoop).hasValue(0);
	}

	private ApplicationContextRunner runner() {
		CallosumClientMetricsRecorder recorder = new CallosumClientMetricsRecorder() {

			@Override
			public void discoveryFailed() {
				SpringCloudDiscoveryTests.this.failures.incrementAndGet();
			}

		};
		return new ApplicationContextRunner()
			.withConfiguration(AutoConfigurations.of(CallosumClientAutoConfiguration.class))
			.withBean(CallosumClientCustomizer.class, () -> (name, builder) -> builder.metricsRecorder(recorder))
			.withPropertyValues("callosum.client.service-id=orders", "callosum.client.acquire-timeout=30s");
	}

	private void awaitFailures(int more) {
		int before = this.failures.get();
		TestApplications.await(() -> assertThat(this.failures.get()).isGreaterThanOrEqualTo(before + more));
	}

	private static void awaitServers(ApplicationContext context, String... servers) {
		CallosumClient client = context.getBean(CallosumClient.class);
		TestApplications.await(() -> assertThat(client.snapshot().servers()).extracting(ClientSnapshot.Server::address)
			.extracting((InetSocketAddress address) -> address.getAddress().getHostAddress() + ":" + address.getPort())
			.containsExactlyInAnyOrder(servers));
	}

	private static ServiceInstance instance(int port) {
		return new DefaultServiceInstance("i" + port, "orders", "127.0.0.1", port, false);
	}

	private List<ServiceInstance> answer(String serviceId) {
		assertThat(serviceId).isEqualTo("orders");
		return this.answer.get();
	}

	enum Discovery {

		REACTIVE {

			@Override
			ApplicationContextRunner addTo(ApplicationContextRunner runner, SpringCloudDiscoveryTests test) {
				return runner.withBean(ReactiveDiscoveryClient.class, () -> new ReactiveDiscoveryClient() {

					@Override
					public String description() {
						return "test";
					}

					@Override
					public Flux<ServiceInstance> getInstances(String serviceId) {
						return Flux.defer(() -> Flux.fromIterable(test.answer(serviceId)))
							.subscribeOn(Schedulers.boundedElastic());
					}

					@Override
					public Flux<String> getServices() {
						return Flux.empty();
					}

				});
			}

		},

		BLOCKING {

			@Override
			ApplicationContextRunner addTo(ApplicationContextRunner runner, SpringCloudDiscoveryTests test) {
				return runner.withBean(DiscoveryClient.class, () -> new DiscoveryClient() {

					@Override
					public String description() {
						return "test";
					}

					@Override
					public List<ServiceInstance> getInstances(String serviceId) {
						return test.answer(serviceId);
					}

					@Override
					public List<String> getServices() {
						return List.of();
					}

				});
			}

		};

		abstract ApplicationContextRunner addTo(ApplicationContextRunner runner, SpringCloudDiscoveryTests test);

	}

}
