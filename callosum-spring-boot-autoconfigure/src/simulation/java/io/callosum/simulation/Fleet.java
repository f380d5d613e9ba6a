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

package io.callosum.simulation;

import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.function.Function;
import java.util.random.RandomGenerator;

/**
 * Everything of one run: the clock, the servers, the clients and the network between
 * them. Each source of randomness has a stream of its own, derived from the seed, so that
 * what one arm draws does not change what happens to another.
 *
 * @author The Callosum authors
 */
public final class Fleet {

	static final long SLOT_TIMEOUT = Duration.ofSeconds(2).toNanos();

	private static final long MIN_DELAY = 100_000;

	private static final long DELAY_RANGE = 300_000;

	/** The clock. */
	public final VirtualTime time = new VirtualTime();

	final List<SimulatedServer> servers = new ArrayList<>();

	final List<SimulatedClient> clients = new ArrayList<>();

	final Cell cell;

	long dials;

	int cutWhileLeased;

	/** Clients that have left. */
	int stopped;

	private final Map<InetSocketAddress, SimulatedServer> serversByAddress = new HashMap<>();

	private final Map<List<SimulatedServer>, Object> derived = new IdentityHashMap<>();

	private final long seed;

	private final RandomGenerator network;

	private final Arm arm;

	Fleet(Cell cell, Arm arm, long seed) {
		this.cell = cell;
		this.arm = arm;
		this.seed = seed;
		this.network = stream("network", 0);
		for (int i = 0; i < cell.servers(); i++) {
			addServer();
		}
		for (int i = 0; i < cell.clients(); i++) {
			this.clients.add(arm.create(this, i));
		}
	}

	void addServer() {
		SimulatedServer server = new SimulatedServer(this, this.servers.size());
		this.servers.add(server);
		this.serversByAddress.put(server.address(), server);
	}

	/**
	 * Return a server.
	 * @param address its address
	 * @return the server
	 */
	public SimulatedServer server(InetSocketAddress address) {
		return Objects.requireNonNull(this.serversByAddress.get(address));
	}

	/**
	 * Derive something from a list of servers, once for all clients that get the list.
	 * @param <T> the type of what is derived
	 * @param servers the list
	 * @param function derives it, always in the same way
	 * @return what was derived
	 */
	@SuppressWarnings("unchecked")
	public <T> T derive(List<SimulatedServer> servers, Function<List<SimulatedServer>, T> function) {
		return (T) this.derived.computeIfAbsent(servers, (key) -> Objects.requireNonNull(function.apply(key)));
	}

	/**
	 * Return a source of randomness.
	 * @param purpose what it is for
	 * @param index its number among the sources for that purpose
	 * @return the source, at its beginning
	 */
	public RandomGenerator stream(String purpose, int index) {
		long hash = this.seed * 0x9E3779B97F4A7C15L;
		for (int i = 0; i < purpose.length(); i++) {
			hash = (hash ^ purpose.charAt(i)) * 0x100000001B3L;
		}
		return new SplittableRandom(new SplittableRandom(hash + index * 0xD1342543DE82EF95L).nextLong());
	}

	/**
	 * Return the size of each client's pool.
	 * @return the number of connections
	 */
	public int poolSize() {
		return this.cell.poolSize();
	}

	/**
	 * Return the roving interval.
	 * @return nanoseconds
	 */
	public long interval() {
		return this.cell.interval().toNanos();
	}

	Arm arm() {
		return this.arm;
	}

	/**
	 * Dial a server and wait for its slot line.
	 * @param server the server
	 * @param handler receives the events of the connection
	 * @return the connection, not established yet
	 */
	public SimulatedConnection dial(SimulatedServer server, SimulatedConnection.Handler handler) {
		return dial(server, handler, false);
	}

	/**
	 * Dial a server like a client that knows nothing about slots.
	 * @param server the server
	 * @param handler receives the events of the connection
	 * @return the connection, not established yet
	 */
	public SimulatedConnection dialPlain(SimulatedServer server, SimulatedConnection.Handler handler) {
		return dial(server, handler, true);
	}

	private SimulatedConnection dial(SimulatedServer server, SimulatedConnection.Handler handler, boolean plain) {
		this.dials++;
		long delay = MIN_DELAY + this.network.nextLong(DELAY_RANGE);
		SimulatedConnection connection = new SimulatedConnection(this, server, handler, delay);
		this.time.run(delay, () -> server.dialled(connection, plain));
		return connection;
	}

	void run(Duration duration) {
		this.time.runUntil(this.time.now() + duration.toNanos());
	}

	void startClients(Duration within) {
		RandomGenerator chance = stream("start", 0);
		List<SimulatedServer> known = List.copyOf(this.servers);
		for (SimulatedClient client : this.clients) {
			long delay = within.isZero() ? 0 : chance.nextLong(within.toNanos());
			this.time.run(delay, () -> client.start(known));
		}
	}

	/** Let every client learn about the servers at a random moment, as by a lookup. */
	void publish(List<SimulatedServer> servers, Duration within) {
		RandomGenerator chance = stream("publish", (int) (this.time.now() / 1_000_000));
		for (SimulatedClient client : this.clients) {
			this.time.run(chance.nextLong(within.toNanos()), () -> client.serversChanged(servers));
		}
	}

}
