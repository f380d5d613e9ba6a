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
import java.util.Collection;
import java.util.List;
import java.util.concurrent.TimeoutException;

import io.netty.handler.codec.LineBasedFrameDecoder;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.util.retry.Retry;

import io.callosum.client.CallosumClient;
import io.callosum.client.CallosumLease;
import io.callosum.client.ConnectionLostException;
import io.callosum.client.LeasePolicy;
import io.callosum.client.ServerAddress;

/**
 * Callosum's client.
 *
 * @author The Callosum authors
 */
final class CallosumFleetClient implements FleetClient {

	private final Sinks.Many<Collection<ServerAddress>> servers = Sinks.many().replay().latest();

	private final CallosumClient client;

	CallosumFleetClient(Identity identity, LeasePolicy leasePolicy) {
		this.client = CallosumClient.builder()
			.name("client-" + identity.index())
			.servers(this.servers.asFlux())
			.poolSize(POOL_SIZE)
			.leasePolicy(leasePolicy)
			.acquireTimeout(TIMEOUT)
			.initializer((lease) -> {
				lease.inbound().withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(1024)));
				return Mono.empty();
			})
			.build();
		this.client.start();
	}

	@Override
	public void servers(List<InetSocketAddress> servers) {
		this.servers.tryEmitNext(servers.stream()
			.map((server) -> new ServerAddress(server.getAddress().getHostAddress(), server.getPort()))
			.toList());
	}

	@Override
	public Mono<String> send(String request) {
		return this.client.exchange((lease) -> exchange(lease, request))
			.retryWhen(Retry.max(RETRIES)
				.filter((failure) -> failure instanceof ConnectionLostException lost && lost.isRetryable()));
	}

	private static Mono<String> exchange(CallosumLease lease, String request) {
		return lease.outbound()
			.sendString(Mono.just(request + "\n"))
			.then()
			.then(lease.inbound().receive().asString().next())
			.timeout(TIMEOUT)
			.doOnError(TimeoutException.class, lease::discard);
	}

}
