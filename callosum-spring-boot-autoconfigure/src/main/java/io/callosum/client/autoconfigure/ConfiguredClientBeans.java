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

import java.util.Collection;

import org.springframework.beans.factory.BeanRegistrar;
import org.springframework.beans.factory.BeanRegistry;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.core.env.Environment;

import io.callosum.client.CallosumClient;

/**
 * The beans of the clients that are configured by properties; none if there is no such
 * client. They are registered by {@link BeanRegistrar}s, which are called again when an
 * application that was processed ahead of time runs: its environment is not known before.
 */
final class ConfiguredClientBeans {

	private ConfiguredClientBeans() {
	}

	private static void registerClient(BeanRegistry registry, ConfiguredClient client) {
		registry.registerBean(client.beanName(), CallosumClient.class, (spec) -> {
			spec.supplier((context) -> context.bean(ClientFactory.class).create(client.name()));
			if (client.isDefault()) {
				spec.primary();
			}
		});
	}

	@Configuration(proxyBeanMethods = false)
	@ConditionalOnMissingBean(CallosumClient.class)
	@Import(DefaultClientRegistrar.class)
	static class DefaultClient {

	}

	/**
	 * Not in a child context, which shares the clients of its parent.
	 */
	@Configuration(proxyBeanMethods = false)
	@ConditionalOnMissingBean(ClientFactory.class)
	@Import(NamedClientsRegistrar.class)
	static class NamedClients {

	}

	@Configuration(proxyBeanMethods = false)
	@ConditionalOnMissingBean(CallosumClientConnectionDetails.class)
	@Import(ConnectionDetailsRegistrar.class)
	static class ConnectionDetails {

	}

	static final class DefaultClientRegistrar implements BeanRegistrar {

		@Override
		public void register(BeanRegistry registry, Environment environment) {
			ConfiguredClient client = ConfiguredClient.findAll(environment).get(ConfiguredClient.DEFAULT_NAME);
			if (client != null && client.isDefault()) {
				registerClient(registry, client);
			}
		}

	}

	static final class NamedClientsRegistrar implements BeanRegistrar {

		@Override
		public void register(BeanRegistry registry, Environment environment) {
			Collection<ConfiguredClient> clients = ConfiguredClient.findAll(environment).values();
			if (!clients.isEmpty()) {
				registry.registerBean("callosumClientFactory", ClientFactory.class,
						(spec) -> spec.infrastructure().supplier((context) -> new ClientFactory()));
			}
			clients.stream()
				.filter((client) -> !client.isDefault())
				.forEach((client) -> registerClient(registry, client));
		}

	}

	static final class ConnectionDetailsRegistrar implements BeanRegistrar {

		@Override
		public void register(BeanRegistry registry, Environment environment) {
			if (!ConfiguredClient.findAll(environment).isEmpty()) {
				registry.registerBean("callosumClientConnectionDetails",
						PropertiesCallosumClientConnectionDetails.class,
						(spec) -> spec.supplier((context) -> context.bean(ClientFactory.class).connectionDetails()));
			}
		}

	}

}
