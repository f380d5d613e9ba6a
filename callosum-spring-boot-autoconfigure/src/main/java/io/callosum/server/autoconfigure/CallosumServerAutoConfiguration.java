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
import org.springframework.context.annotation.Conditional;
import org.springframework.context.annotation.Lazy;
import org.springframework.context.annotation.Scope;
import org.springframework.core.env.Environment;

import io.callosum.autoconfigure.MapPropertyKeys;
import io.callosum.server.BlockingConnectionHandler;
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
@Conditional(OnServerEnabledCondition.class)
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
	 * Shared by all builders, because a bundle's update handlers cannot be removed. Lazy,
	 * because only TLS needs it.
	 */
	@Bean
	@Lazy
	ServerSslProviders callosumServerSslProviders(CallosumServerProperties properties, Environment environment,
			ObjectProvider<SslBundles> bundles) {
		MapPropertyKeys.verify(environment, ServerSslProviders.SERVER_NAME_BUNDLES,
				properties.getSsl().getServerNameBundles().keySet());
		return new ServerSslProviders(properties.getSsl(),
				bundles.getIfAvailable(() -> new DefaultSslBundleRegistry()));
	}

	@Bean
	@Scope(ConfigurableBeanFactory.SCOPE_PROTOTYPE)
	@ConditionalOnMissingBean(search = SearchStrategy.CURRENT)
	CallosumServer.Builder callosumServerBuilder(CallosumServerProperties properties,
			ApplicationContext applicationContext, SlotAllocator slotAllocator,
			ObjectProvider<ConnectionHandler> connectionHandler,
			ObjectProvider<BlockingConnectionHandler> blockingConnectionHandler,
			ObjectProvider<LoopResources> loopResources, ObjectProvider<CallosumMetricsRecorder> metricsRecorder,
			ObjectProvider<CallosumTcpServerCustomizer> customizers, ObjectProvider<ServerSslProviders> sslProviders) {
		CallosumServer.Builder builder = CallosumServer.builder();
		CallosumServerPropertiesMapper mapper = new CallosumServerPropertiesMapper(properties, applicationContext);
		mapper.applyTo(builder);
		if (ServerSslProviders.isEnabled(properties.getSsl())) {
			sslProviders.getObject().applyTo(builder);
		}
		builder.eventPublisher(applicationContext);
		builder.slotAllocator(slotAllocator);
		verifyOneKindOfHandler(applicationContext);
		connectionHandler.ifAvailable(builder::connectionHandler);
		blockingConnectionHandler
			.ifAvailable((handler) -> builder.blockingConnectionHandler(handler, mapper.blockingHandlerExecutor()));
		loopResources.ifAvailable(builder::loopResources);
		metricsRecorder.ifAvailable(builder::metricsRecorder);
		customizers.orderedStream().forEach(builder::customizer);
		return builder;
	}

	private static void verifyOneKindOfHandler(ApplicationContext context) {
		String[] handlers = context.getBeanNamesForType(ConnectionHandler.class);
		String[] blockingHandlers = context.getBeanNamesForType(BlockingConnectionHandler.class);
		if (handlers.length > 0 && blockingHandlers.length > 0) {
			throw new ConflictingHandlersException(handlers[0], blockingHandlers[0]);
		}
	}

	@Bean
	@ConditionalOnMissingBean
	CallosumServer callosumServer(CallosumServer.Builder builder) {
		return builder.build();
	}

	// The following beans are only for a server of this context: a server of a parent
	// context, which a child shares, must not stop with the child

	@Bean
	@ConditionalOnSingleCandidate(value = CallosumServer.class, search = SearchStrategy.CURRENT)
	LocalPortListener callosumLocalPortListener(CallosumServer server, ConfigurableApplicationContext context) {
		return new LocalPortListener(server, context);
	}

	@Bean
	@ConditionalOnSingleCandidate(value = CallosumServer.class, search = SearchStrategy.CURRENT)
	ServerStartStopLifecycle callosumServerStartStopLifecycle(CallosumServer server, LocalPortListener localPort,
			ApplicationContext context) {
		return new ServerStartStopLifecycle(server, localPort, new SlotRequestListenerVerifier(context));
	}

	@Bean
	@ConditionalOnSingleCandidate(value = CallosumServer.class, search = SearchStrategy.CURRENT)
	ServerGracefulShutdownLifecycle callosumServerGracefulShutdownLifecycle(CallosumServer server,
			CallosumServerProperties properties) {
		return new ServerGracefulShutdownLifecycle(server, properties.getShutdown() == Shutdown.GRACEFUL);
	}

	/**
	 * The context of a web application does this itself.
	 */
	@Bean
	@ConditionalOnNotWebApplication
	@ConditionalOnSingleCandidate(value = CallosumServer.class, search = SearchStrategy.CURRENT)
	RefuseTrafficListener callosumRefuseTrafficListener(ApplicationContext context) {
		return new RefuseTrafficListener(context);
	}

}
