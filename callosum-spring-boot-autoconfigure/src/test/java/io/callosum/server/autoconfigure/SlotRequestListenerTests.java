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

import java.util.concurrent.CountDownLatch;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import org.springframework.boot.Banner;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.test.context.assertj.AssertableApplicationContext;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.context.ApplicationEvent;
import org.springframework.context.ApplicationListener;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Lazy;
import org.springframework.context.event.ApplicationEventMulticaster;
import org.springframework.context.event.EventListener;
import org.springframework.context.event.SimpleApplicationEventMulticaster;
import org.springframework.core.ResolvableType;
import org.springframework.core.task.SimpleAsyncTaskExecutor;
import org.springframework.core.task.SyncTaskExecutor;
import org.springframework.scheduling.annotation.Async;
import org.springframework.scheduling.annotation.EnableAsync;
import org.springframework.scheduling.support.TaskUtils;

import io.callosum.server.CallosumServer;
import io.callosum.server.CallosumServerEvent;
import io.callosum.server.ConnectionEvent;
import io.callosum.server.SlotRequestEvent;
import io.callosum.server.TestClient;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatException;

/**
 * Tests for listeners that decide about slots in applications that do not call listeners
 * as usual.
 *
 * @author The Callosum authors
 */
@ExtendWith(OutputCaptureExtension.class)
class SlotRequestListenerTests {

	private final ApplicationContextRunner runner = new ApplicationContextRunner()
		.withConfiguration(AutoConfigurations.of(CallosumServerAutoConfiguration.class))
		.withPropertyValues("callosum.server.host=127.0.0.1", "callosum.server.port=0");

	@ParameterizedTest
	@ValueSource(classes = { AsynchronousMulticaster.class, OwnAsynchronousMulticaster.class })
	void aListenerThatAnotherThreadCallsStopsTheStart(Class<?> multicaster) {
		this.runner.withUserConfiguration(multicaster, Gate.class)
			.run((context) -> assertFailed(context, "The listener method 'decide' of the bean '",
					"'applicationEventMulticaster'", "calls listeners on another thread"));
	}

	@Test
	void aListenerWhoseExceptionsAreSwallowedStopsTheStart() {
		this.runner.withUserConfiguration(SwallowingMulticaster.class, Gate.class)
			.run((context) -> assertFailed(context, "swallows exceptions thrown by listeners"));
	}

	@ParameterizedTest
	@ValueSource(classes = { GateBean.class, LazyGateBean.class, AllServerEvents.class })
	void everyKindOfListenerIsFound(Class<?> listener) {
		this.runner.withUserConfiguration(AsynchronousMulticaster.class, listener)
			.run((context) -> assertFailed(context, "'gate'", "calls listeners on another thread"));
	}

	@Test
	void aMulticasterAndListenersOfTheParentAreLookedAtToo() {
		try (ConfigurableApplicationContext parent = new AnnotationConfigApplicationContext(
				AsynchronousMulticaster.class, Gate.class)) {
			this.runner.withParent(parent).run((context) -> assertFailed(context, "calls listeners on another thread"));
		}
	}

	@ParameterizedTest
	@ValueSource(classes = { SynchronousMulticaster.class, Object.class })
	void aListenerThatIsCalledAsUsualDecides(Class<?> multicaster) {
		this.runner.withUserConfiguration(multicaster, Gate.class).run((context) -> {
			assertThat(context).hasNotFailed();
			try (TestClient client = new TestClient(context.getBean(CallosumServer.class).address().getPort())) {
				assertThat(client.readSlot()).isEqualTo(7);
			}
		});
	}

	@ParameterizedTest
	@ValueSource(classes = { OtherListener.class, AnyListener.class, SynchronousGate.class })
	void listenersThatDoNotDecideOrAreCalledHereAreNoProblem(Class<?> listener) {
		this.runner.withUserConfiguration(AsynchronousMulticaster.class, listener)
			.run((context) -> assertThat(context).hasNotFailed());
	}

	@Test
	void anAsyncListenerStopsTheStartWhereAsyncIsEnabled() {
		this.runner.withUserConfiguration(AsyncGate.class).run((context) -> assertThat(context).hasNotFailed());
		this.runner.withUserConfiguration(EnableAsyncConfiguration.class, AsyncGate.class)
			.run((context) -> assertFailed(context, "'decide'", "because of @Async"));
	}

