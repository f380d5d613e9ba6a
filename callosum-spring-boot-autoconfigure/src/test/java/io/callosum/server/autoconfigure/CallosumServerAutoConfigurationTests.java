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

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.netty.resources.LoopResources;
import reactor.netty.tcp.TcpServer;

import org.springframework.boot.LazyInitializationBeanFactoryPostProcessor;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.autoconfigure.condition.ConditionEvaluationReport;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.ApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.event.EventListener;
import org.springframework.core.annotation.Order;

import io.callosum.server.CallosumServer;
import io.callosum.server.CallosumServerEvent;
import io.callosum.server.CallosumTcpServerCustomizer;
import io.callosum.server.ConnectionEvent;
import io.callosum.server.ConnectionHandler;
import io.callosum.server.LowestSlotAllocator;
import io.callosum.server.ServerStartedEvent;
import io.callosum.server.SlotAllocator;
import io.callosum.server.SlotFreeEvent;
import io.callosum.server.SlotRequest;
import io.callosum.server.SlotRequestEvent;
import io.callosum.server.TestClient;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for {@link CallosumServerAutoConfiguration}.
 *
 * @author The Callosum authors
 */
class CallosumServerAutoConfigurationTests {

	private final ApplicationContextRunner runner = new ApplicationContextRunner()
		.withConfiguration(AutoConfigurations.of(CallosumServerAutoConfiguration.class))
		.withPropertyValues("callosum.server.host=127.0.0.1", "callosum.server.port=0");

	@Test
	void aServerRunsOnceTheContextHasBeenRefreshed() {
		this.runner.run((context) -> {
			assertThat(context).hasSingleBean(CallosumServer.class).hasSingleBean(LowestSlotAllocator.class);
			assertThat(context.getBean(CallosumServer.class).isRunning()).isTrue();
			try (TestClient client = connect(context)) {
				assertThat(client.readSlot()).isZero();
				try (TestClient other = connect(context)) {
					assertThat(other.readSlot()).isEqualTo(1);
				}
			}
		});
	}

	@Test
	void nothingIsThereWhenDisabled() {
		this.runner.withPropertyValues("callosum.server.enabled=false")
			.run((context) -> assertThat(context).hasNotFailed()
				.doesNotHaveBean(CallosumServer.class)
				.doesNotHaveBean(CallosumServer.Builder.class)
				.doesNotHaveBean(SlotAllocator.class)
				.doesNotHaveBean(ServerStartStopLifecycle.class)
				.doesNotHaveBean(ServerGracefulShutdownLifecycle.class)
				.doesNotHaveBean(LocalPortListener.class)
				.doesNotHaveBean(CallosumServerProperties.class));
	}

	@ParameterizedTest
	@CsvSource({ "callosum.server.enabled=true, is true", "callosum.server.enabled=false, is false",
			"callosum.server.port=0, is not set" })
	void theConditionReportSaysWhetherThePropertyIsSet(String property, String state) {
		this.runner.withPropertyValues(property)
			.run((context) -> assertThat(ConditionEvaluationReport.get(context.getBeanFactory())
				.getConditionAndOutcomesBySource()
				.get(CallosumServerAutoConfiguration.class.getName()))
				.anySatisfy((condition) -> assertThat(condition.getOutcome().getMessage())
					.endsWith("callosum.server.enabled " + state)));
	}

	@Test
	void nothingIsThereWithoutReactorNetty() {
		this.runner.withClassLoader(new FilteredClassLoader(TcpServer.class))
			.run((context) -> assertThat(context).hasNotFailed()
				.doesNotHaveBean(CallosumServerAutoConfiguration.class)
				.doesNotHaveBean(ServerStartStopLifecycle.class));
	}

	@ParameterizedTest
	@ValueSource(booleans = { true, false })
	void theTransportIsTheOneThatIsConfigured(boolean nativeTransport) {
		assertThat(Epoll.isAvailable()).as("these tests cover epoll").isTrue();
		List<Class<?>> channelTypes = new CopyOnWriteArrayList<>();
		this.runner.withPropertyValues("callosum.server.native-transport=" + nativeTransport)
			.withBean(CallosumTcpServerCustomizer.class,
					() -> (server) -> server
						.doOnBound((disposable) -> channelTypes.add(disposable.channel().getClass())))
			.run((context) -> Awaitility.await()
				.atMost(Duration.ofSeconds(30))
				.untilAsserted(() -> assertThat(channelTypes)
					.containsExactly(nativeTransport ? EpollServerSocketChannel.class : NioServerSocketChannel.class)));
	}

