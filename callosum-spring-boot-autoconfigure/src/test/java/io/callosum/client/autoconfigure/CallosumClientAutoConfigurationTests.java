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
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import reactor.netty.resources.LoopResources;
import reactor.netty.tcp.TcpClient;

import org.springframework.beans.factory.annotation.Qualifier;
import org.springframework.boot.LazyInitializationBeanFactoryPostProcessor;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.autoconfigure.ssl.SslAutoConfiguration;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.context.ApplicationContext;
import org.springframework.context.Lifecycle;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.annotation.Order;

import io.callosum.client.BuilderView;
import io.callosum.client.CallosumClient;
import io.callosum.client.ServerAddress;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

/**
 * Tests for {@link CallosumClientAutoConfiguration}.
 *
 * @author The Callosum authors
 */
@ExtendWith(OutputCaptureExtension.class)
class CallosumClientAutoConfigurationTests {

	private final ApplicationContextRunner runner = new ApplicationContextRunner()
		.withConfiguration(AutoConfigurations.of(CallosumClientAutoConfiguration.class, SslAutoConfiguration.class));

	/**
	 * Wait, because an event loop may still log a failure while the client stops, which
	 * would appear in the output of the next test.
	 */
	@AfterEach
	void awaitTheEndOfTheEventLoops() {
		TestApplications.await(() -> assertThat(Thread.getAllStackTraces().keySet()).extracting(Thread::getName)
			.noneMatch((name) -> name.startsWith("callosum-client")));
	}

	// Which clients there are

	@Test
	void thereIsNothingButAnEmptyRegistryWithoutAnAddress(CapturedOutput output) {
		Set<Thread> before = Thread.getAllStackTraces().keySet();
		this.runner.withPropertyValues("callosum.client.pool-size=3").run((context) -> {
			assertThat(context).hasSingleBean(CallosumClients.class).doesNotHaveBean(CallosumClient.class);
			CallosumClients clients = context.getBean(CallosumClients.class);
			assertThat(clients.names()).isEmpty();
			assertThat(clients.stream()).isEmpty();
			assertThatIllegalArgumentException().isThrownBy(() -> clients.get("default"))
				.withMessageContaining("callosum.client.servers");
			assertThat(beansOfThisPackage(context)).containsExactly("callosumClients");
			assertThat(Thread.getAllStackTraces().keySet()).filteredOn((thread) -> !before.contains(thread))
				.extracting(Thread::getName)
				.noneMatch((name) -> name.contains("callosum") || name.contains("parallel"));
			assertThat(output.getAll()).doesNotContain("callosum");
		});
	}

	@Test
	void theDefaultClientIsPrimary() {
		this.runner
			.withPropertyValues("callosum.client.servers=127.0.0.1", "callosum.client.service.orders.servers=127.0.0.1",
					"callosum.client.service.order-api.servers=127.0.0.1")
			.withUserConfiguration(InjectionConfiguration.class)
			.run((context) -> {
				assertThat(context.getBeanNamesForType(CallosumClient.class))
					.containsExactlyInAnyOrder("callosumClient", "ordersCallosumClient", "orderapiCallosumClient");
				assertThat(context.getBean(CallosumClient.class)).isSameAs(context.getBean("callosumClient"));
				assertThat(context.getBean(InjectionConfiguration.class).byType.name()).isEqualTo("default");
				assertThat(context.getBean(InjectionConfiguration.class).qualified.name()).isEqualTo("orders");
				CallosumClients clients = context.getBean(CallosumClients.class);
				assertThat(clients.names()).containsExactlyInAnyOrder("default", "orders", "orderapi");
				assertThat(clients.get("default")).isSameAs(context.getBean("callosumClient"));
				assertThat(clients.get("orderapi")).isSameAs(context.getBean("orderapiCallosumClient"));
				assertThat(clients.get("order-api")).isSameAs(clients.get("orderapi"));
				assertThat(clients.stream()).allMatch(CallosumClient::isRunning);
			});
	}

