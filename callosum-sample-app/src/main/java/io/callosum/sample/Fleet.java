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
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Locale;
import java.util.NoSuchElementException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.IntStream;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;
import reactor.core.Disposables;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.netty.resources.LoopResources;

import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.context.SmartLifecycle;
import org.springframework.core.task.AsyncTaskExecutor;
import org.springframework.stereotype.Component;
import org.springframework.util.Assert;

import io.callosum.client.ServerAddress;

/**
 * Servers and clients to look at, all in this process, with real connections. The methods
 * that change servers or clients block.
 */
@Component
@ConditionalOnWebApplication
class Fleet implements SmartLifecycle {

	private static final Logger logger = LoggerFactory.getLogger(Fleet.class);

	private static final int SERVERS = 3;

	private static final int MAX_SERVERS = 10;

	private static final int CLIENTS = 12;

	private static final int MAX_CLIENTS = 50;

	private static final int POOL_SIZE = 5;

	private static final int MAX_POOL_SIZE = 20;

	private static final Duration TICK = Duration.ofMillis(250);

	/**
	 * The number of ticks between two requests of a client.
	 */
	private static final int TICKS_PER_REQUEST = 4;

	/**
	 * How long a server is down in a rolling restart: long enough to see where its
	 * connections go.
	 */
	private static final Duration DOWNTIME = Duration.ofSeconds(2);

	/**
	 * How much of its share of the connections a server needs to recover before the next
	 * one is restarted.
	 */
	private static final double SHARE = 0.9;

	private static final Duration MAX_RECOVERY = Duration.ofSeconds(20);

	private final boolean enabled;

	private final FleetBoard board;

	private final AsyncTaskExecutor executor;

	private final List<FleetServer> servers = new CopyOnWriteArrayList<>();

	private final List<FleetClient> clients = new CopyOnWriteArrayList<>();

	private volatile LoopResources loops;

	private volatile Sinks.Many<Collection<ServerAddress>> addresses;

	private volatile Disposable ticks = Disposables.disposed();

	private volatile Disposable rolling = Disposables.disposed();

	private volatile int poolSize;

	Fleet(@Value("${sample.fleet.enabled:true}") boolean enabled, FleetBoard board,
			AsyncTaskExecutor applicationTaskExecutor) {
		this.enabled = enabled;
		this.board = board;
		this.executor = applicationTaskExecutor;
	}

	@Override
	public boolean isAutoStartup() {
		return this.enabled;
	}

	@Override
	public boolean isRunning() {
		return !this.ticks.isDisposed();
	}

	@Override
	public synchronized void start() {
		// A few threads for everything, because they have little to do
		this.loops = LoopResources.create("fleet", 1, 2, true);
		this.addresses = Sinks.many().replay().latest();
		this.poolSize = POOL_SIZE;
		this.board.begin();
		this.ticks = Flux.interval(TICK).onBackpressureDrop().subscribe(this::tick);
		IntStream.range(0, SERVERS).forEach((index) -> newServer());
		IntStream.rangeClosed(1, CLIENTS).forEach((id) -> this.clients.add(newClient(id)));
	}

	@Override
	public synchronized void stop() {
		this.rolling.dispose();
		this.ticks.dispose();
		this.clients.forEach(FleetClient::stop);
		this.servers.forEach(FleetServer::close);
		this.clients.clear();
		this.servers.clear();
		this.loops.disposeLater(Duration.ZERO, Duration.ofSeconds(5)).block();
	}

	/**
	 * Start again with new servers and clients.
	 */
	synchronized void reset() {
		assertRunning();
		stop();
		start();
		this.board.act("reset", null);
	}

	synchronized void addServer() {
		assertRunning();
		Assert.state(this.servers.size() < MAX_SERVERS,
				"There are already " + MAX_SERVERS + " servers, which is the maximum");
		this.board.act("add", newServer().name());
	}

	synchronized void addClient() {
		assertRunning();
		Assert.state(this.clients.size() < MAX_CLIENTS,
				"There are already " + MAX_CLIENTS + " clients, which is the maximum");
		int id = IntStream.rangeClosed(1, MAX_CLIENTS)
			.filter((candidate) -> this.clients.stream().noneMatch((client) -> client.id() == candidate))
			.findFirst()
			.orElseThrow();
		this.clients.add(newClient(id));
		this.board.act("add client " + id, null);
	}

	/**
	 * Remove the client with the highest number.
	 */
	synchronized void removeClient() {
		removeClient(this.clients.stream()
			.mapToInt(FleetClient::id)
			.max()
			.orElseThrow(() -> new IllegalStateException("There are no clients")));
	}

	synchronized void removeClient(int id) {
		FleetClient client = this.clients.stream()
			.filter((candidate) -> candidate.id() == id)
			.findFirst()
			.orElseThrow(() -> new NoSuchElementException("There is no client " + id));
		this.clients.remove(client);
		client.stop();
		this.board.act("remove client " + id, null);
	}

	/**
	 * Change how many connections each client keeps.
	 */
	synchronized void changePoolSize(int change) {
		setPoolSize(this.poolSize + change);
	}

