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

package io.callosum.sample;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.TimeoutException;

import io.netty.handler.codec.LineBasedFrameDecoder;
import reactor.core.Disposable;
import reactor.core.publisher.Mono;
import reactor.util.retry.Retry;

import io.callosum.client.CallosumClient;
import io.callosum.client.CallosumLease;
import io.callosum.client.ConnectionLostException;

/**
 * Sends a line to a service and returns the line that it answers with. Build its client
 * with {@link #splitLines} as the initializer.
 */
class LineClient {

	private static final int MAX_LINE_LENGTH = 1024;

	private static final Duration TIMEOUT = Duration.ofSeconds(5);

	private static final Duration BACKOFF = Duration.ofMillis(20);

	private final CallosumClient client;

	LineClient(CallosumClient client) {
		this.client = client;
	}

	/**
	 * The reactive way. If the connection is lost before the first byte of the answer,
	 * the line is sent again over another connection, a little later, because a server
	 * that stops closes all its connections. Use this method only if it does no harm to
	 * send a line twice.
	 */
	Mono<String> send(String line) {
		return this.client.exchange((lease) -> exchange(lease, line))
			.retryWhen(Retry.backoff(3, BACKOFF)
				.filter((failure) -> failure instanceof ConnectionLostException lost && lost.isRetryable())
				.onRetryExhaustedThrow((retry, last) -> last.failure()));
	}

	/**
	 * The blocking way. The line is not sent again.
	 */
	String sendAndWait(String line) throws IOException {
		return this.client.execute((lease) -> {
			// Ends a read or write that blocks
			Disposable timeout = Mono.delay(TIMEOUT)
				.subscribe((tick) -> lease.discard(new TimeoutException("No answer within " + TIMEOUT)));
			try {
				lease.outputStream().write((line + "\r\n").getBytes(StandardCharsets.UTF_8));
				return new BufferedReader(new InputStreamReader(lease.inputStream(), StandardCharsets.UTF_8))
					.readLine();
			}
			finally {
				timeout.dispose();
			}
		});
	}

	/**
	 * One request and one answer. On a timeout, the lease is discarded with the failure,
	 * which counts against the server. A server with too many failures in a row is
	 * ejected.
	 */
	static Mono<String> exchange(CallosumLease lease, String line) {
		return lease.outbound()
			.sendString(Mono.just(line + "\r\n"))
			.then()
			.then(lease.inbound().receive().asString().next())
			.map(String::stripTrailing)
			.timeout(TIMEOUT)
			.doOnError(TimeoutException.class, lease::discard);
	}

	/**
	 * Split the bytes of a connection into lines, as a {@code ConnectionInitializer}. The
	 * lines keep their ends, which the blocking way needs.
	 */
	static Mono<Void> splitLines(CallosumLease lease) {
		lease.inbound()
			.withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(MAX_LINE_LENGTH, false, true)));
		return Mono.empty();
	}

}