	@Test
	void theRemedyIsPrinted(CapturedOutput output) {
		assertThatException()
			.isThrownBy(() -> new SpringApplicationBuilder(Application.class).bannerMode(Banner.Mode.OFF)
				.web(WebApplicationType.NONE)
				.registerShutdownHook(false)
				.run("--callosum.server.port=0"));
		assertThat(output.getAll()).contains("APPLICATION FAILED TO START", "Remove the task executor")
			.doesNotContain("\tat io.callosum", "Callosum server started");
	}

	private static void assertFailed(AssertableApplicationContext context, String... texts) {
		assertThat(context).hasFailed();
		assertThat(context.getStartupFailure()).rootCause()
			.isInstanceOf(SlotRequestListenerException.class)
			.message()
			.contains(texts);
	}

	@Configuration(proxyBeanMethods = false)
	@EnableAutoConfiguration
	static class Application {

		@Bean
		ApplicationEventMulticaster applicationEventMulticaster() {
			return new AsynchronousMulticaster().applicationEventMulticaster();
		}

		@EventListener
		void decide(SlotRequestEvent event) {
			event.assign(7);
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class AsynchronousMulticaster {

		@Bean
		ApplicationEventMulticaster applicationEventMulticaster() {
			SimpleApplicationEventMulticaster multicaster = new SimpleApplicationEventMulticaster();
			multicaster.setTaskExecutor(new SimpleAsyncTaskExecutor());
			return multicaster;
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class OwnAsynchronousMulticaster {

		@Bean
		ApplicationEventMulticaster applicationEventMulticaster() {
			return new SimpleApplicationEventMulticaster() {

				@Override
				public void multicastEvent(ApplicationEvent event, @Nullable ResolvableType type) {
					CountDownLatch done = new CountDownLatch(1);
					new Thread(() -> {
						try {
							super.multicastEvent(event, type);
						}
						finally {
							done.countDown();
						}
					}).start();
					try {
						done.await();
					}
					catch (InterruptedException ex) {
						Thread.currentThread().interrupt();
					}
				}

			};
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class SwallowingMulticaster {

		@Bean
		ApplicationEventMulticaster applicationEventMulticaster() {
			SimpleApplicationEventMulticaster multicaster = new SimpleApplicationEventMulticaster();
			multicaster.setErrorHandler(TaskUtils.LOG_AND_SUPPRESS_ERROR_HANDLER);
			return multicaster;
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class SynchronousMulticaster {

		@Bean
		ApplicationEventMulticaster applicationEventMulticaster() {
			SimpleApplicationEventMulticaster multicaster = new SimpleApplicationEventMulticaster();
			multicaster.setTaskExecutor(new SyncTaskExecutor());
			multicaster.setErrorHandler(TaskUtils.LOG_AND_PROPAGATE_ERROR_HANDLER);
			return multicaster;
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class EnableAsyncConfiguration {

		@Configuration(proxyBeanMethods = false)
		@EnableAsync
		static class Enabled {

		}

	}

	static class Gate {

		@EventListener
		void decide(SlotRequestEvent event) {
			event.assign(7);
		}

	}

	static class AsyncGate {

		@Async
		@EventListener
		void decide(SlotRequestEvent event) {
			event.assign(7);
		}

	}

	static class OtherListener {

		@EventListener
		void connected(ConnectionEvent event) {
		}

	}

	static class AnyListener {

		@EventListener
		void any(ApplicationEvent event) {
		}

		@EventListener
		void anything(Object event) {
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class GateBean {

		@Bean
		GateListener gate() {
			return new GateListener(true);
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class LazyGateBean {

		@Bean
		@Lazy
		GateListener gate() {
			return new GateListener(true);
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class SynchronousGate {

		@Bean
		GateListener gate() {
			return new GateListener(false);
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class AllServerEvents {

		@Bean
		ApplicationListener<CallosumServerEvent> gate() {
			return new ApplicationListener<>() {

				@Override
				public void onApplicationEvent(CallosumServerEvent event) {
				}

			};
		}

	}

	static class GateListener implements ApplicationListener<SlotRequestEvent> {

		private final boolean supportsAsync;

		GateListener(boolean supportsAsync) {
			this.supportsAsync = supportsAsync;
		}

		@Override
		public void onApplicationEvent(SlotRequestEvent event) {
			event.assign(7);
		}

		@Override
		public boolean supportsAsyncExecution() {
			return this.supportsAsync;
		}

	}

}
