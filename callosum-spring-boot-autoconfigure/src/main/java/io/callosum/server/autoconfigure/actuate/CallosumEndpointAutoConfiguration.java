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

package io.callosum.server.autoconfigure.actuate;

import org.springframework.boot.actuate.autoconfigure.endpoint.condition.ConditionalOnAvailableEndpoint;
import org.springframework.boot.actuate.autoconfigure.endpoint.expose.EndpointExposure;
import org.springframework.boot.actuate.endpoint.annotation.Endpoint;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnSingleCandidate;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;

import io.callosum.server.CallosumServer;
import io.callosum.server.autoconfigure.CallosumServerAutoConfiguration;
import io.callosum.server.autoconfigure.CallosumServerProperties;

/**
 * {@link org.springframework.boot.autoconfigure.EnableAutoConfiguration
 * Auto-configuration} for {@link CallosumEndpoint}.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
@AutoConfiguration(after = CallosumServerAutoConfiguration.class)
@ConditionalOnClass({ Endpoint.class, ConditionalOnAvailableEndpoint.class })
@ConditionalOnAvailableEndpoint(CallosumEndpoint.class)
@ConditionalOnSingleCandidate(CallosumServer.class)
@EnableConfigurationProperties(CallosumServerProperties.class)
public final class CallosumEndpointAutoConfiguration {

	CallosumEndpointAutoConfiguration() {
	}

	@Bean
	@ConditionalOnMissingBean
	CallosumEndpoint callosumEndpoint(CallosumServer server, CallosumServerProperties properties) {
		return new CallosumEndpoint(server, properties.getEndpoint().isShowAddresses());
	}

	@Bean
	@ConditionalOnMissingBean
	@ConditionalOnAvailableEndpoint(endpoint = CallosumEndpoint.class, exposure = EndpointExposure.WEB)
	CallosumEndpointWebExtension callosumEndpointWebExtension(CallosumEndpoint endpoint) {
		return new CallosumEndpointWebExtension(endpoint);
	}

}
