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
import java.util.Optional;

import org.reactivestreams.Publisher;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;
import org.springframework.core.env.Environment;
import org.springframework.util.StringUtils;

import io.callosum.client.ServerAddress;

/**
 * The addresses in the properties of a client. A placeholder that cannot be resolved when
 * the client is created, such as the port of a server that has not started yet, is
 * resolved when the client runs.
 */
final class ConfiguredServers {

	/**
	 * How often placeholders are resolved again: a restarted test server has another
	 * port.
	 */
	private static final Duration INTERVAL = Duration.ofMillis(100);

	/**
	 * How long a placeholder may remain unresolved before that is an error.
	 */
	private static final Duration PATIENCE = Duration.ofSeconds(5);

	private final ConfiguredClient client;

	private final Environment environment;

	ConfiguredServers(ConfiguredClient client, Environment environment) {
		this.client = client;
		this.environment = environment;
	}

	/**
	 * Return a publisher that emits the addresses, and emits them again when they change.
	 * @throws InvalidConfigurationPropertyValueException if an address without a
	 * placeholder is invalid
	 */
	Publisher<List<ServerAddress>> addresses() {
		List<String> servers = this.client.properties().getServers();
		servers.stream().filter((server) -> !hasPlaceholder(server)).forEach(this::parse);
		if (servers.stream().noneMatch(ConfiguredServers::hasPlaceholder)) {
			return Mono.just(resolve());
		}
		// Deferred, because tests with virtual time shut down Reactor's schedulers
		return Flux.defer(() -> Flux.interval(Duration.ZERO, INTERVAL))
			.onBackpressureDrop()
			.map(this::resolveIfPossible)
			.filter(Optional::isPresent)
			.map(Optional::get)
			.distinctUntilChanged();
	}

	private Optional<List<ServerAddress>> resolveIfPossible(long attempt) {
		boolean impatient = INTERVAL.multipliedBy(attempt).compareTo(PATIENCE) >= 0;
		boolean resolvable = this.client.properties()
			.getServers()
			.stream()
			.noneMatch((server) -> hasPlaceholder(this.environment.resolvePlaceholders(server)));
		return (resolvable || impatient) ? Optional.of(resolve()) : Optional.empty();
	}

	/**
	 * Return the current addresses.
	 * @throws IllegalArgumentException if a placeholder cannot be resolved
	 */
	List<ServerAddress> resolve() {
		List<ServerAddress> addresses = new ArrayList<>();
		for (String server : this.client.properties().getServers()) {
			String resolved = this.environment.resolveRequiredPlaceholders(server);
			for (String address : StringUtils.commaDelimitedListToStringArray(resolved)) {
				addresses.add(parse(address));
			}
		}
		return addresses;
	}

	private ServerAddress parse(String server) {
		try {
			return ServerAddress.of(server);
		}
		catch (IllegalArgumentException ex) {
			throw new InvalidConfigurationPropertyValueException(this.client.prefix() + ".servers", server,
					ex.getMessage() + ".");
		}
	}

	private static boolean hasPlaceholder(String server) {
		return server.contains("${");
	}

}