	@Test
	void aSingleNamedClientIsInjectedByType() {
		this.runner.withPropertyValues("callosum.client.service.orders.servers=127.0.0.1")
			.run((context) -> assertThat(context.getBean(CallosumClient.class).name()).isEqualTo("orders"));
	}

	@Test
	void anUnknownNameIsAnsweredWithThoseThatExist() {
		this.runner
			.withPropertyValues("callosum.client.servers=127.0.0.1", "callosum.client.service.orders.servers=127.0.0.1")
			.run((context) -> assertThatIllegalArgumentException()
				.isThrownBy(() -> context.getBean(CallosumClients.class).get("stock"))
				.withMessageContainingAll("'stock'", "[default, orders]", "callosum.client.service.stock.servers"));
	}

	@Test
	void thereIsNoClientWhereTheyAreDisabled() {
		this.runner
			.withPropertyValues("callosum.client.enabled=false", "callosum.client.servers=127.0.0.1",
					"callosum.client.service.orders.servers=127.0.0.1")
			.run((context) -> {
				assertThat(context).hasNotFailed().doesNotHaveBean(CallosumClient.class);
				assertThat(context.getBean(CallosumClients.class).names()).isEmpty();
			});
	}

	@Test
	void nothingIsThereWithoutReactorNetty() {
		this.runner.withClassLoader(new FilteredClassLoader(TcpClient.class))
			.run((context) -> assertThat(context).hasNotFailed().doesNotHaveBean(CallosumClients.class));
	}

	// Clients of the application

	@Test
	void aClientOfTheApplicationReplacesTheDefaultOne() {
		this.runner.withPropertyValues("callosum.client.servers=127.0.0.1")
			.withBean("mine", CallosumClient.class, () -> client("own"))
			.run((context) -> {
				assertThat(context).hasSingleBean(CallosumClient.class);
				assertThat(context.getBean(CallosumClients.class).get("own")).isSameAs(context.getBean("mine"));
				assertThat(context.getBean(CallosumClients.class).names()).containsExactly("own");
			});
	}

	@Test
	void aClientOfTheApplicationMayHaveTheNameOfTheBean() {
		this.runner.withPropertyValues("callosum.client.servers=127.0.0.1")
			.withBean("callosumClient", CallosumClient.class, () -> client("own"))
			.run((context) -> assertThat(context.getBean(CallosumClients.class).names()).containsExactly("own"));
	}

	@Test
	void aClientOfTheApplicationThatIsNoDefaultCandidateIsOneMore() {
		this.runner
			.withPropertyValues("callosum.client.servers=127.0.0.1", "callosum.client.service.orders.servers=127.0.0.1")
			.withUserConfiguration(FurtherClientConfiguration.class)
			.run((context) -> {
				assertThat(context.getBean(CallosumClient.class).name()).isEqualTo("default");
				assertThat(context.getBean(CallosumClients.class).names()).containsExactlyInAnyOrder("default",
						"orders", "Further One");
				assertThat(context.getBean(CallosumClients.class).get("Further One").isRunning()).isTrue();
			});
	}

	@Test
	void aClientOfTheApplicationStartsAndStopsWithTheContextAlsoWithoutProperties() {
		this.runner.withBean("mine", CallosumClient.class, () -> client("own")).run((context) -> {
			CallosumClient client = context.getBean(CallosumClient.class);
			assertThat(client.isRunning()).isTrue();
			context.stop();
			assertThat(client.isRunning()).isFalse();
			context.start();
			assertThat(client.isRunning()).isTrue();
			context.close();
			assertThat(client.isRunning()).isFalse();
		});
	}

