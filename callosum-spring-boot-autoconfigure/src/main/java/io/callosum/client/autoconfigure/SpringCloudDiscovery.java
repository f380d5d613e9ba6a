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

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;

import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Schedulers;

import org.springframework.cloud.client.ServiceInstance;
import org.springframework.cloud.client.discovery.DiscoveryClient;
import org.springframework.cloud.client.discovery.ReactiveDiscoveryClient;
import org.springframework.cloud.client.discovery.event.HeartbeatEvent;
import org.springframework.context.ApplicationListener;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.util.Assert;
import org.springframework.util.StringUtils;

import io.callosum.client.CallosumClient;
import io.callosum.client.ServerAddress;
import io.callosum.transport.ThrottledLog;

/**
 * Finds servers with Spring Cloud. The only class that uses it.
 */
final class SpringCloudDiscovery {

	private static final Log logger = LogFactory.getLog(CallosumClient.class);

	private static final String PORT_METADATA = "callosum-port";

	private static final Duration MIN_TIMEOUT = Duration.ofSeconds(1);

	private final ConfigurableApplicationContext context;

	private final @Nullable ReactiveDiscoveryClient reactiveClient;

	private final @Nullable DiscoveryClient blockingClient;

	private final Sinks.Many<Object> heartbeats = Sinks.many().multicast().directBestEffort();

	private final ApplicationListener<HeartbeatEvent> listener = (event) -> this.heartbeats.tryEmitNext(event);

	private final ThrottledLog invalidInstances = new ThrottledLog(logger::warn);

	private SpringCloudDiscovery(ConfigurableApplicationContext context,
			@Nullable ReactiveDiscoveryClient reactiveClient, @Nullable DiscoveryClient blockingClient) {
		this.context = context;
		this.reactiveClient = reactiveClient;
		this.blockingClient = blockingClient;
		context.addApplicationListener(this.listener);
	}

	/**
	 * Return the discovery of an application. It uses the reactive client if there is
	 * one.
	 * @return the discovery, or {@code null} if there is no discovery client
	 */
	static @Nullable SpringCloudDiscovery find(ConfigurableApplicationContext context) {
		ReactiveDiscoveryClient reactiveClient = context.getBeanProvider(ReactiveDiscoveryClient.class)
			.getIfAvailable();
		DiscoveryClient blockingClient = (reactiveClient == null)
				? context.getBeanProvider(DiscoveryClient.class).getIfAvailable() : null;
		return (reactiveClient != null || blockingClient != null)
				? new SpringCloudDiscovery(context, reactiveClient, blockingClient) : null;
	}

	/**
	 * Return the instances of a service: now, after each interval, and after each
	 * heartbeat. Fails if the discovery client fails or does not answer.
	 */
	Publisher<List<ServerAddress>> instances(ConfiguredClient client) {
		ClientProperties properties = client.properties();
		String serviceId = properties.getServiceId();
		Assert.state(serviceId != null, "No service id");
		// Deferred, because tests with virtual time shut down Reactor's schedulers
		return Flux.defer(() -> instances(serviceId, properties));
	}

	private Flux<List<ServerAddress>> instances(String serviceId, ClientProperties properties) {
		Duration interval = properties.getDiscoveryInterval();
		Duration timeout = (interval.compareTo(MIN_TIMEOUT) > 0) ? interval : MIN_TIMEOUT;
		Mono<List<ServerAddress>> query = lookup(serviceId)
			.timeout(timeout,
					Mono.error(() -> new TimeoutException("No answer within " + timeout.toMillis()
							+ " ms from the discovery client for service '" + serviceId + "'")))
			.map((instances) -> addresses(instances, properties.getServicePort()));
		return Flux.merge(Flux.interval(Duration.ZERO, interval), this.heartbeats.asFlux())
			.onBackpressureLatest()
			.concatMap((trigger) -> query, 1);
	}

	private Mono<List<ServiceInstance>> lookup(String serviceId) {
		ReactiveDiscoveryClient reactiveClient = this.reactiveClient;
		if (reactiveClient != null) {
			return Mono.defer(() -> reactiveClient.getInstances(serviceId).collectList());
		}
		DiscoveryClient blockingClient = this.blockingClient;
		Assert.state(blockingClient != null, "No discovery client");
		AtomicBoolean pending = new AtomicBoolean();
		return Mono.fromFuture(() -> onAnotherThread(blockingClient, serviceId, pending), true);
	}

	/**
	 * A call that hangs occupies its thread, so only one is made at a time.
	 */
	private static CompletableFuture<List<ServiceInstance>> onAnotherThread(DiscoveryClient client, String serviceId,
			AtomicBoolean pending) {
		CompletableFuture<List<ServiceInstance>> instances = new CompletableFuture<>();
		if (!pending.compareAndSet(false, true)) {
			instances.completeExceptionally(
					new TimeoutException("The discovery client still has not answered for '" + serviceId + "'"));
			return instances;
		}
		Schedulers.boundedElastic().schedule(() -> {
			try {
				instances.complete(client.getInstances(serviceId));
			}
			catch (Throwable ex) {
				instances.completeExceptionally(ex);
			}
			finally {
				pending.set(false);
			}
		});
		return instances;
	}

	private List<ServerAddress> addresses(List<ServiceInstance> instances, @Nullable Integer servicePort) {
		List<ServerAddress> addresses = new ArrayList<>();
		for (ServiceInstance instance : instances) {
			try {
				addresses.add(new ServerAddress(instance.getHost(), port(instance, servicePort)));
			}
			catch (IllegalArgumentException ex) {
				this.invalidInstances.log("Instance " + instance.getInstanceId() + " of service '"
						+ instance.getServiceId() + "' is ignored: " + ex.getMessage(), null);
			}
		}
		return addresses;
	}

	private static int port(ServiceInstance instance, @Nullable Integer servicePort) {
		Map<String, String> metadata = instance.getMetadata();
		String port = (metadata != null) ? metadata.get(PORT_METADATA) : null;
		if (StringUtils.hasText(port)) {
			return Integer.parseInt(port.strip());
		}
		return (servicePort != null) ? servicePort : instance.getPort();
	}

	void close() {
		this.context.removeApplicationListener(this.listener);
	}

}