	/**
	 * Set how many connections each client keeps. New clients replace the old ones.
	 */
	synchronized void setPoolSize(int poolSize) {
		assertRunning();
		Assert.isTrue(poolSize > 0 && poolSize <= MAX_POOL_SIZE,
				"Each client keeps from 1 to " + MAX_POOL_SIZE + " connections");
		this.board.act(poolSize + ((poolSize > 1) ? " connections each" : " connection each"), null);
		this.poolSize = poolSize;
		this.clients.replaceAll((client) -> {
			client.stop();
			return newClient(client.id());
		});
	}

	/**
	 * Apply an action to a server. An action without effect, such as stopping a stopped
	 * server, is not reported.
	 */
	void control(String name, ServerAction action) {
		FleetServer server = server(name);
		switch (action) {
			case START -> {
				if (server.start()) {
					this.board.act("start", name);
					publishAddresses();
				}
			}
			case STOP -> {
				reportIfRunning(server, "stop");
				server.stop();
			}
			case KILL -> {
				reportIfRunning(server, "kill");
				server.kill();
			}
			case FREEZE -> {
				if (server.freeze()) {
					this.board.act("freeze", name);
				}
			}
			case UNFREEZE -> {
				if (server.unfreeze()) {
					this.board.act("unfreeze", name);
				}
			}
		}
	}

	/**
	 * Report an action before it is done, so that it precedes the reactions of the
	 * clients.
	 */
	private void reportIfRunning(FleetServer server, String action) {
		if (server.state() != FleetServer.State.STOPPED) {
			this.board.act(action, server.name());
		}
	}

	void setWeight(String name, double weight) {
		FleetServer server = server(name);
		if (server.setWeight(weight)) {
			this.board.act("weight " + FleetBoard.format(weight), name);
			server.restart();
			publishAddresses();
		}
	}

	private FleetServer server(String name) {
		return this.servers.stream()
			.filter((server) -> server.name().equals(name))
			.findFirst()
			.orElseThrow(() -> new NoSuchElementException("There is no server " + name));
	}

	/**
	 * Start to restart one server after another, each when the previous one has recovered
	 * its share of the connections or has had enough time to. A reset ends this.
	 */
	synchronized void restartAll() {
		assertRunning();
		Assert.state(!isRolling(), "A rolling restart is already in progress");
		this.rolling = Flux.fromIterable(this.servers)
			.concatMap((server) -> (server.state() != FleetServer.State.STOPPED)
					? restart(server).then(recovery(server)) : Mono.empty(), 1)
			.subscribe(null, (failure) -> logger.error("The rolling restart failed", failure));
	}

	boolean isRolling() {
		return !this.rolling.isDisposed();
	}

	private Mono<Void> restart(FleetServer server) {
		Mono<Void> stop = inBackground(() -> {
			this.board.act("restart", server.name());
			server.stop();
		});
		Mono<Void> start = inBackground(() -> {
			server.start();
			publishAddresses();
		});
		return stop.then(Mono.delay(DOWNTIME)).then(start);
	}

	private Mono<Void> recovery(FleetServer server) {
		return Flux.interval(TICK).takeUntil((tick) -> hasItsShare(server)).take(MAX_RECOVERY).then();
	}

	private boolean hasItsShare(FleetServer server) {
		double connections = 0;
		double weights = 0;
		for (FleetServer other : this.servers) {
			if (other.state() == FleetServer.State.RUNNING) {
				connections += other.connections();
				weights += other.weight();
			}
		}
		return server.connections() >= Math.floor(SHARE * connections * server.weight() / weights);
	}

	/**
	 * Run a blocking action on a thread that may block. It is never interrupted.
	 */
	Mono<Void> inBackground(Runnable action) {
		return Mono.fromFuture(() -> CompletableFuture.runAsync(action, this.executor), true);
	}

	/**
	 * Publish the addresses of the servers to the clients. A stopped server stays in the
	 * list, so that clients return to it.
	 */
	private synchronized void publishAddresses() {
		this.addresses.tryEmitNext(this.servers.stream().map(FleetServer::address).toList());
	}

	private FleetServer newServer() {
		FleetServer server = new FleetServer(String.valueOf((char) ('A' + this.servers.size())), this.loops);
		server.start();
		this.servers.add(server);
		publishAddresses();
		return server;
	}

	private FleetClient newClient(int id) {
		FleetClient client = new FleetClient(id, this.poolSize, this.addresses.asFlux(), this.loops, this.board);
		client.start();
		return client;
	}

	private void tick(long tick) {
		try {
			for (FleetClient client : this.clients) {
				if ((tick + client.id()) % TICKS_PER_REQUEST == 0) {
					client.send();
				}
			}
			this.board.update(this.servers, this.clients, this.poolSize, isRolling());
		}
		catch (RuntimeException ex) {
			// Without the catch, there would be no further tick
			logger.error("The fleet could not be updated", ex);
		}
	}

	private void assertRunning() {
		Assert.state(isRunning(), "The fleet is not running");
	}

	enum ServerAction {

		START, STOP, KILL, FREEZE, UNFREEZE;

		static ServerAction of(String name) {
			return Arrays.stream(values())
				.filter((action) -> action.name().toLowerCase(Locale.ROOT).equals(name))
				.findFirst()
				.orElseThrow(() -> new NoSuchElementException(
						"There is no such action, only start, stop, kill, freeze and unfreeze"));
		}

	}

}
