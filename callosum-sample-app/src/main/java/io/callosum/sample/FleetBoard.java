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
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

import org.springframework.stereotype.Component;

/**
 * What the page shows of the {@link Fleet}, updated a few times a second. Each update
 * with changes gets the next version. A viewer asks for the changes since the version
 * that it has, so nothing is queued for slow viewers.
 */
@Component
class FleetBoard {

	private static final int MAX_EVENTS = 100;

	static final String TURNED_DOWN = "turned down";

	private static final int UPDATES_PER_EVENT = 4;

	private static final int UPDATES_PER_TURNED_DOWN = 20;

	private final Map<String, Server> servers = new LinkedHashMap<>();

	private final Map<String, Rate> rates = new LinkedHashMap<>();

	private final Map<Happening, Clients> happenings = new LinkedHashMap<>();

	private final Deque<Event> events = new ArrayDeque<>();

	private final BalanceHistory balance = new BalanceHistory();

	private Settings settings = new Settings(0, false, 0, List.of());

	private long failed;

	private long updates;

	private long version;

	/**
	 * Report what a client did. Called on event loops.
	 */
	synchronized void report(String type, int client, InetSocketAddress server) {
		this.happenings
			.computeIfAbsent(new Happening(type, (server != null) ? server.getPort() : 0), (key) -> new Clients())
			.add(client);
	}

	/**
	 * Forget what the previous fleet did.
	 */
	synchronized void begin() {
		this.failed = 0;
		this.happenings.clear();
	}

	synchronized void requestFailed() {
		this.failed++;
	}

	/**
	 * Report what a user did.
	 */
	synchronized void act(String action, String server) {
		addEvent(this.version + 1, "action", server, List.of(), 1, action);
		this.version++;
	}

	synchronized void update(Collection<FleetServer> servers, Collection<FleetClient> clients, int poolSize,
			boolean rolling) {
		long next = this.version + 1;
		boolean changed = updateServers(next, servers);
		changed |= updateBalance(next);
		Settings settings = new Settings(poolSize, rolling, this.failed,
				clients.stream().map(FleetClient::id).sorted().toList());
		changed |= !settings.equals(this.settings);
		this.settings = settings;
		changed |= addEvents(next);
		this.version = changed ? next : this.version;
	}

	/**
	 * Combine what happened into few events, so that the list stays readable. Dials that
	 * are turned down would fill the list at rest, and are combined for longer.
	 */
	private boolean addEvents(long version) {
		this.updates++;
		return this.happenings.entrySet().removeIf((entry) -> {
			Happening happening = entry.getKey();
			int updates = happening.type().equals(TURNED_DOWN) ? UPDATES_PER_TURNED_DOWN : UPDATES_PER_EVENT;
			if (this.updates % updates != 0) {
				return false;
			}
			String server = nameOf(happening.port());
			if (server != null || happening.port() == 0) {
				Clients who = entry.getValue();
				addEvent(version, happening.type(), server, List.copyOf(who.ids), who.count, "");
			}
			return true;
		});
	}

	private boolean updateServers(long version, Collection<FleetServer> servers) {
		List<String> names = servers.stream().map(FleetServer::name).toList();
		boolean changed = this.servers.keySet().retainAll(names);
		this.rates.keySet().retainAll(names);
		for (FleetServer server : servers) {
			double rate = this.rates.computeIfAbsent(server.name(), (name) -> new Rate()).update(server.answers());
			Server now = new Server(version, server.name(), server.address().port(), server.state().toString(),
					server.weight(), Math.round(rate), server.clients());
			Server before = this.servers.get(server.name());
			if (before == null || !now.isSameAs(before)) {
				this.servers.put(server.name(), now);
				changed = true;
			}
		}
		return changed;
	}

	private boolean updateBalance(long version) {
		List<Server> running = this.servers.values()
			.stream()
			.filter((server) -> server.state().equals(FleetServer.State.RUNNING.toString()))
			.toList();
		double max = running.stream().mapToDouble(Server::load).max().orElse(0);
		double min = running.stream().mapToDouble(Server::load).min().orElse(0);
		double mean = running.stream().mapToInt(Server::connections).sum()
				/ running.stream().mapToDouble(Server::weight).sum();
		return this.balance.add(new Sample(version, Instant.now().getEpochSecond(), (max > 0) ? round(max / mean) : 1,
				round(max - min)));
	}

