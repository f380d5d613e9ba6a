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
import java.util.concurrent.atomic.AtomicReference;

import reactor.core.publisher.Mono;
import reactor.core.publisher.MonoSink;
import reactor.netty.Connection;

/**
 * A connection of Reactor Netty on which an answer follows each request. One subscriber
 * reads it all the time, because there can be only one.
 *
 * @author The Callosum authors
 */
final class LineConnection {

	private final Connection connection;

	private final AtomicReference<MonoSink<String>> waiting = new AtomicReference<>();

	LineConnection(Connection connection) {
		this.connection = connection;
		connection.inbound().receive().asString().subscribe((answer) -> {
			MonoSink<String> sink = this.waiting.getAndSet(null);
			if (sink != null) {
				sink.success(answer);
			}
		}, this::fail, () -> fail(new IOException("Closed without an answer")));
	}

	private void fail(Throwable failure) {
		MonoSink<String> sink = this.waiting.getAndSet(null);
		if (sink != null) {
			sink.error(failure);
		}
	}

	boolean isActive() {
		return this.connection.channel().isActive();
	}

	Mono<String> exchange(String request) {
		return Mono.create((sink) -> {
			this.waiting.set(sink);
			if (isActive()) {
				this.connection.outbound().sendString(Mono.just(request + "\n")).then().subscribe(null, this::fail);
			}
			else {
				fail(new IOException("Closed before the request"));
			}
		});
	}

	Mono<Void> close() {
		return Mono.fromRunnable(this.connection::dispose);
	}

}
