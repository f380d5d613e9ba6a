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

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;

import io.netty.handler.codec.LineBasedFrameDecoder;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.netty.resources.LoopResources;

import org.springframework.util.Assert;

import io.callosum.client.ServerAddress;
import io.callosum.server.CallosumConnection;
import io.callosum.server.CallosumServer;
import io.callosum.server.NoSlotAvailableException;
import io.callosum.server.ServerBindException;
import io.callosum.server.SlotRequestEvent;

/**
 * A server of the {@link Fleet}. It starts again on the same port, with the weight that
 * was set last.
 */
final class FleetServer {

	static final String HELLO = "hello ";

	private static final String HOST = "127.0.0.1";

	private static final String CLIENT = "client";

	private static final Duration DRAIN = Duration.ofSeconds(30);

	private static final double MAX_WEIGHT = 10;

	private final String name;

	private final LoopResources loops;

	private final LongAdder answers = new LongAdder();

	private volatile CallosumServer server;

	private volatile int port;

	private volatile double weight = 1;

	/**
	 * Completes when the server is unfrozen, {@code null} while it is not frozen.
	 */
	private final AtomicReference<Sinks.Empty<Void>> frozen = new AtomicReference<>();

	private volatile boolean closed;

	FleetServer(String name, LoopResources loops) {
		this.name = name;
		this.loops = loops;
		this.server = build(0);
	}

	private CallosumServer build(int port) {
		return CallosumServer.builder()
			.host(HOST)
			.port(port)
			.weight(this.weight)
			.loopResources(this.loops)
			.connectionHandler(this::handle)
			.eventPublisher(this::onEvent)
			.build();
	}

	String name() {
		return this.name;
	}

	ServerAddress address() {
		return new ServerAddress(HOST, this.port);
	}

	double weight() {
		return this.weight;
	}

	/**
	 * Return how many requests the server has answered.
	 */
	long answers() {
		return this.answers.sum();
	}

	State state() {
		CallosumServer server = this.server;
		if (!server.isRunning()) {
			return State.STOPPED;
		}
		if (server.isStopping()) {
			return State.STOPPING;
		}
		return (this.frozen.get() != null) ? State.FROZEN : State.RUNNING;
	}

	/**
	 * Return the client of each slot, 0 for a free one. A connection whose client has not
	 * introduced itself is left out, because most of those are turned down.
	 */
	List<Integer> clients() {
		List<Integer> clients = new ArrayList<>();
		for (CallosumConnection connection : this.server.connections()) {
			if (connection.attributes().get(CLIENT) instanceof Integer client) {
				while (clients.size() < connection.slot()) {
					clients.add(0);
				}
				clients.add(client);
			}
		}
		return clients;
	}

	/**
	 * Return the number of connections whose client is known.
	 */
	long connections() {
		return clients().stream().filter((client) -> client > 0).count();
	}

	/**
	 * Start the server, unless it is running or has been closed.
	 * @return {@code true} if the server was started
	 */
	synchronized boolean start() {
		if (this.closed || this.server.isRunning()) {
			return false;
		}
		CallosumServer started = build(this.port);
		try {
			started.start();
		}
		catch (ServerBindException ex) {
			// Another process has taken the port in the meantime
			started = build(0);
			started.start();
		}
		this.port = started.address().getPort();
		this.server = started;
		return true;
	}

	/**
	 * Stop the server when the requests in progress have been answered.
	 */
	synchronized void stop() {
		unfreeze();
		this.server.stop(DRAIN);
	}

	/**
	 * Close all connections at once, as when the process is killed. Not synchronized, so
	 * that it ends a stop in progress instead of waiting for it.
	 */
	void kill() {
		unfreeze();
		this.server.stop();
	}

	/**
	 * Restart the server if it is running.
	 */
	synchronized void restart() {
		if (this.server.isRunning()) {
			stop();
			start();
		}
	}

	void close() {
		this.closed = true;
		kill();
		synchronized (this) {
			// In case a start was in progress
			this.server.stop();
		}
	}

	/**
	 * Neither assign slots nor answer requests, as when the process is suspended.
	 * @return {@code false} if the server was frozen before
	 */
	synchronized boolean freeze() {
		Assert.state(this.server.isRunning(), () -> "Server " + this.name + " is not running");
		return this.frozen.compareAndSet(null, Sinks.empty());
	}

	/**
	 * Go on where {@link #freeze()} interrupted the server.
	 * @return {@code false} if the server was not frozen
	 */
	boolean unfreeze() {
		Sinks.Empty<Void> frozen = this.frozen.getAndSet(null);
		if (frozen != null) {
			frozen.tryEmitEmpty();
		}
		return frozen != null;
	}

	/**
	 * Set the weight, which takes effect at the next start.
	 * @return {@code false} if the server had that weight before
	 */
	synchronized boolean setWeight(double weight) {
		Assert.isTrue(weight > 0 && weight <= MAX_WEIGHT, "The weight must be more than 0 and at most 10");
		boolean changed = weight != this.weight;
		this.weight = weight;
		return changed;
	}

	private Publisher<Void> handle(CallosumConnection connection) {
		Flux<String> answers = connection.inbound()
			.withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(1024)))
			.receive()
			.asString()
			.concatMap((line) -> whenUnfrozen().then(Mono.fromSupplier(() -> answer(connection, line))));
		return connection.outbound().sendString(answers);
	}

	private String answer(CallosumConnection connection, String line) {
		if (line.startsWith(HELLO)) {
			connection.attributes().put(CLIENT, Integer.valueOf(line.substring(HELLO.length())));
		}
		else {
			this.answers.increment();
		}
		return this.name + "\r\n";
	}

	private void onEvent(Object event) {
		if (event instanceof SlotRequestEvent request && this.frozen.get() != null) {
			request.assign(whenUnfrozen().then(Mono.error(new NoSlotAvailableException("The server was frozen"))));
		}
	}

	private Mono<Void> whenUnfrozen() {
		Sinks.Empty<Void> frozen = this.frozen.get();
		return (frozen != null) ? frozen.asMono() : Mono.empty();
	}

	enum State {

		RUNNING, STOPPING, STOPPED, FROZEN;

		@Override
		public String toString() {
			return name().toLowerCase(Locale.ROOT);
		}

	}

}
