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

import io.micrometer.core.instrument.MeterRegistry;

import org.springframework.boot.LazyInitializationExcludeFilter;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnSingleCandidate;
import org.springframework.context.annotation.Bean;

import io.callosum.client.CallosumClient;
import io.callosum.client.autoconfigure.CallosumClientAutoConfiguration;
import io.callosum.client.autoconfigure.CallosumClients;

/**
 * {@link org.springframework.boot.autoconfigure.EnableAutoConfiguration
 * Auto-configuration} for the metrics of all {@link CallosumClient Callosum clients}.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
@AutoConfiguration(after = CallosumClientAutoConfiguration.class,
		afterName = "org.springframework.boot.micrometer.metrics.autoconfigure.CompositeMeterRegistryAutoConfiguration")
@ConditionalOnClass(MeterRegistry.class)
@ConditionalOnBean({ CallosumClient.class, CallosumClients.class })
@ConditionalOnSingleCandidate(MeterRegistry.class)
public final class CallosumClientMetricsAutoConfiguration {

	CallosumClientMetricsAutoConfiguration() {
	}

	@Bean
	ClientMetrics callosumClientMetrics(CallosumClients clients, MeterRegistry registry) {
		return new ClientMetrics(clients, registry);
	}

	@Bean
	static LazyInitializationExcludeFilter callosumClientMetricsLazyInitializationExcludeFilter() {
		return LazyInitializationExcludeFilter.forBeanTypes(ClientMetrics.class);
	}

}
