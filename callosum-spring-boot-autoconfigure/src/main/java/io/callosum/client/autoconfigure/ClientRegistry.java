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
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Stream;

import org.jspecify.annotations.Nullable;

import org.springframework.beans.factory.DisposableBean;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.SmartLifecycle;
import org.springframework.core.env.Environment;
import org.springframework.util.Assert;

import io.callosum.client.CallosumClient;
import io.callosum.client.autoconfigure.ClientProperties.Shutdown;

/**
 * All client beans of a context. Starts them with the context and, when the context
 * stops, stops them immediately, after {@link ClientGracefulShutdownLifecycle} has let
 * leases end.
 */
final class ClientRegistry implements CallosumClients, SmartLifecycle, DisposableBean {

	/**
	 * Below the phases of the servers, which may need clients until they have drained.
	 */
	static final int PHASE = SmartLifecycle.DEFAULT_PHASE - 4096;

	private static final String GRACEFUL_SHUTDOWN_BEAN_NAME = "callosumClientGracefulShutdownLifecycle";

	private final ConfigurableListableBeanFactory beanFactory;

	private final Environment environment;

	private volatile @Nullable Map<String, CallosumClient> clients;

	private volatile boolean running;

	ClientRegistry(ConfigurableApplicationContext context) {
		this.beanFactory = context.getBeanFactory();
		this.environment = context.getEnvironment();
	}

	@Override
	public CallosumClient get(String name) {
		Map<String, CallosumClient> clients = clients();
		CallosumClient client = clients.get(name);
		client = (client != null) ? client : clients.get(ConfiguredClient.canonicalName(name));
		Assert.notNull(client, () -> "There is no Callosum client '" + name + "'. "
				+ (clients.isEmpty() ? "There are none" : "There are " + clients.keySet()) + ". " + remedy(name));
		return client;
	}

	private static String remedy(String name) {
		String prefix = name.equals(ConfiguredClient.DEFAULT_NAME) ? ConfiguredClient.PREFIX
				: ConfiguredClient.PREFIX + ".service." + name;
		return "Set '" + prefix + ".servers' or '" + prefix + ".service-id' to create it.";
	}

	@Override
	public Set<String> names() {
		return clients().keySet();
	}

	@Override
	public Stream<CallosumClient> stream() {
		return clients().values().stream();
	}

	/**
	 * Return the clients. They are looked up on first use, because the lookup creates
	 * those that are configured by properties. No lock is held during the lookup.
	 */
	private Map<String, CallosumClient> clients() {
		Map<String, CallosumClient> clients = this.clients;
		if (clients == null) {
			clients = Collections.unmodifiableMap(findClients());
			this.clients = clients;
		}
		return clients;
	}

	private Map<String, CallosumClient> findClients() {
		Map<String, String> configuredNames = new LinkedHashMap<>();
		ConfiguredClient.findAll(this.environment)
			.values()
			.forEach((client) -> configuredNames.put(client.beanName(), client.name()));
		Map<String, CallosumClient> clients = new LinkedHashMap<>();
		Map<String, String> beanNames = new LinkedHashMap<>();
		for (String beanName : this.beanFactory.getBeanNamesForType(CallosumClient.class, false, true)) {
			CallosumClient client = this.beanFactory.getBean(beanName, CallosumClient.class);
			String name = client.name();
			if (name == null) {
				// A mock
				name = configuredNames.getOrDefault(beanName, beanName);
			}
			clients.put(name, client);
			String other = beanNames.put(name, beanName);
			if (other != null) {
				throw new IllegalStateException("The Callosum clients '" + other + "' and '" + beanName
						+ "' have the same name, '" + name + "'. Give one of them another name.");
			}
		}
		return clients;
	}

	@Override
	public void start() {
		this.running = true;
		Map<String, CallosumClient> clients = clients();
		if (!clients.isEmpty() && !this.beanFactory.containsSingleton(GRACEFUL_SHUTDOWN_BEAN_NAME)) {
			// Not a bean definition: there is none in an application without a client
			this.beanFactory.registerSingleton(GRACEFUL_SHUTDOWN_BEAN_NAME,
					new ClientGracefulShutdownLifecycle(this::clientsToDrain));
		}
		clients.values().forEach(CallosumClient::start);
	}

	private Collection<CallosumClient> clientsToDrain() {
		Map<String, ConfiguredClient> configured = ConfiguredClient.findAll(this.environment);
		Predicate<String> isGraceful = (name) -> {
			ConfiguredClient client = configured.get(name);
			return client == null || client.properties().getShutdown() == Shutdown.GRACEFUL;
		};
		return clients().entrySet()
			.stream()
			.filter((entry) -> isGraceful.test(entry.getKey()))
			.map(Map.Entry::getValue)
			.toList();
	}

	@Override
	public void stop() {
		this.running = false;
		Map<String, CallosumClient> clients = this.clients;
		if (clients != null) {
			clients.values().forEach(CallosumClient::stop);
			this.beanFactory.getBeanProvider(ClientFactory.class).ifAvailable(ClientFactory::releaseLoops);
		}
	}

	/**
	 * Return {@code true} also if the application itself has started a client or has
	 * begun to stop it, so that the context waits for its end.
	 */
	@Override
	public boolean isRunning() {
		Map<String, CallosumClient> clients = this.clients;
		return this.running || (clients != null && clients.values().stream().anyMatch(CallosumClient::isRunning));
	}

	@Override
	public int getPhase() {
		return PHASE;
	}

	/**
	 * The servers of a paused context keep running and may need the clients.
	 */
	@Override
	public boolean isPauseable() {
		return false;
	}

	/**
	 * Stop clients that were started after the context had stopped, or by a start that
	 * failed halfway.
	 */
	@Override
	public void destroy() {
		if (isRunning()) {
			stop();
		}
	}

}
