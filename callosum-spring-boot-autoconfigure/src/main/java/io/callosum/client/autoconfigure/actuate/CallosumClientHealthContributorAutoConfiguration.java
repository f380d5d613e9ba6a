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

package io.callosum.client.autoconfigure.actuate;

import java.util.LinkedHashMap;
import java.util.Map;

import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.health.autoconfigure.contributor.ConditionalOnEnabledHealthIndicator;
import org.springframework.boot.health.contributor.CompositeHealthContributor;
import org.springframework.boot.health.contributor.HealthIndicator;
import org.springframework.context.annotation.Bean;

import io.callosum.client.CallosumClient;
import io.callosum.client.autoconfigure.CallosumClientAutoConfiguration;
import io.callosum.client.autoconfigure.CallosumClients;

/**
 * {@link org.springframework.boot.autoconfigure.EnableAutoConfiguration
 * Auto-configuration} for the health of all {@link CallosumClient Callosum clients}.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
@AutoConfiguration(after = CallosumClientAutoConfiguration.class)
@ConditionalOnClass({ HealthIndicator.class, ConditionalOnEnabledHealthIndicator.class })
@ConditionalOnBean({ CallosumClient.class, CallosumClients.class })
@ConditionalOnEnabledHealthIndicator("callosumclient")
public final class CallosumClientHealthContributorAutoConfiguration {

	CallosumClientHealthContributorAutoConfiguration() {
	}

	/**
	 * A composite even for a single client, so that paths do not change when a second one
	 * is added.
	 */
	@Bean
	@ConditionalOnMissingBean(name = { "callosumClientHealthIndicator", "callosumClientHealthContributor" })
	CompositeHealthContributor callosumClientHealthContributor(CallosumClients clients) {
		Map<String, HealthIndicator> indicators = new LinkedHashMap<>();
		clients.names().forEach((name) -> indicators.put(name, new CallosumClientHealthIndicator(clients.get(name))));
		return CompositeHealthContributor.fromMap(indicators);
	}

}
