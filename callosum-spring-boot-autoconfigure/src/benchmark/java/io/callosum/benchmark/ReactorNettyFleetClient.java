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

import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

import io.netty.channel.ChannelOption;
import io.netty.handler.codec.LineBasedFrameDecoder;
import reactor.core.publisher.Mono;
import reactor.netty.tcp.TcpClient;
import reactor.pool.InstrumentedPool;
import reactor.pool.PoolBuilder;
import reactor.pool.PooledRef;
import reactor.util.retry.Retry;

/**
 * A pool of reactor-pool around Reactor Netty's client, which connects to the servers in
 * turn. Reactor Netty's own pool closes each TCP connection after its use.
 *
 * @author The Callosum authors
 */
final class ReactorNettyFleetClient implements FleetClient {

	private final AtomicInteger turn;

	private final InstrumentedPool<LineConnection> pool;

	private volatile List<InetSocketAddress> servers = List.of();

	ReactorNettyFleetClient(Identity identity) {
		// Otherwise all clients would start with the same server
		this.turn = new AtomicInteger(identity.chance().nextInt(1000));
		Mono<LineConnection> connect = TcpClient.newConnection()
			.remoteAddress(this::next)
			.option(ChannelOption.CONNECT_TIMEOUT_MILLIS, (int) TIMEOUT.toMillis())
			.doOnConnected((connection) -> connection.addHandlerLast(new LineBasedFrameDecoder(1024)))
			.connect()
			.map(LineConnection::new);
		this.pool = PoolBuilder.from(connect)
			.sizeBetween(POOL_SIZE, POOL_SIZE)
			.evictionPredicate((connection, metadata) -> !connection.isActive())
			.destroyHandler(LineConnection::close)
			.buildPool();
	}

	private InetSocketAddress next() {
		List<InetSocketAddress> servers = this.servers;
		return servers.get(this.turn.getAndIncrement() % servers.size());
	}

	@Override
	public void servers(List<InetSocketAddress> servers) {
		this.servers = servers;
	}

	@Override
	public Mono<String> send(String request) {
		return Mono
			.usingWhen(this.pool.acquire(TIMEOUT),
					(reference) -> reference.poolable().exchange(request).timeout(TIMEOUT), PooledRef::release,
					(reference, failure) -> reference.invalidate(), PooledRef::invalidate)
			.retryWhen(Retry.max(RETRIES).filter(IOException.class::isInstance));
	}

}