	@Test
	void twoClientsOfOneNameStopTheStart() {
		this.runner.withPropertyValues("callosum.client.service.orders.servers=127.0.0.1")
			.withBean("mine", CallosumClient.class, () -> client("orders"))
			.run((context) -> assertThat(context).getFailure()
				.rootCause()
				.hasMessageContainingAll("'mine'", "'ordersCallosumClient'", "'orders'"));
	}

	// What a client is configured with

	@Test
	void everyPropertyReachesTheClient() {
		this.runner.withUserConfiguration(CaptureConfiguration.class)
			.withPropertyValues("callosum.client.servers=127.0.0.1", "callosum.client.dns.min-ttl=3s",
					"callosum.client.dns.max-ttl=4s", "callosum.client.pool-size=5",
					"callosum.client.fill-concurrency=6", "callosum.client.roving-interval=7s",
					"callosum.client.spread=false", "callosum.client.lease-policy=balanced",
					"callosum.client.connect-timeout=8s", "callosum.client.slot-timeout=9s",
					"callosum.client.acquire-timeout=10s", "callosum.client.max-pending-acquires=0",
					"callosum.client.ejection.failures=12", "callosum.client.ejection.min-time=13s",
					"callosum.client.ejection.max-time=14s", "callosum.client.ejection.max-percent=15",
					"callosum.client.max-age=16s", "callosum.client.leak-detection-threshold=17s",
					"callosum.client.keep-alive.idle=18s", "callosum.client.keep-alive.interval=19s",
					"callosum.client.keep-alive.count=20", "callosum.client.native-transport=false")
			.run((context) -> {
				Map<String, Object> settings = context.getBean(CaptureConfiguration.class).settings("default");
				assertThat(settings).containsEntry("name", "default")
					.containsEntry("poolSize", 5)
					.containsEntry("fillConcurrency", 6)
					.containsEntry("rovingInterval", Duration.ofSeconds(7))
					.containsEntry("spread", false)
					.containsEntry("connectTimeout", Duration.ofSeconds(8))
					.containsEntry("slotTimeout", Duration.ofSeconds(9))
					.containsEntry("acquireTimeout", Duration.ofSeconds(10))
					.containsEntry("maxPendingAcquires", 0)
					.containsEntry("maxAge", Duration.ofSeconds(16))
					.containsEntry("leakDetectionThreshold", Duration.ofSeconds(17))
					.containsEntry("nativeTransport", false)
					.containsEntry("minTimeToLive", Duration.ofSeconds(3))
					.containsEntry("maxTimeToLive", Duration.ofSeconds(4))
					.containsEntry("eventPublisher", context.getSourceApplicationContext());
				assertThat(settings.get("leasePolicy")).hasToString("BALANCED");
				assertThat(settings.get("ejection"))
					.hasToString("Ejection[failures=12, minTime=PT13S, maxTime=PT14S, maxPercent=15]");
				assertThat(settings.get("keepAlive")).hasToString("KeepAlive[idle=PT18S, interval=PT19S, count=20]");
			});
	}

	@Test
	void thePropertiesHaveTheDefaultsOfTheBuilder() {
		this.runner.withUserConfiguration(CaptureConfiguration.class)
			.withPropertyValues("callosum.client.servers=127.0.0.1")
			.run((context) -> assertThat(context.getBean(CaptureConfiguration.class).settings("default"))
				.usingRecursiveComparison()
				.ignoringFields("servers", "eventPublisher", "metricsRecorder", "loopResources")
				.isEqualTo(BuilderView.settings(CallosumClient.builder().servers(ServerAddress.of("127.0.0.1")))));
	}

	@Test
	void switchesTurnThingsOff() {
		this.runner.withUserConfiguration(CaptureConfiguration.class)
			.withPropertyValues("callosum.client.servers=127.0.0.1", "callosum.client.ejection.enabled=false",
					"callosum.client.keep-alive.enabled=false")
			.run((context) -> assertThat(context.getBean(CaptureConfiguration.class).settings("default"))
				.containsEntry("ejection", null)
				.containsEntry("keepAlive", null));
	}