	private void addEvent(long version, String type, String server, List<Integer> clients, int count, String text) {
		this.events.addLast(new Event(version, System.currentTimeMillis(), type, server, clients, count, text));
		if (this.events.size() > MAX_EVENTS) {
			this.events.removeFirst();
		}
	}

	private String nameOf(int port) {
		return this.servers.values()
			.stream()
			.filter((server) -> server.port() == port)
			.map(Server::name)
			.findFirst()
			.orElse(null);
	}

	/**
	 * Return what has changed.
	 * @param version the version that the viewer has, or a negative number for none
	 * @return the changes since that version, or everything
	 */
	synchronized Update since(long version) {
		return new Update(version, this.version, System.currentTimeMillis(), this.settings,
				List.copyOf(this.servers.keySet()), newer(this.servers.values(), version), newer(this.events, version),
				newer(this.balance.samples(), version));
	}

	private static <T extends Versioned> List<T> newer(Collection<T> all, long version) {
		return all.stream().filter((one) -> one.version() > version).toList();
	}

	private static double round(double value) {
		return Math.round(value * 100) / 100.0;
	}

	/**
	 * Return a number with no more digits than it needs.
	 */
	static String format(double value) {
		return (value == Math.rint(value)) ? String.valueOf((long) value) : String.valueOf(value);
	}

	private interface Versioned {

		long version();

	}

	/**
	 * A snapshot or a change.
	 *
	 * @param since the version that it builds on, or a negative number for a snapshot
	 * @param version the version that it leads to
	 * @param now the current time, by this machine's clock in milliseconds
	 * @param settings the settings
	 * @param names the names of all servers, in order
	 * @param servers the servers that have changed
	 * @param events the last events
	 * @param samples the balance over time
	 */
	record Update(long since, long version, long now, Settings settings, List<String> names, List<Server> servers,
			List<Event> events, List<Sample> samples) implements UpdateStream.Update {

	}

	record Settings(int poolSize, boolean rolling, long failed, List<Integer> clients) {

	}

	/**
	 * A server.
	 *
	 * @param version the version of its last change
	 * @param name its name
	 * @param port its port
	 * @param state its state
	 * @param weight its weight
	 * @param rate the requests per second that it answers
	 * @param slots the client of each slot, 0 for a free one
	 */
	record Server(long version, String name, int port, String state, double weight, long rate,
			List<Integer> slots) implements Versioned {

		int connections() {
			return (int) this.slots.stream().filter((client) -> client > 0).count();
		}

		double load() {
			return connections() / this.weight;
		}

		boolean isSameAs(Server other) {
			return this.equals(new Server(this.version, other.name, other.port, other.state, other.weight, other.rate,
					other.slots));
		}

	}

	/**
	 * An event, which may combine several of the same type.
	 *
	 * @param version the version
	 * @param at when it happened, by this machine's clock in milliseconds
	 * @param type what happened
	 * @param server the name of the server, or {@code null}
	 * @param clients the clients
	 * @param count how often it happened
	 * @param text the details, for an action what was done
	 */
	record Event(long version, long at, String type, String server, List<Integer> clients, int count,
			String text) implements Versioned {

	}

	/**
	 * How even the running servers are. A load is connections divided by weight.
	 *
	 * @param version the version
	 * @param second the second, by this machine's clock
	 * @param ratio the highest load divided by the mean load
	 * @param spread the highest load minus the lowest load
	 */
	record Sample(long version, long second, double ratio, double spread) implements Versioned {

	}

	private record Happening(String type, int port) {

	}

	private static final class Clients {

		private final TreeSet<Integer> ids = new TreeSet<>();

		private int count;

		void add(int client) {
			this.ids.add(client);
			this.count++;
		}

	}

	/**
	 * Requests per second, over the last few seconds.
	 */
	private static final class Rate {

		private static final int SECONDS = 4;

		private final Deque<long[]> counts = new ArrayDeque<>();

		double update(long count) {
			long now = System.nanoTime();
			if (!this.counts.isEmpty() && count < this.counts.getLast()[1]) {
				// A new server of the same name, after a reset
				this.counts.clear();
			}
			this.counts.addLast(new long[] { now, count });
			while (now - this.counts.getFirst()[0] > SECONDS * 1_000_000_000L) {
				this.counts.removeFirst();
			}
			long[] first = this.counts.getFirst();
			return (now > first[0]) ? (count - first[1]) * 1e9 / (now - first[0]) : 0;
		}

	}

}
