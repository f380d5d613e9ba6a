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

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

import io.netty.channel.EventLoopGroup;
import org.HdrHistogram.Histogram;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;
import reactor.netty.resources.LoopResources;

import org.springframework.boot.logging.LogLevel;
import org.springframework.boot.logging.LoggingSystem;

/**
 * A client under test, in a process of its own, on one event loop. It reads questions as
 * lines from its standard input, writes answers as lines to its standard output, and ends
 * when its standard input does.
 * <dl>
 * <dt>{@code open <connections>}
 * <dd>replace the client with a new one that has this many connections, or with none if
 * the number is 0
 * <dt>{@code exchange <callers> <exchanges>}
 * <dd>let each caller send its next request when it has its answer; answers with the
 * nanoseconds that all exchanges took, and the 50th and 99th percentile of those that one
 * took
 * <dt>{@code heap}
 * <dd>answers with the number of bytes of the heap that are in use
 * </dl>
 *
 * @author The Callosum authors
 */
final class ExchangeMain {

	private final ExchangeRival rival;

	private final boolean epoll;

	private final int port;

	private final LoopResources loops = LoopResources.create("client", 1, true);

	private final Scheduler loop;

	private final Histogram histogram = new Histogram(3);

	private int requests;

	private @Nullable ExchangeClient client;

	private ExchangeMain(ExchangeRival rival, Transport transport, int port) {
		this.rival = rival;
		this.epoll = transport == Transport.EPOLL;
		this.port = port;
		EventLoopGroup group = this.loops.onClient(this.epoll);
		this.loop = Schedulers.fromExecutor(group.next());
	}

	public static void main(String[] args) throws Exception {
		PrintStream answers = System.out;
		System.setOut(System.err);
		LoggingSystem.get(ExchangeMain.class.getClassLoader())
			.setLogLevel(LoggingSystem.ROOT_LOGGER_NAME, LogLevel.INFO);
		ExchangeMain main = new ExchangeMain(ExchangeRival.valueOf(args[0]), Transport.valueOf(args[1]),
				Integer.parseInt(args[2]));
		BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
		for (String question = questions.readLine(); question != null; question = questions.readLine()) {
			String[] words = question.split(" ");
			switch (words[0]) {
				case "open" -> answers.println(main.open(Integer.parseInt(words[1])));
				case "exchange" ->
					answers.println(main.exchange(Integer.parseInt(words[1]), Integer.parseInt(words[2])));
				case "heap" -> answers.println(ServerMain.heapAfterGc());
				default -> throw new IllegalArgumentException(question);
			}
		}
		Runtime.getRuntime().halt(0);
	}

	private int open(int connections) {
		if (this.client != null) {
			this.client.close();
			this.client = null;
		}
		if (connections > 0) {
			this.client = this.rival.client
				.create(new ExchangeClient.Target(this.port, connections, this.loops, this.epoll));
			// With this many exchanges at once, each pool opens this many connections
			exchange(connections, connections);
		}
		return connections;
	}

	private String exchange(int callers, int exchanges) {
		this.histogram.reset();
		long start = System.nanoTime();
		// All callers start in one task of the event loop, before any answer
		Flux.range(0, callers)
			.flatMap((caller) -> exchange().repeat(exchanges / callers - 1), callers)
			.subscribeOn(this.loop)
			.blockLast();
		long elapsed = System.nanoTime() - start;
		if (this.histogram.getTotalCount() != exchanges) {
			throw new IllegalStateException(this.histogram.getTotalCount() + " of " + exchanges + " were answered");
		}
		return elapsed + " " + this.histogram.getValueAtPercentile(50) + " " + this.histogram.getValueAtPercentile(99);
	}

	private Mono<String> exchange() {
		return Mono.defer(() -> {
			long start = System.nanoTime();
			String request = "a request of this client, and its number is " + this.requests++;
			return this.client.exchange(request).doOnNext((answer) -> {
				if (!answer.equals(request)) {
					throw new IllegalStateException("'" + answer + "' answers '" + request + "'");
				}
				this.histogram.recordValue(System.nanoTime() - start);
			});
		});
	}

}
