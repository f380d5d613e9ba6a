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

import reactor.netty.tcp.TcpClient;

import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.ssl.SslAutoConfiguration;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Import;
import org.springframework.context.annotation.ImportRuntimeHints;

import io.callosum.client.CallosumClient;

/**
 * {@link org.springframework.boot.autoconfigure.EnableAutoConfiguration
 * Auto-configuration} for {@link CallosumClient Callosum clients} that start and stop
 * with the application.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
@AutoConfiguration(after = SslAutoConfiguration.class)
@ConditionalOnClass(TcpClient.class)
// The default client first, because its condition must not see the others
@Import({ ConfiguredClientBeans.DefaultClient.class, ConfiguredClientBeans.NamedClients.class,
		ConfiguredClientBeans.ConnectionDetails.class })
@ImportRuntimeHints(ClientRuntimeHints.class)
public final class CallosumClientAutoConfiguration {

	CallosumClientAutoConfiguration() {
	}

	@Bean
	@ConditionalOnMissingBean(CallosumClients.class)
	ClientRegistry callosumClients(ConfigurableApplicationContext context) {
		return new ClientRegistry(context);
	}

}
