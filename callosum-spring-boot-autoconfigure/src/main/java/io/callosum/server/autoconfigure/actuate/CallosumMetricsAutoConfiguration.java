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

import io.micrometer.core.instrument.MeterRegistry;

import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnSingleCandidate;
import org.springframework.context.annotation.Bean;

import io.callosum.server.CallosumMetricsRecorder;
import io.callosum.server.CallosumServer;
import io.callosum.server.autoconfigure.CallosumServerAutoConfiguration;

/**
 * {@link org.springframework.boot.autoconfigure.EnableAutoConfiguration
 * Auto-configuration} for the metrics of a {@link CallosumServer}, unless there is a
 * {@link CallosumMetricsRecorder} bean.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
@AutoConfiguration(after = CallosumServerAutoConfiguration.class,
		afterName = "org.springframework.boot.micrometer.metrics.autoconfigure.CompositeMeterRegistryAutoConfiguration")
@ConditionalOnClass(MeterRegistry.class)
@ConditionalOnBean(CallosumServer.class)
@ConditionalOnSingleCandidate(MeterRegistry.class)
@ConditionalOnMissingBean(CallosumMetricsRecorder.class)
public final class CallosumMetricsAutoConfiguration {

	CallosumMetricsAutoConfiguration() {
	}

	@Bean
	MicrometerMetricsRecorder callosumMetricsRecorder(MeterRegistry registry) {
		return new MicrometerMetricsRecorder(registry);
	}

	@Bean
	@ConditionalOnSingleCandidate(CallosumServer.class)
	ServerStateMetrics callosumServerStateMetrics(CallosumServer server) {
		return new ServerStateMetrics(server);
	}

}
