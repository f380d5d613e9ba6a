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

import io.micrometer.observation.ObservationRegistry;

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
 * Auto-configuration} for the observation of the calls of all {@link CallosumClient
 * Callosum clients}.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
@AutoConfiguration(after = CallosumClientAutoConfiguration.class,
		afterName = "org.springframework.boot.micrometer.observation.autoconfigure.ObservationAutoConfiguration")
@ConditionalOnClass(ObservationRegistry.class)
@ConditionalOnBean({ CallosumClient.class, CallosumClients.class })
@ConditionalOnSingleCandidate(ObservationRegistry.class)
public final class CallosumClientObservationAutoConfiguration {

	CallosumClientObservationAutoConfiguration() {
	}

	@Bean
	ClientObservations callosumClientObservations(CallosumClients clients, ObservationRegistry registry) {
		return new ClientObservations(clients, registry);
	}

	@Bean
	static LazyInitializationExcludeFilter callosumClientObservationsLazyInitializationExcludeFilter() {
		return LazyInitializationExcludeFilter.forBeanTypes(ClientObservations.class);
	}

}
