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
import java.util.Collection;
import java.util.List;
import java.util.Map;

import org.jspecify.annotations.Nullable;

import org.springframework.beans.factory.NoSuchBeanDefinitionException;
import org.springframework.boot.context.properties.source.ConfigurationPropertyName;
import org.springframework.boot.diagnostics.FailureAnalysis;
import org.springframework.boot.diagnostics.analyzer.AbstractInjectionFailureAnalyzer;
import org.springframework.core.Ordered;
import org.springframework.core.env.Environment;

import io.callosum.client.CallosumClient;

/**
 * {@link AbstractFailureAnalyzer} for an injected client that has no address.
 */
final class MissingClientFailureAnalyzer extends AbstractInjectionFailureAnalyzer<NoSuchBeanDefinitionException>
		implements Ordered {

	private final Environment environment;

	MissingClientFailureAnalyzer(Environment environment) {
		this.environment = environment;
	}

	@Override
	protected @Nullable FailureAnalysis analyze(Throwable rootFailure, NoSuchBeanDefinitionException cause,
			@Nullable String description) {
		boolean byType = CallosumClient.class.equals(cause.getBeanType());
		if (!byType && !isBeanNameOfClient(cause.getBeanName())) {
			return null;
		}
		String where = (description != null) ? description : "The application";
		Map<String, ConfigurationPropertyName> named = ConfiguredClient.serviceNames(this.environment);
		Collection<ConfiguredClient> configured = ConfiguredClient.findAll(this.environment).values();
		List<String> remedies = new ArrayList<>();
		named.forEach((name, property) -> {
			if (configured.stream().noneMatch((client) -> client.name().equals(name))) {
				remedies.add("'" + property + ".servers' or '" + property + ".service-id'");
			}
		});
		if (remedies.isEmpty()) {
			remedies.add("'callosum.client.servers' or 'callosum.client.service-id' for the default client, or the same"
					+ " under 'callosum.client.service.<name>' for another one");
		}
		String found = configured.isEmpty() ? "no Callosum client has an address"
				: "the Callosum clients with an address are "
						+ configured.stream().map(ConfiguredClient::name).toList();
		return new FailureAnalysis(where + " requires a CallosumClient"
				+ (byType ? "" : " '" + cause.getBeanName() + "'") + " that does not exist: " + found + ".",
				"Set " + String.join(", ", remedies) + ".", cause);
	}

	private static boolean isBeanNameOfClient(@Nullable String beanName) {
		return beanName != null && (beanName.equals("callosumClient") || beanName.endsWith("CallosumClient"));
	}

	/**
	 * Run before Spring Boot's own analyzer, which suggests defining a bean.
	 */
	@Override
	public int getOrder() {
		return 0;
	}

}