	@Test
	void aSlotAllocatorOfTheApplicationWins() {
		this.runner.withBean(SlotAllocator.class, () -> new FixedSlotAllocator(13)).run((context) -> {
			assertThat(context).doesNotHaveBean(LowestSlotAllocator.class);
			try (TestClient client = connect(context)) {
				assertThat(client.readSlot()).isEqualTo(13);
			}
		});
	}

	@Test
	void aLowestSlotAllocatorOfTheApplicationWins() {
		this.runner.withBean("mine", LowestSlotAllocator.class, () -> new LowestSlotAllocator(1)).run((context) -> {
			assertThat(context).hasSingleBean(SlotAllocator.class);
			try (TestClient client = connect(context)) {
				assertThat(client.readSlot()).isZero();
				try (TestClient other = connect(context)) {
					assertThat(other.isRefused()).isTrue();
				}
			}
		});
	}

	@Test
	void aConnectionHandlerOfTheApplicationOwnsTheBytes() {
		this.runner.withUserConfiguration(EchoConfiguration.class).run((context) -> {
			try (TestClient client = connect(context)) {
				assertThat(client.readSlot()).isZero();
				client.send("hello\n");
				assertThat(client.readLine()).isEqualToIgnoringNewLines("hello");
			}
		});
	}

	@Test
	void loopResourcesOfTheApplicationAreUsedAndOutliveTheServer() {
		this.runner.withUserConfiguration(LoopConfiguration.class).run((context) -> {
			LoopResources loops = context.getBean(LoopResources.class);
			try (TestClient client = connect(context)) {
				assertThat(client.readSlot()).isZero();
				assertThat(context.getBean(ThreadRecorder.class).threads).singleElement()
					.asString()
					.startsWith("application-loop");
			}
			context.stop();
			assertThat(loops.isDisposed()).isFalse();
			context.start();
			try (TestClient client = connect(context)) {
				assertThat(client.readSlot()).isZero();
			}
		});
	}

	@Test
	void aServerOfTheApplicationWinsAndLivesWithTheContext() {
		this.runner.withUserConfiguration(OwnServerConfiguration.class).run((context) -> {
			assertThat(context).hasSingleBean(CallosumServer.class);
			CallosumServer server = context.getBean(CallosumServer.class);
			assertThat(server).isSameAs(context.getBean("mine"));
			assertThat(server.isRunning()).isTrue();
			assertThat(context.getEnvironment().getProperty("local.callosum.server.port", Integer.class))
				.isEqualTo(port(context));
			try (TestClient client = connect(context)) {
				assertThat(client.readSlot()).isEqualTo(7);
				context.close();
				assertThat(client.isRefused()).isTrue();
			}
			assertThat(server.isRunning()).isFalse();
		});
	}

	@Test
	void aServerBuiltByTheApplicationFromTheBuilderKeepsPropertiesAndCustomizers() {
		this.runner.withUserConfiguration(RebuiltServerConfiguration.class, CustomizerConfiguration.class)
			.withPropertyValues("callosum.server.max-connections=1")
			.run((context) -> {
				assertThat(context.getBean(CustomizerConfiguration.class).calls).containsExactly("first", "second");
				try (TestClient client = connect(context)) {
					assertThat(client.readSlot()).isEqualTo(7);
					try (TestClient other = connect(context)) {
						assertThat(other.isRefused()).isTrue();
					}
				}
			});
	}

	@Test
	void eachInjectedBuilderIsANewOneThatCarriesTheProperties() {
		this.runner.withPropertyValues("callosum.server.max-connections=1").run((context) -> {
			CallosumServer.Builder changed = context.getBean(CallosumServer.Builder.class);
			changed.maxConnections(5).port(1);
			CallosumServer.Builder builder = context.getBean(CallosumServer.Builder.class);
			assertThat(builder).isNotSameAs(changed);
			CallosumServer server = builder.slotAllocator(new LowestSlotAllocator()).build();
			server.start();
			try (TestClient client = new TestClient(port(server))) {
				assertThat(client.readSlot()).isZero();
				try (TestClient other = new TestClient(port(server))) {
					assertThat(other.isRefused()).isTrue();
				}
			}
			finally {
				server.stop();
			}
		});
	}

	@Test
	void aBuilderOfTheApplicationWins() {
		this.runner
			.withBean("mine", CallosumServer.Builder.class,
					() -> CallosumServer.builder().host("127.0.0.1").port(0).slotAllocator(new FixedSlotAllocator(9)))
			.run((context) -> {
				assertThat(context).hasSingleBean(CallosumServer.Builder.class);
				try (TestClient client = connect(context)) {
					assertThat(client.readSlot()).isEqualTo(9);
				}
			});
	}

