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

import java.time.Duration;
import java.util.Objects;

import reactor.core.publisher.Mono;
import reactor.netty.Connection;
import reactor.netty.ConnectionObserver.State;
import reactor.netty.channel.ChannelOperations;
import reactor.netty.resources.ConnectionProvider;
import reactor.netty.tcp.TcpClient;

/**
 * Reactor Netty's client with a fixed {@code ConnectionProvider}. The library itself
 * returns only HTTP connections to that pool, and closes TCP connections.
 *
 * @author The Callosum authors
 */
final class ProviderExchangeClient implements ExchangeClient {

	private final ConnectionProvider provider;

	private final TcpClient tcpClient;

	ProviderExchangeClient(Target target) {
		this.provider = ConnectionProvider.builder("exchange")
			.maxConnections(target.poolSize())
			.pendingAcquireMaxCount(2 * target.poolSize() + 100)
			.pendingAcquireTimeout(Duration.ofSeconds(5))
			.build();
		this.tcpClient = SlotLineHandler.tcpClient(this.provider, target);
	}

	@Override
	public Mono<String> exchange(String request) {
		return Mono.usingWhen(this.tcpClient.connect(), (connection) -> exchange(connection, request),
				(connection) -> Mono.fromRunnable(() -> release(connection)),
				(connection, failure) -> Mono.fromRunnable(connection::dispose),
				(connection) -> Mono.fromRunnable(connection::dispose));
	}

	private static Mono<String> exchange(Connection connection, String request) {
		return connection.outbound()
			.sendString(Mono.just(request + "\n"))
			.then()
			.then(connection.inbound().receive().asString().next());
	}

	/**
	 * Do what the library does at the end of an HTTP response. There is no method for it.
	 */
	private static void release(Connection connection) {
		ChannelOperations<?, ?> operations = Objects.requireNonNull(connection.as(ChannelOperations.class));
		if (!operations.rebind((Connection) operations.listener())) {
			throw new IllegalStateException("Released twice");
		}
		operations.listener().onStateChange(operations, State.DISCONNECTING);
	}

	@Override
	public void close() {
		this.provider.disposeLater().block();
	}

}
