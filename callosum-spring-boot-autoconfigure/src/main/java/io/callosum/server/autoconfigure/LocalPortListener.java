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

import java.net.InetSocketAddress;
import java.util.HashMap;
import java.util.Map;

import org.springframework.context.ApplicationContext;
import org.springframework.context.ApplicationListener;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.core.Ordered;
import org.springframework.core.env.ConfigurableEnvironment;
import org.springframework.core.env.MapPropertySource;
import org.springframework.core.env.MutablePropertySources;
import org.springframework.core.env.PropertySource;

import io.callosum.server.CallosumServer;
import io.callosum.server.ServerStartedEvent;

/**
 * Sets {@value #PROPERTY_NAME} to the port of this context's server at each start.
 */
final class LocalPortListener implements ApplicationListener<ServerStartedEvent>, Ordered {

	static final String PROPERTY_NAME = "local.callosum.server.port";

	/**
	 * The property source in which Spring Boot puts the ports of its own servers.
	 */
	private static final String PROPERTY_SOURCE_NAME = "server.ports";

	private final CallosumServer server;

	private final ConfigurableApplicationContext context;

	LocalPortListener(CallosumServer server, ConfigurableApplicationContext context) {
		this.server = server;
		this.context = context;
	}

	@Override
	public void onApplicationEvent(ServerStartedEvent event) {
		update();
	}

	/**
	 * Set the property to the port of this context's server, if that is listening, no
	 * matter which server has started.
	 */
	void update() {
		InetSocketAddress address = this.server.address();
		if (address == null) {
			return;
		}
		ApplicationContext context = this.context;
		while (context != null) {
			if (context.getEnvironment() instanceof ConfigurableEnvironment environment) {
				setPort(environment.getPropertySources(), address.getPort());
			}
			context = context.getParent();
		}
	}

	@SuppressWarnings("unchecked")
	private static void setPort(MutablePropertySources sources, int port) {
		PropertySource<?> source = sources.get(PROPERTY_SOURCE_NAME);
		if (source == null) {
			source = new MapPropertySource(PROPERTY_SOURCE_NAME, new HashMap<>());
			sources.addFirst(source);
		}
		((Map<String, Object>) source.getSource()).put(PROPERTY_NAME, port);
	}

	/**
	 * Before the listeners of the application.
	 */
	@Override
	public int getOrder() {
		return HIGHEST_PRECEDENCE;
	}

	/**
	 * The port must be known when the start of the server returns, even if listeners run
	 * on an executor by default.
	 */
	@Override
	public boolean supportsAsyncExecution() {
		return false;
	}

}
