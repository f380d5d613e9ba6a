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

import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Collection;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

import org.reactivestreams.Publisher;
import reactor.core.publisher.Mono;
import reactor.netty.resources.LoopResources;

import io.callosum.client.CallosumClient;
import io.callosum.client.CallosumClientMetricsRecorder;
import io.callosum.client.ConnectionClosedEvent;
import io.callosum.client.ConnectionReadyEvent;
import io.callosum.client.LeasePolicy;
import io.callosum.client.ServerAddress;
import io.callosum.client.ServerEjectedEvent;
import io.callosum.client.ServerRestoredEvent;
import io.callosum.client.ServerUnreachableEvent;

/**
 * A client of the {@link Fleet}. It introduces itself on each connection, and reports
 * what it does to the board.
 */
final class FleetClient implements CallosumClientMetricsRecorder {

	/**
	 * Shorter than the default, so that there is something to see.
	 */
	private static final Duration ROVING_INTERVAL = Duration.ofSeconds(2);

	private final int id;

	private final FleetBoard board;

	private final CallosumClient client;

	private final LineClient lines;

	/**
	 * The number of connections to each server that were lost and have not returned.
	 */
	private final Map<InetSocketAddress, AtomicInteger> lost = new ConcurrentHashMap<>();

	private final AtomicBoolean sending = new AtomicBoolean();

	private volatile boolean ready;

	private volatile boolean stopped;

	FleetClient(int id, int poolSize, Publisher<? extends Collection<ServerAddress>> servers, LoopResources loops,
			FleetBoard board) {
		this.id = id;
		this.board = board;
		this.client = CallosumClient.builder()
			.name("fleet-" + id)
			.servers(servers)
			.poolSize(poolSize)
			.rovingInterval(ROVING_INTERVAL)
			.leasePolicy(LeasePolicy.BALANCED)
			.initializer((lease) -> LineClient.splitLines(lease)
				.then(LineClient.exchange(lease, FleetServer.HELLO + id))
				.then())
			.loopResources(loops)
			.eventPublisher(this::onEvent)
			.metricsRecorder(this)
			.build();
		this.lines = new LineClient(this.client);
	}

	int id() {
		return this.id;
	}

	void start() {
		this.client.start();
	}

	void stop() {
		this.stopped = true;
		this.client.stop();
	}

	/**
	 * Send a request, unless there are no connections yet or the last request is still in
	 * progress.
	 */
	void send() {
		if (!this.ready || !this.sending.compareAndSet(false, true)) {
			return;
		}
		this.lines.send("work").onErrorResume((failure) -> {
			if (!this.stopped) {
				this.board.requestFailed();
				this.board.report("failed: " + failure.getClass().getSimpleName(), this.id, null);
			}
			return Mono.empty();
		}).doFinally((signal) -> this.sending.set(false)).subscribe();
	}

	private void onEvent(Object event) {
		if (event instanceof ConnectionReadyEvent ready) {
			this.ready = true;
			report(returned(ready.getServer()) ? "returned" : "kept", ready.getServer());
		}
		else if (event instanceof ConnectionClosedEvent closed) {
			switch (closed.getReason()) {
				case REPLACED -> report("replaced", closed.getServer());
				case PEER_CLOSED, PEER_RESET -> {
					lost(closed.getServer()).incrementAndGet();
					report("lost", closed.getServer());
				}
				default -> report("closed", closed.getServer());
			}
		}
		else if (event instanceof ServerUnreachableEvent unreachable) {
			report("unreachable", unreachable.getServer());
		}
		else if (event instanceof ServerEjectedEvent ejected) {
			report("ejected", ejected.getServer());
		}
		else if (event instanceof ServerRestoredEvent restored) {
			report("restored", restored.getServer());
		}
	}

	private boolean returned(InetSocketAddress server) {
		return lost(server).getAndUpdate((count) -> Math.max(0, count - 1)) > 0;
	}

	private AtomicInteger lost(InetSocketAddress server) {
		return this.lost.computeIfAbsent(server, (address) -> new AtomicInteger());
	}

	private void report(String type, InetSocketAddress server) {
		this.board.report(type, this.id, server);
	}

	/**
	 * There is no event for this, because most dials of a balanced fleet are turned down.
	 */
	@Override
	public void dialEnded(Duration time, DialOutcome outcome) {
		if (outcome == DialOutcome.TURNED_DOWN) {
			this.board.report(FleetBoard.TURNED_DOWN, this.id, null);
		}
	}

}
