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

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

import org.aopalliance.intercept.MethodInterceptor;
import org.junit.jupiter.api.Test;

import org.springframework.aop.framework.autoproxy.DefaultAdvisorAutoProxyCreator;
import org.springframework.aop.support.AopUtils;
import org.springframework.aop.support.DefaultPointcutAdvisor;
import org.springframework.aop.support.NameMatchMethodPointcut;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Lazy;

import io.callosum.client.CallosumClient;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for proxies of a client.
 *
 * @author The Callosum authors
 */
class ClientProxyTests {

	@Test
	void aBeanMayHaveAClientInjectedLazily() {
		TestApplications.runner().withBean(LazyUser.class).run((context) -> {
			assertThat(context).hasNotFailed();
			CallosumClient client = context.getBean(LazyUser.class).client;
			assertThat(AopUtils.isCglibProxy(client)).isTrue();
			assertThat(TestApplications.echo(client, "hello")).isEqualTo("hello");
		});
	}

	@Test
	void anAspectMayAdviseAClient() {
		TestApplications.runner().withUserConfiguration(Aspect.class).run((context) -> {
			assertThat(context).hasNotFailed();
			CallosumClient client = context.getBean(CallosumClient.class);
			assertThat(AopUtils.isCglibProxy(client)).isTrue();
			assertThat(client.isRunning()).isTrue();
			assertThat(TestApplications.echo(client, "hello")).isEqualTo("hello");
			assertThat(context.getBean(Aspect.class).calls).containsSubsequence("start", "exchange");
		});
	}

	static class LazyUser {

		private final CallosumClient client;

		LazyUser(@Lazy CallosumClient client) {
			this.client = client;
		}

	}

	@Configuration(proxyBeanMethods = false)
	static class Aspect {

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
			pointcut.setMappedNames("start", "exchange");
			pointcut.setClassFilter((type) -> type == CallosumClient.class);
			return new DefaultPointcutAdvisor(pointcut, (MethodInterceptor) (invocation) -> {
				this.calls.add(invocation.getMethod().getName());
				return invocation.proceed();
			});
		}

	}

}
