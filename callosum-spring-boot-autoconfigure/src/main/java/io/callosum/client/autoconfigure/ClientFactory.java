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
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.netty.resources.LoopResources;
import reactor.netty.tcp.SslProvider;

import org.springframework.beans.factory.DisposableBean;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;
import org.springframework.boot.ssl.DefaultSslBundleRegistry;
import org.springframework.boot.ssl.SslBundle;
import org.springframework.boot.ssl.SslBundles;
import org.springframework.context.ApplicationContext;
import org.springframework.context.ApplicationContextAware;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.core.env.Environment;
import org.springframework.util.Assert;
import org.springframework.util.ClassUtils;

import io.callosum.autoconfigure.ReloadableSslProvider;
import io.callosum.client.CallosumClient;
import io.callosum.client.ServerAddress;

/**
 * Creates the clients that are configured by properties, and owns what they share.
 */
final class ClientFactory implements ApplicationContextAware, DisposableBean {

	private static final String DISCOVERY_CLIENT = "org.springframework.cloud.client.discovery.DiscoveryClient";

	private final Map<Integer, SharedLoopResources> loops = new HashMap<>();

	private final List<ReloadableSslProvider> sslProviders = new ArrayList<>();

	@SuppressWarnings("NullAway.Init")
	private ConfigurableApplicationContext context;

	@SuppressWarnings("NullAway.Init")
	private Map<String, ConfiguredClient> clients;

	private @Nullable SpringCloudDiscovery discovery;

	@Override
	public void setApplicationContext(ApplicationContext applicationContext) {
		this.context = (ConfigurableApplicationContext) applicationContext;
		this.clients = ConfiguredClient.findAll(applicationContext.getEnvironment());
	}

	PropertiesCallosumClientConnectionDetails connectionDetails() {
		return new PropertiesCallosumClientConnectionDetails(this.clients, environment(), sslBundles());
	}

	synchronized CallosumClient create(String name) {
		ConfiguredClient client = this.clients.get(name);
		Assert.state(client != null, () -> "There is no client '" + name + "'");
		CallosumClientConnectionDetails details = this.context.getBeanProvider(CallosumClientConnectionDetails.class)
			.getIfAvailable(this::connectionDetails);
		CallosumClient.Builder builder = CallosumClient.builder();
		new ClientPropertiesMapper(client, environment()).applyTo(builder);
		builder.servers(servers(client, details));
		builder.sslProvider(sslProvider(client, details));
		builder.loopResources(loopResources(client));
		builder.eventPublisher(this.context);
		this.context.getBeanProvider(CallosumClientCustomizer.class)
			.orderedStream()
			.forEach((customizer) -> customizer.customize(name, builder));
		// The name must match the bean, whatever a customizer has set
		return builder.name(name).build();
	}

	private Publisher<? extends Collection<ServerAddress>> servers(ConfiguredClient client,
			CallosumClientConnectionDetails details) {
		Publisher<List<ServerAddress>> configured = (client.properties().getServers().isEmpty()) ? discovered(client)
				: new ConfiguredServers(client, environment()).addresses();
		if (details instanceof PropertiesCallosumClientConnectionDetails) {
			return configured;
		}
		return Mono
			.defer(() -> Mono.fromCallable(() -> details.getServers(client.name()))
				.subscribeOn(Schedulers.boundedElastic()))
			.flatMapMany((servers) -> servers.isEmpty() ? configured : Flux.just(servers));
	}

	private Publisher<List<ServerAddress>> discovered(ConfiguredClient client) {
		String serviceId = client.properties().getServiceId();
		Assert.state(serviceId != null, "No service id");
		SpringCloudDiscovery discovery = this.discovery;
		if (discovery == null && ClassUtils.isPresent(DISCOVERY_CLIENT, this.context.getClassLoader())) {
			discovery = SpringCloudDiscovery.find(this.context);
			this.discovery = discovery;
		}
		if (discovery == null) {
			String key = client.prefix() + ".service-id";
			throw new InvalidConfigurationPropertyValueException(key, serviceId,
					"There is no discovery client of Spring Cloud. Add one to the application, or set '"
							+ client.prefix() + ".servers' instead.");
		}
		return discovery.instances(client);
	}

	private @Nullable Supplier<SslProvider> sslProvider(ConfiguredClient client,
			CallosumClientConnectionDetails details) {
		boolean verifyHostname = client.properties().getSsl().isVerifyHostname();
		if (!(details instanceof PropertiesCallosumClientConnectionDetails)
				&& !details.getServers(client.name()).isEmpty()) {
			SslBundle bundle = details.getSslBundle(client.name());
			return (bundle != null) ? fixed(ClientSslProviders.create(bundle, verifyHostname)) : null;
		}
		if (!ClientSslProviders.isEnabled(client.properties().getSsl())) {
			return null;
		}
		String bundle = client.properties().getSsl().getBundle();
		if (bundle == null) {
			return fixed(ClientSslProviders.create(null, verifyHostname));
		}
		ReloadableSslProvider provider = ReloadableSslProvider.of(client.key(environment(), "ssl.bundle"), bundle,
				sslBundles(), (current) -> ClientSslProviders.create(current, verifyHostname));
		this.sslProviders.add(provider);
		return provider;
	}

	private static Supplier<SslProvider> fixed(SslProvider provider) {
		return () -> provider;
	}

	private LoopResources loopResources(ConfiguredClient client) {
		Integer workerThreads = client.properties().getWorkerThreads();
		return this.context.getBeanProvider(LoopResources.class)
			.getIfAvailable(() -> this.loops.computeIfAbsent(
					(workerThreads != null) ? workerThreads : LoopResources.DEFAULT_IO_WORKER_COUNT,
					SharedLoopResources::new));
	}

	/**
	 * Release the event loops. A client that starts afterwards gets new ones.
	 */
	synchronized void releaseLoops() {
		this.loops.values().forEach(SharedLoopResources::dispose);
	}

	private SslBundles sslBundles() {
		return this.context.getBeanProvider(SslBundles.class).getIfAvailable(DefaultSslBundleRegistry::new);
	}

	private Environment environment() {
		return this.context.getEnvironment();
	}

	@Override
	public void destroy() {
		this.sslProviders.forEach(ReloadableSslProvider::close);
		if (this.discovery != null) {
			this.discovery.close();
		}
		releaseLoops();
	}

}