	@Test
	void customizersComeInOrderAfterTheProperties() {
		this.runner.withUserConfiguration(CaptureConfiguration.class, CustomizerConfiguration.class)
			.withPropertyValues("callosum.client.servers=127.0.0.1", "callosum.client.pool-size=5",
					"callosum.client.fill-concurrency=6", "callosum.client.service.orders.servers=127.0.0.1",
					"callosum.client.service.orders.fill-concurrency=7")
			.run((context) -> {
				assertThat(context.getBean(CustomizerConfiguration.class).calls)
					.containsExactlyInAnyOrder("first default", "second default", "first orders", "second orders");
				CaptureConfiguration captured = context.getBean(CaptureConfiguration.class);
				assertThat(captured.settings("default")).containsEntry("poolSize", 2)
					.containsEntry("fillConcurrency", 6);
				assertThat(captured.settings("orders")).containsEntry("poolSize", 2)
					.containsEntry("fillConcurrency", 7);
				assertThat(context.getBean(CallosumClients.class).names()).containsExactlyInAnyOrder("default",
						"orders");
			});
	}

	@Test
	void allClientsShareTheirEventLoops() {
		this.runner.withUserConfiguration(CaptureConfiguration.class)
			.withPropertyValues("callosum.client.servers=127.0.0.1", "callosum.client.service.orders.servers=127.0.0.1")
			.run((context) -> {
				CaptureConfiguration captured = context.getBean(CaptureConfiguration.class);
				assertThat(captured.settings("default").get("loopResources")).isNotNull()
					.isSameAs(captured.settings("orders").get("loopResources"));
			});
	}

	@Test
	void loopResourcesOfTheApplicationAreUsed() {
		LoopResources loops = LoopResources.create("callosum-client-application", 1, true);
		try {
			this.runner.withUserConfiguration(CaptureConfiguration.class)
				.withBean(LoopResources.class, () -> loops)
				.withPropertyValues("callosum.client.servers=127.0.0.1")
				.run((context) -> {
					assertThat(context.getBean(CaptureConfiguration.class).settings("default"))
						.containsEntry("loopResources", loops);
					context.stop();
					assertThat(loops.isDisposed()).isFalse();
				});
		}
		finally {
			loops.dispose();
		}
	}

	@Test
	void theConnectionDetailsComeFromTheProperties() {
		this.runner
			.withPropertyValues("callosum.client.servers=a,b:1", "callosum.client.service.orders.servers=${late}")
			.run((context) -> {
				assertThat(context).hasSingleBean(CallosumClientConnectionDetails.class);
				CallosumClientConnectionDetails details = context.getBean(CallosumClientConnectionDetails.class);
				assertThat(details.getServers("default")).containsExactly(ServerAddress.of("a:4040"),
						ServerAddress.of("b:1"));
				assertThat(details.getSslBundle("default")).isNull();
				assertThatIllegalArgumentException().isThrownBy(() -> details.getServers("orders"))
					.withMessageContaining("late");
			});
	}

	@Test
	void connectionDetailsOfTheApplicationAreTheOnlyOnes() {
		CallosumClientConnectionDetails details = (name) -> List.of(ServerAddress.of(name));
		this.runner.withPropertyValues("callosum.client.servers=127.0.0.1")
			.withBean(CallosumClientConnectionDetails.class, () -> details)
			.run((context) -> assertThat(context).getBean(CallosumClientConnectionDetails.class).isSameAs(details));
	}

	// The context

	@Test
	void clientsStartWhereBeansAreLazy() {
		this.runner.withPropertyValues("callosum.client.servers=127.0.0.1")
			.withInitializer(
					(context) -> context.addBeanFactoryPostProcessor(new LazyInitializationBeanFactoryPostProcessor()))
			.run((context) -> assertThat(context.getBean(CallosumClient.class).isRunning()).isTrue());
	}

