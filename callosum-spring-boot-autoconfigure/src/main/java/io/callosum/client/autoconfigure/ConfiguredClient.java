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

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

import org.jspecify.annotations.Nullable;

import org.springframework.boot.context.properties.bind.BindHandler;
import org.springframework.boot.context.properties.bind.Bindable;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.ConfigurationPropertyName;
import org.springframework.boot.context.properties.source.ConfigurationPropertyName.Form;
import org.springframework.boot.context.properties.source.ConfigurationPropertySources;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;
import org.springframework.boot.context.properties.source.IterableConfigurationPropertySource;
import org.springframework.boot.context.properties.source.MutuallyExclusiveConfigurationPropertiesException;
import org.springframework.core.env.Environment;
import org.springframework.util.StringUtils;

import io.callosum.autoconfigure.EmptyPropertyBindHandlerAdvisor;

/**
 * A client that is configured by properties.
 *
 * @param name the name of the client
 * @param prefix the prefix of its own properties
 * @param properties the properties, including inherited ones
 */
record ConfiguredClient(String name, String prefix, ClientProperties properties) {

	static final String DEFAULT_NAME = "default";

	static final String PREFIX = "callosum.client";

	private static final String ENABLED = PREFIX + ".enabled";

	private static final ConfigurationPropertyName SERVICE = ConfigurationPropertyName.of(PREFIX + ".service");

	private static final BindHandler NO_EMPTY_VALUES = new EmptyPropertyBindHandlerAdvisor().apply(BindHandler.DEFAULT);

	/**
	 * Return the clients that have an address.
	 * @param environment the environment to bind
	 * @return the clients by name, the default one first
	 */
	static Map<String, ConfiguredClient> findAll(Environment environment) {
		Map<String, ConfiguredClient> clients = new LinkedHashMap<>();
		Binder binder = Binder.get(environment);
		if (binder.bind(ENABLED, Bindable.of(Boolean.class), NO_EMPTY_VALUES).orElse(true)) {
			add(clients, new ConfiguredClient(DEFAULT_NAME, PREFIX, bind(binder, null)));
			serviceNames(environment).forEach((name, property) -> add(clients,
					new ConfiguredClient(name, property.toString(), bind(binder, property))));
		}
		return clients;
	}

	/**
	 * Return the names under {@code callosum.client.service}, including those of clients
	 * without an address: the canonical form of each name and its spelling, with dashes
	 * if any source has them. They are not found by binding a map, because not everything
	 * there is a client: for a Kubernetes service called {@code callosum-client}, the
	 * environment has {@code CALLOSUM_CLIENT_SERVICE_HOST} and
	 * {@code CALLOSUM_CLIENT_SERVICE_PORT}.
	 */
	static Map<String, ConfigurationPropertyName> serviceNames(Environment environment) {
		Map<String, ConfigurationPropertyName> names = new TreeMap<>();
		Set<String> values = new HashSet<>();
		int length = SERVICE.getNumberOfElements() + 1;
		ConfigurationPropertySources.get(environment).forEach((source) -> {
			if (source instanceof IterableConfigurationPropertySource iterable) {
				iterable.stream().filter(SERVICE::isAncestorOf).forEach((property) -> {
					ConfigurationPropertyName name = property.chop(length);
					String canonicalName = canonicalName(name.getLastElement(Form.ORIGINAL));
					if (property.getNumberOfElements() == length) {
						values.add(canonicalName);
					}
					names.merge(canonicalName, name, ConfiguredClient::longest);
				});
			}
		});
		names.keySet().removeAll(values);
		return names;
	}

	private static ConfigurationPropertyName longest(ConfigurationPropertyName one, ConfigurationPropertyName other) {
		return (one.toString().length() >= other.toString().length()) ? one : other;
	}

	/**
	 * Return a name in the form that environment variables use, so that a variable and
	 * another property refer to the same client.
	 */
	static String canonicalName(String name) {
		return name.replaceAll("[^\\p{Alnum}]", "").toLowerCase(Locale.ROOT);
	}

	private static ClientProperties bind(Binder binder, @Nullable ConfigurationPropertyName name) {
		ClientProperties properties = new ClientProperties();
		Bindable<ClientProperties> target = Bindable.ofInstance(properties);
		binder.bind(PREFIX, target, NO_EMPTY_VALUES);
		if (name != null) {
			properties.setServers(new ArrayList<>());
			properties.setServiceId(null);
			binder.bind(name, target, NO_EMPTY_VALUES);
		}
		return properties;
	}

	private static void add(Map<String, ConfiguredClient> clients, ConfiguredClient client) {
		ClientProperties properties = client.properties;
		boolean servers = !properties.getServers().isEmpty();
		boolean serviceId = StringUtils.hasText(properties.getServiceId());
		if (servers && serviceId) {
			throw new MutuallyExclusiveConfigurationPropertiesException(
					Set.of(client.prefix + ".servers", client.prefix + ".service-id"),
					Set.of(client.prefix + ".servers", client.prefix + ".service-id"));
		}
		if ((servers || serviceId) && clients.putIfAbsent(client.name, client) != null) {
			throw new InvalidConfigurationPropertyValueException(client.prefix, client.name,
					"This is the name of the client of '" + PREFIX + "'. Choose another one.");
		}
	}

	boolean isDefault() {
		return this.prefix.equals(PREFIX);
	}

	String beanName() {
		return beanName(this.name);
	}

	static String beanName(String name) {
		return name.equals(DEFAULT_NAME) ? "callosumClient" : name + "CallosumClient";
	}

	/**
	 * Return the full name of the property that a value comes from.
	 * @param environment the environment that was bound
	 * @param key the name without the prefix
	 */
	String key(Environment environment, String key) {
		String own = this.prefix + "." + key;
		boolean inherited = !isDefault() && !Binder.get(environment).bind(own, Object.class).isBound();
		return inherited ? PREFIX + "." + key : own;
	}

}