	@Test
	void customizersApplyInOrder() {
		this.runner.withUserConfiguration(CustomizerConfiguration.class)
			.run((context) -> assertThat(context.getBean(CustomizerConfiguration.class).calls).containsExactly("first",
					"second"));
	}

	@Test
	void listenersHearOfEveryStepOfAConnection() {
		this.runner.withBean(EventRecorder.class).run((context) -> {
			EventRecorder recorder = context.getBean(EventRecorder.class);
			try (TestClient client = connect(context)) {
				assertThat(client.readSlot()).isZero();
			}
			context.close();
			assertThat(recorder.types).startsWith(ServerStartedEvent.class)
				.containsSubsequence(SlotRequestEvent.class, ConnectionEvent.class, SlotFreeEvent.class);
		});
	}

	@Test
	void theServerStartsWhereBeansAreLazy() {
		this.runner
			.withInitializer(
					(context) -> context.addBeanFactoryPostProcessor(new LazyInitializationBeanFactoryPostProcessor()))
			.withBean(EventRecorder.class)
			.run((context) -> {
				assertThat(context.getBean(CallosumServer.class).isRunning()).isTrue();
				assertThat(context.getEnvironment().getProperty("local.callosum.server.port", Integer.class))
					.isEqualTo(port(context));
				assertThat(context.getBean(EventRecorder.class).types).startsWith(ServerStartedEvent.class);
			});
	}

	@Test
	void aTimeoutOfThousandsOfYearsIsAsGoodAsNone() {
		this.runner
			.withPropertyValues("callosum.server.slot-timeout=1000000d",
					"callosum.server.shutdown-quiet-period=1000000d", "callosum.server.shutdown=immediate")
			.run((context) -> {
				try (TestClient client = connect(context)) {
					assertThat(client.readSlot()).isZero();
				}
			});
	}

	@Test
	void aChildContextSharesTheServerOfItsParentAndLeavesItRunningAtItsEnd() {
		this.runner.run((parent) -> this.runner.withParent(parent).run((child) -> {
			CallosumServer server = parent.getBean(CallosumServer.class);
			assertThat(child.getBean(CallosumServer.class)).isSameAs(server);
			child.stop();
			child.close();
			assertThat(server.isRunning()).isTrue();
		}));
	}

	private static TestClient connect(ApplicationContext context) {
		return new TestClient(port(context));
	}

	private static int port(ApplicationContext context) {
		return port(context.getBean(CallosumServer.class));
	}

	private static int port(CallosumServer server) {
		assertThat(server.address()).isNotNull();
		return server.address().getPort();
	}

	@Configuration(proxyBeanMethods = false)
	static class EchoConfiguration {

		@Bean
		ConnectionHandler echo() {
			return (connection) -> connection.outbound().send(connection.inbound().receive().retain());
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class LoopConfiguration {

		@Bean(destroyMethod = "dispose")
		LoopResources applicationLoops() {
			return LoopResources.create("application-loop", 1, true);
		}

		@Bean
		ThreadRecorder threadRecorder() {
			return new ThreadRecorder();
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class OwnServerConfiguration {

		@Bean
		CallosumServer mine() {
			return CallosumServer.builder().host("127.0.0.1").port(0).slotAllocator(new FixedSlotAllocator(7)).build();
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class RebuiltServerConfiguration {

		@Bean
		CallosumServer mine(CallosumServer.Builder builder) {
			return builder.slotAllocator(new FixedSlotAllocator(7)).build();
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class CustomizerConfiguration {

		private final List<String> calls = new CopyOnWriteArrayList<>();

		@Bean
		@Order(2)
		CallosumTcpServerCustomizer second() {
			return record("second");
		}

		@Bean
		@Order(1)
		CallosumTcpServerCustomizer first() {
			return record("first");
		}

		private CallosumTcpServerCustomizer record(String call) {
			return (server) -> {
				this.calls.add(call);
				return server;
			};
		}

	}

	static class EventRecorder {

		private final List<Class<?>> types = new CopyOnWriteArrayList<>();

		@EventListener
		void record(CallosumServerEvent event) {
			this.types.add(event.getClass());
		}

	}

	static class ThreadRecorder {

		private final List<String> threads = new CopyOnWriteArrayList<>();

		@EventListener
		void record(SlotRequestEvent event) {
			this.threads.add(Thread.currentThread().getName());
		}

	}

	/**
	 * Has one slot.
	 */
	static class FixedSlotAllocator implements SlotAllocator {

		private final int slot;

		FixedSlotAllocator(int slot) {
			this.slot = slot;
		}

		@Override
		public int allocate(SlotRequest request) {
			return this.slot;
		}

		@Override
		public void release(int slot) {
		}

	}

}
