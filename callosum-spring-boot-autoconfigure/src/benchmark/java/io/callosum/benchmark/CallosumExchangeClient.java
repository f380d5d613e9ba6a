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

import io.netty.handler.codec.LineBasedFrameDecoder;
import reactor.core.publisher.Mono;

import io.callosum.client.CallosumClient;
import io.callosum.client.CallosumLease;
import io.callosum.client.ServerAddress;

/**
 * Callosum's client.
 *
 * @author The Callosum authors
 */
final class CallosumExchangeClient implements ExchangeClient {

	private final CallosumClient client;

	CallosumExchangeClient(Target target) {
		this.client = CallosumClient.builder()
			.servers(new ServerAddress("127.0.0.1", target.port()))
			.poolSize(target.poolSize())
			.maxPendingAcquires(2 * target.poolSize() + 100)
			.loopResources(target.loops())
			.nativeTransport(target.epoll())
			.initializer((lease) -> {
				lease.inbound().withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(1024)));
				return Mono.empty();
			})
			.build();
		this.client.start();
	}

	@Override
	public Mono<String> exchange(String request) {
		return this.client.exchange((lease) -> exchange(lease, request));
	}

	private static Mono<String> exchange(CallosumLease lease, String request) {
		return lease.outbound()
			.sendString(Mono.just(request + "\n"))
			.then()
			.then(lease.inbound().receive().asString().next());
	}

	@Override
	public void close() {
		this.client.stop();
	}

}
