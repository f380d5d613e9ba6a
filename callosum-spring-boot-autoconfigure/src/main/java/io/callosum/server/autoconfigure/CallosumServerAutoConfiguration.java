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

import reactor.netty.resources.LoopResources;
import reactor.netty.tcp.TcpServer;

import org.springframework.beans.factory.ObjectProvider;
import org.springframework.beans.factory.config.ConfigurableBeanFactory;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnBooleanProperty;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnNotWebApplication;
import org.springframework.boot.autoconfigure.condition.ConditionalOnSingleCandidate;
import org.springframework.boot.autoconfigure.condition.SearchStrategy;
import org.springframework.boot.autoconfigure.ssl.SslAutoConfiguration;
import org.springframework.boot.autoconfigure.task.TaskExecutionAutoConfiguration;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.boot.ssl.DefaultSslBundleRegistry;
import org.springframework.boot.ssl.SslBundles;
import org.springframework.context.ApplicationContext;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Lazy;
import org.springframework.context.annotation.Scope;

import io.callosum.server.CallosumMetricsRecorder;
import io.callosum.server.CallosumServer;
import io.callosum.server.CallosumTcpServerCustomizer;
import io.callosum.server.ConnectionHandler;
import io.callosum.server.LowestSlotAllocator;
import io.callosum.server.SlotAllocator;
import io.callosum.server.autoconfigure.CallosumServerProperties.Shutdown;

/**
 * {@link org.springframework.boot.autoconfigure.EnableAutoConfiguration
 * Auto-configuration} for a {@link CallosumServer} that starts and stops with the
 * application.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
@AutoConfiguration(after = { SslAutoConfiguration.class, TaskExecutionAutoConfiguration.class })
@ConditionalOnClass(TcpServer.class)
@ConditionalOnBooleanProperty(name = "callosum.server.enabled", matchIfMissing = true)
@EnableConfigurationProperties(CallosumServerProperties.class)
public final class CallosumServerAutoConfiguration {

	CallosumServerAutoConfiguration() {
	}

	@Bean
	@ConditionalOnMissingBean(SlotAllocator.class)
	LowestSlotAllocator callosumSlotAllocator() {
		return new LowestSlotAllocator();
	}

	/**
	 * One for all builders, as bundles never forget who wants to know of their updates.
	 * Lazy, as it is for TLS only.
	 */
	@Bean
	@Lazy
	ServerSslProviders callosumServerSslProviders(CallosumServerProperties properties,
			ObjectProvider<SslBundles> bundles) {
		return new ServerSslProviders(properties.getSsl(),
				bundles.getIfAvailable(() -> new DefaultSslBundleRegistry()));
	}

	@Bean
	@Scope(ConfigurableBeanFactory.SCOPE_PROTOTYPE)
	@ConditionalOnMissingBean(search = SearchStrategy.CURRENT)
	CallosumServer.Builder callosumServerBuilder(CallosumServerProperties properties,
			ApplicationContext applicationContext, SlotAllocator slotAllocator,
			ObjectProvider<ConnectionHandler> connectionHandler, ObjectProvider<LoopResources> loopResources,
			ObjectProvider<CallosumMetricsRecorder> metricsRecorder,
			ObjectProvider<CallosumTcpServerCustomizer> customizers, ObjectProvider<ServerSslProviders> sslProviders) {
		CallosumServer.Builder builder = CallosumServer.builder();
		new CallosumServerPropertiesMapper(properties, applicationContext).applyTo(builder);
		if (ServerSslProviders.isEnabled(properties.getSsl())) {
			builder.sslProviders(sslProviders.getObject());
		}
		builder.eventPublisher(applicationContext);
		builder.slotAllocator(slotAllocator);
		connectionHandler.ifAvailable(builder::connectionHandler);
		loopResources.ifAvailable(builder::loopResources);
		metricsRecorder.ifAvailable(builder::metricsRecorder);
		customizers.orderedStream().forEach(builder::customizer);
		return builder;
	}

	@Bean
	@ConditionalOnMissingBean
	CallosumServer callosumServer(CallosumServer.Builder builder) {
		return builder.build();
	}

	// From here on only for a server of this context: one of a parent, which a child
	// context shares, must not end with the child

	@Bean
	@ConditionalOnSingleCandidate(value = CallosumServer.class, search = SearchStrategy.CURRENT)
	LocalPortListener callosumLocalPortListener(CallosumServer server, ConfigurableApplicationContext context) {
		return new LocalPortListener(server, context);
	}

	@Bean
	@ConditionalOnSingleCandidate(value = CallosumServer.class, search = SearchStrategy.CURRENT)
	ServerStartStopLifecycle callosumServerStartStopLifecycle(CallosumServer server, LocalPortListener localPort) {
		return new ServerStartStopLifecycle(server, localPort);
	}

	@Bean
	@ConditionalOnSingleCandidate(value = CallosumServer.class, search = SearchStrategy.CURRENT)
	ServerGracefulShutdownLifecycle callosumServerGracefulShutdownLifecycle(CallosumServer server,
			CallosumServerProperties properties) {
		return new ServerGracefulShutdownLifecycle(server, properties.getShutdown() == Shutdown.GRACEFUL);
	}

	/**
	 * The context of a web application does this by itself.
	 */
	@Bean
	@ConditionalOnNotWebApplication
	@ConditionalOnSingleCandidate(value = CallosumServer.class, search = SearchStrategy.CURRENT)
	RefuseTrafficListener callosumRefuseTrafficListener(ApplicationContext context) {
		return new RefuseTrafficListener(context);
	}

}
