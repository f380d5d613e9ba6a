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

import reactor.core.publisher.Mono;
import reactor.netty.resources.ConnectionProvider;
import reactor.pool.InstrumentedPool;
import reactor.pool.PoolBuilder;
import reactor.pool.PooledRef;

/**
 * A pool of reactor-pool around Reactor Netty's client.
 *
 * @author The Callosum authors
 */
final class ReactorPoolExchangeClient implements ExchangeClient {

	private static final Duration ACQUIRE_TIMEOUT = Duration.ofSeconds(5);

	private final InstrumentedPool<LineConnection> pool;

	ReactorPoolExchangeClient(Target target) {
		this.pool = PoolBuilder
			.from(SlotLineHandler.tcpClient(ConnectionProvider.newConnection(), target)
				.connect()
				.map(LineConnection::new))
			.sizeBetween(0, target.poolSize())
			.evictionPredicate((connection, metadata) -> !connection.isActive())
			.destroyHandler(LineConnection::close)
			.buildPool();
	}

	@Override
	public Mono<String> exchange(String request) {
		return Mono.usingWhen(this.pool.acquire(ACQUIRE_TIMEOUT), (reference) -> reference.poolable().exchange(request),
				PooledRef::release, (reference, failure) -> reference.invalidate(), PooledRef::invalidate);
	}

	@Override
	public void close() {
		this.pool.disposeLater().block();
	}

}
