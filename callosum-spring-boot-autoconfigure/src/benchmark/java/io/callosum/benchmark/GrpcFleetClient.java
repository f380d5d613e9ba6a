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

package io.callosum.benchmark;

import java.net.InetSocketAddress;
import java.net.URI;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;

import io.grpc.CallOptions;
import io.grpc.EquivalentAddressGroup;
import io.grpc.ManagedChannel;
import io.grpc.NameResolver;
import io.grpc.NameResolverProvider;
import io.grpc.NameResolverRegistry;
import io.grpc.StatusOr;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.core.publisher.MonoSink;

/**
 * A channel of grpc-java.
 *
 * @author The Callosum authors
 */
final class GrpcFleetClient implements FleetClient {

	/**
	 * As shown in the documentation of gRPC.
	 */
	private static final Map<String, Object> SERVICE_CONFIG = Map.of("methodConfig",
			List.of(Map.of("name", List.of(Map.of()), "retryPolicy",
					Map.of("maxAttempts", RETRIES + 1.0, "initialBackoff", "0.01s", "maxBackoff", "0.1s",
							"backoffMultiplier", 2.0, "retryableStatusCodes", List.of("UNAVAILABLE")))));

	private final Servers servers;

	private final ManagedChannel channel;

	GrpcFleetClient(Identity identity, String policy) {
		this.servers = new Servers(identity);
		NameResolverRegistry.getDefaultRegistry().register(this.servers);
		this.channel = NettyChannelBuilder.forTarget(this.servers.getDefaultScheme() + ":///fleet")
			.usePlaintext()
			.defaultLoadBalancingPolicy(policy)
			.defaultServiceConfig(SERVICE_CONFIG)
			.build();
	}

	@Override
	public void servers(List<InetSocketAddress> servers) {
		this.servers.set(servers);
	}

	@Override
	public Mono<String> send(String request) {
		return Mono.create((sink) -> ClientCalls.asyncUnaryCall(
				this.channel.newCall(FleetMethod.DESCRIPTOR,
						CallOptions.DEFAULT.withDeadlineAfter(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)),
				request, new SinkObserver(sink)));
	}

	private record SinkObserver(MonoSink<String> sink) implements StreamObserver<String> {

		@Override
		public void onNext(String answer) {
			this.sink.success(answer);
		}

		@Override
		public void onError(Throwable failure) {
			this.sink.error(failure);
		}

		@Override
		public void onCompleted() {
			this.sink.success();
		}

	}

	/**
	 * Resolves the servers in a different order for each client, as a DNS server does.
	 * Otherwise all clients with {@code pick_first} would use the same server.
	 */
	private static final class Servers extends NameResolverProvider {

		private final Identity identity;

		private final Random order;

		private List<EquivalentAddressGroup> addresses = List.of();

		private @Nullable Resolver resolver;

		Servers(Identity identity) {
			this.identity = identity;
			this.order = new Random(identity.chance().nextLong());
		}

		synchronized void set(List<InetSocketAddress> servers) {
			List<EquivalentAddressGroup> addresses = new ArrayList<>();
			servers.forEach((server) -> addresses.add(new EquivalentAddressGroup(server)));
			Collections.shuffle(addresses, this.order);
			this.addresses = List.copyOf(addresses);
			if (this.resolver != null) {
				this.resolver.refresh();
			}
		}

		synchronized List<EquivalentAddressGroup> get() {
			return this.addresses;
		}

		@Override
		public synchronized NameResolver newNameResolver(URI target, NameResolver.Args arguments) {
			this.resolver = new Resolver(this, arguments);
			return this.resolver;
		}

		@Override
		public String getDefaultScheme() {
			return "client-" + this.identity.index();
		}

		@Override
		protected boolean isAvailable() {
			return true;
		}

		@Override
		protected int priority() {
			return 5;
		}

	}

	private static final class Resolver extends NameResolver {

		private final Servers servers;

		private final Args arguments;

		private @Nullable Listener2 listener;

		Resolver(Servers servers, Args arguments) {
			this.servers = servers;
			this.arguments = arguments;
		}

		@Override
		public String getServiceAuthority() {
			return "fleet";
		}

		@Override
		public void start(Listener2 listener) {
			this.listener = listener;
			refresh();
		}

		@Override
		public void refresh() {
			this.arguments.getSynchronizationContext().execute(() -> {
				if (this.listener != null) {
					this.listener.onResult2(ResolutionResult.newBuilder()
						.setAddressesOrError(StatusOr.fromValue(this.servers.get()))
						.build());
				}
			});
		}

		@Override
		public void shutdown() {
			this.listener = null;
		}

	}

}
