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

import org.aopalliance.intercept.MethodInterceptor;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.mockito.AdditionalAnswers;
import org.mockito.Mockito;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Mono;

import org.springframework.aop.framework.autoproxy.DefaultAdvisorAutoProxyCreator;
import org.springframework.aop.support.AopUtils;
import org.springframework.aop.support.NameMatchMethodPointcut;
import org.springframework.aop.support.DefaultPointcutAdvisor;
import org.springframework.beans.factory.config.BeanPostProcessor;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.test.context.assertj.AssertableApplicationContext;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Lazy;
import org.springframework.context.event.EventListener;

import io.callosum.server.CallosumConnection;
import io.callosum.server.CallosumServer;
import io.callosum.server.ConnectionHandler;
import io.callosum.server.LowestSlotAllocator;
import io.callosum.server.SlotAllocator;
import io.callosum.server.SlotFreeEvent;
import io.callosum.server.TestClient;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for proxies and spies of the server and the allocator.
 *
 * @author The Callosum authors
 */
class ProxyTests {

	private final ApplicationContextRunner runner = new ApplicationContextRunner()
		.withConfiguration(AutoConfigurations.of(CallosumServerAutoConfiguration.class))
		.withPropertyValues("callosum.server.host=127.0.0.1", "callosum.server.port=0");

	@Test
	void aHandlerMayHaveTheServerInjectedLazily() {
		this.runner.withUserConfiguration(HandlerThatNeedsTheServer.class).run((context) -> {
			assertThat(context).hasNotFailed();
			try (TestClient client = connect(context)) {
				assertThat(client.readSlot()).isZero();
				assertThat(client.readLine()).isEqualToIgnoringNewLines("1 open");
			}
		});
	}

	@Test
	void anAspectMayAdviseTheAllocatorAndTheServer() {
		this.runner.withUserConfiguration(Aspects.class).run((context) -> {
			assertThat(context).hasNotFailed();
			assertThat(AopUtils.isCglibProxy(context.getBean(LowestSlotAllocator.class))).isTrue();
			assertThat(AopUtils.isCglibProxy(context.getBean(CallosumServer.class))).isTrue();
			List<String> calls = context.getBean(Aspects.class).calls;
			serveAndRestart(context);
			assertThat(calls).containsSubsequence("start", "allocate", "release", "stop", "start");
		});
	}

	@Test
	void aSpyOfTheServerIsTheServerThatListenersAreTold() {
		this.runner.withBean(Spies.class).withBean(Servers.class).run((context) -> {
			assertThat(context).hasNotFailed();
			serveAndRestart(context);
			Mockito.verify(context.getBean(CallosumServer.class), Mockito.times(2)).start();
			Mockito.verify(context.getBean(SlotAllocator.class), Mockito.times(2)).release(0);
			assertThat(context.getBean(Servers.class).running).isNotEmpty().doesNotContain(false);
		});
	}

	private static void serveAndRestart(AssertableApplicationContext context) throws Exception {
		CallosumServer server = context.getBean(CallosumServer.class);
		for (int i = 0; i < 2; i++) {
			assertThat(server.isRunning()).isTrue();
			try (TestClient client = connect(context)) {
				assertThat(client.readSlot()).isZero();
				assertThat(server.connections()).hasSize(1);
			}
			Awaitility.await().until(() -> server.connections().isEmpty());
			if (i == 0) {
				server.stop();
				assertThat(server.address()).isNull();
				server.start();
			}
		}
	}

	private static TestClient connect(AssertableApplicationContext context) {
		return new TestClient(context.getBean(CallosumServer.class).address().getPort());
	}

	@Configuration(proxyBeanMethods = false)
	static class HandlerThatNeedsTheServer {

		@Bean
		ConnectionHandler handler(@Lazy CallosumServer server) {
			return new ConnectionHandler() {

				@Override
				public Publisher<Void> handle(CallosumConnection connection) {
					return connection.outbound().sendString(Mono.just(server.connections().size() + " open\r\n"));
				}

			};
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class Aspects {

		private final List<String> calls = new CopyOnWriteArrayList<>();

		@Bean
		static DefaultAdvisorAutoProxyCreator autoProxyCreator() {
			DefaultAdvisorAutoProxyCreator creator = new DefaultAdvisorAutoProxyCreator();
			creator.setProxyTargetClass(true);
			return creator;
		}

		@Bean
		DefaultPointcutAdvisor record() {
			NameMatchMethodPointcut pointcut = new NameMatchMethodPointcut();
			pointcut.setMappedNames("allocate", "release", "start", "stop");
			pointcut.setClassFilter(
					(type) -> type == CallosumServer.class || LowestSlotAllocator.class.isAssignableFrom(type));
			return new DefaultPointcutAdvisor(pointcut, (MethodInterceptor) (invocation) -> {
				this.calls.add(invocation.getMethod().getName());
				return invocation.proceed();
			});
		}

	}

	/**
	 * Works like {@code @MockitoSpyBean}.
	 */
	static class Spies implements BeanPostProcessor {

		@Override
		public Object postProcessAfterInitialization(Object bean, String beanName) {
			if (bean instanceof SlotAllocator) {
				// Not a spy, because it changes the class for all tests of this JVM, and
				// others measure what it allocates. Not another mock maker either,
				// because Mockito's assertions do not allow two in one JVM
				return Mockito.mock(SlotAllocator.class, AdditionalAnswers.delegatesTo(bean));
			}
			return (bean instanceof CallosumServer) ? Mockito.spy(bean) : bean;
		}

	}

	static class Servers {

		private final List<Boolean> running = new CopyOnWriteArrayList<>();

		@EventListener
		void freed(SlotFreeEvent event) {
			this.running.add(event.getServer().isRunning());
		}

	}

}