	@Test
	void clientsStopAfterTheServers() {
		this.runner.withPropertyValues("callosum.client.servers=127.0.0.1").run((context) -> {
			int webServers = Integer.MAX_VALUE - 2048;
			assertThat(context.getBean(ClientRegistry.class).getPhase()).isLessThan(webServers);
			assertThat(context.getBean("callosumClientGracefulShutdownLifecycle", ClientGracefulShutdownLifecycle.class)
				.getPhase()).isLessThan(webServers).isGreaterThan(context.getBean(ClientRegistry.class).getPhase());
		});
	}

	@Test
	void aChildContextSharesTheClientsOfItsParentAndLeavesThemRunningAtItsEnd() {
		ApplicationContextRunner runner = this.runner.withPropertyValues("callosum.client.servers=127.0.0.1",
				"callosum.client.service.orders.servers=127.0.0.1");
		runner.run((parent) -> runner.withParent(parent).run((child) -> {
			assertThat(child.getBean(CallosumClients.class)).isSameAs(parent.getBean(CallosumClients.class));
			assertThat(child.getBean(CallosumClient.class)).isSameAs(parent.getBean(CallosumClient.class));
			assertThat(child.getBeanNamesForType(CallosumClient.class)).isEmpty();
			child.stop();
			child.close();
			assertThat(parent.getBean(CallosumClients.class).stream()).allMatch(CallosumClient::isRunning);
		}));
	}

	@Test
	void aPauseOfTheContextLeavesTheClientsAlone() {
		this.runner.withPropertyValues("callosum.client.servers=127.0.0.1").run((context) -> {
			context.pause();
			assertThat(context.getBean(CallosumClient.class).isRunning()).isTrue();
			context.restart();
		});
	}

	private static List<String> beansOfThisPackage(ApplicationContext context) {
		List<String> names = new ArrayList<>();
		context.getBeansOfType(Object.class).forEach((name, bean) -> {
			if (bean.getClass().getPackage().equals(CallosumClients.class.getPackage())
					&& !bean.getClass().getName().matches(".*(AutoConfiguration|ConfiguredClientBeans\\$.*)")) {
				names.add(name);
			}
		});
		context.getBeansOfType(Lifecycle.class).forEach((name, bean) -> {
			if (name.contains("allosum") && !names.contains(name)) {
				names.add(name);
			}
		});
		return names;
	}

	private static CallosumClient client(String name) {
		return CallosumClient.builder().name(name).servers(ServerAddress.of("127.0.0.1")).build();
	}

	@Configuration(proxyBeanMethods = false)
	static class InjectionConfiguration {

		private final CallosumClient byType;

		private final CallosumClient qualified;

		InjectionConfiguration(CallosumClient byType, @Qualifier("ordersCallosumClient") CallosumClient qualified) {
			this.byType = byType;
			this.qualified = qualified;
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class FurtherClientConfiguration {

		@Bean(defaultCandidate = false)
		CallosumClient further() {
			return client("Further One");
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class CaptureConfiguration {

		private final Map<String, CallosumClient.Builder> builders = new ConcurrentHashMap<>();

		@Bean
		@Order(Integer.MAX_VALUE)
		CallosumClientCustomizer capture() {
			return this.builders::put;
		}

		Map<String, Object> settings(String name) {
			return BuilderView.settings(this.builders.get(name));
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class CustomizerConfiguration {

		private final List<String> calls = new CopyOnWriteArrayList<>();

		@Bean
		@Order(2)
		CallosumClientCustomizer second() {
			return (name, builder) -> {
				this.calls.add("second " + name);
				builder.poolSize(2).name("renamed");
			};
		}

		@Bean
		@Order(1)
		CallosumClientCustomizer first() {
			return (name, builder) -> {
				this.calls.add("first " + name);
				builder.poolSize(1);
			};
		}

	}

}
