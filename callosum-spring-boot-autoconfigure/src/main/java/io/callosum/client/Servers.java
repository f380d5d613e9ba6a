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

package io.callosum.client;

import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.random.RandomGenerator;

import org.jspecify.annotations.Nullable;

/**
 * The servers of a pool: the list, what is remembered about some of them, and which of
 * them to dial. Guarded by the pool's lock.
 */
final class Servers {

	/**
	 * Above this number of servers, random draws are tried before all servers are
	 * examined.
	 */
	private static final int MANY = 64;

	private static final int DRAWS = 16;

	private final PoolSettings settings;

	private final RandomGenerator random;

	private final Map<InetSocketAddress, PoolServer> states = new HashMap<>();

	private ServerList list = ServerList.EMPTY;

	/**
	 * Which servers of the list have ever sent a slot line.
	 */
	private BitSet reached = new BitSet(0);

	Servers(PoolSettings settings, RandomGenerator random) {
		this.settings = settings;
		this.random = random;
	}

	ServerList list() {
		return this.list;
	}

	void list(ServerList list) {
		BitSet reached = new BitSet(0);
		for (int i = this.reached.nextSetBit(0); i >= 0; i = this.reached.nextSetBit(i + 1)) {
			int index = list.indexOf(this.list.get(i));
			if (index >= 0) {
				reached.set(index);
			}
		}
		this.reached = reached;
		this.list = list;
		this.states.values().removeIf((server) -> {
			server.listed = list.contains(server.address);
			return !server.listed;
		});
	}

	/**
	 * Return what is remembered about a server of the list.
	 */
	PoolServer get(InetSocketAddress address) {
		return this.states.computeIfAbsent(address, PoolServer::new);
	}

	Collection<PoolServer> remembered() {
		return this.states.values();
	}

	/**
	 * Forget a server that has no connections if there is nothing else to remember.
	 */
	void forget(PoolServer server, long now) {
		if (server.listed && server.isUnremarkable(now, this.settings.rules().maxBackoffNanos())) {
			this.states.remove(server.address);
		}
	}

	/**
	 * Return how many servers are neither unreachable nor ejected.
	 */
	int available() {
		int unavailable = 0;
		for (PoolServer server : this.states.values()) {
			if (!server.isAvailable()) {
				unavailable++;
			}
		}
		return this.list.size() - unavailable;
	}

	/**
	 * Return a random server that may be dialled, or {@code null}.
	 */
	@Nullable PoolServer random(long now) {
		int size = this.list.size();
		for (int draw = 0; draw < DRAWS && size > 0; draw++) {
			InetSocketAddress address = this.list.get(this.random.nextInt(size));
			PoolServer server = this.states.get(address);
			if (server == null || server.mayBeDialled(now)) {
				return get(address);
			}
		}
		InetSocketAddress chosen = null;
		int candidates = 0;
		for (int i = 0; i < size; i++) {
			PoolServer server = this.states.get(this.list.get(i));
			if ((server == null || server.mayBeDialled(now)) && this.random.nextInt(++candidates) == 0) {
				chosen = this.list.get(i);
			}
		}
		return (chosen != null) ? get(chosen) : null;
	}

	/**
	 * Return a server that may be dialled, or {@code null}: a random one of those with
	 * the fewest connections.
	 */
	@Nullable PoolServer fewestConnections(Members members, long now) {
		int size = this.list.size();
		if (size > MANY) {
			for (int draw = 0; draw < DRAWS; draw++) {
				InetSocketAddress address = this.list.get(this.random.nextInt(size));
				if (!this.states.containsKey(address)) {
					return get(address);
				}
			}
		}
		count(members);
		InetSocketAddress chosen = null;
		int fewest = Integer.MAX_VALUE;
		int candidates = 0;
		for (int i = 0; i < size; i++) {
			PoolServer server = this.states.get(this.list.get(i));
			int connections = (server != null) ? server.count : 0;
			if (connections > fewest || (server != null && !server.mayBeDialled(now))) {
				continue;
			}
			candidates = (connections < fewest) ? 1 : candidates + 1;
			fewest = connections;
			if (this.random.nextInt(candidates) == 0) {
				chosen = this.list.get(i);
			}
		}
		return (chosen != null) ? get(chosen) : null;
	}

	private void count(Members members) {
		for (PoolServer server : this.states.values()) {
			server.count = 0;
		}
		for (int i = 0; i < members.size(); i++) {
			members.get(i).server.count++;
		}
	}

	/**
	 * Return how long it takes until a server that is left alone may be dialled again.
	 * @return the nanoseconds, or -1 if there is no such server
	 */
	long nextDialIn(long now) {
		long next = -1;
		for (PoolServer server : this.states.values()) {
			if (server.backoffs > 0 && !server.ejected && !server.dialling) {
				long delay = Math.max(server.notBefore - now, 0);
				next = (next < 0) ? delay : Math.min(next, delay);
			}
		}
		return next;
	}

	/**
	 * A server has sent a slot line.
	 */
	void reached(PoolServer server) {
		int index = this.list.indexOf(server.address);
		if (index >= 0) {
			this.reached.set(index);
		}
		server.unreachable = false;
		server.returning = false;
		if (server.failures == 0) {
			server.lastFailure = null;
		}
	}

	/**
	 * A server has served a lease.
	 */
	void served(PoolServer server) {
		server.failures = 0;
		if (!server.unreachable) {
			// Else it serves its existing connections, but accepts no more
			server.backoffs = 0;
			server.lastFailure = null;
		}
	}

	/**
	 * Leave a server alone for a while, longer each time. Failures while it is already
	 * left alone are part of the same problem.
	 */
	void leaveAlone(PoolServer server, long now) {
		Rules rules = this.settings.rules();
		if (server.backoffs > 0 && now - server.notBefore < 0) {
			return;
		}
		if (now - server.notBefore > rules.maxBackoffNanos()) {
			server.backoffs = 0;
		}
		server.notBefore = now + jittered(grown(rules.minBackoffNanos(), server.backoffs, rules.maxBackoffNanos()));
		server.backoffs++;
	}

	/**
	 * Count a failure of a server.
	 * @return whether it is to be ejected
	 */
	boolean failed(PoolServer server, long now) {
		PoolSettings.Ejection ejection = this.settings.ejection();
		if (ejection == null || !server.listed || server.ejected) {
			return false;
		}
		if (now - server.lastFailureAt > ejection.maxNanos()) {
			server.failures = 0;
		}
		server.failures++;
		server.lastFailureAt = now;
		if (now - server.fineSince >= server.ejectionNanos) {
			server.ejections = 0;
		}
		server.fineSince = now;
		return server.failures >= ejection.failures() && mayEject(server, ejection);
	}

	private boolean mayEject(PoolServer candidate, PoolSettings.Ejection ejection) {
		int ejected = 0;
		for (PoolServer server : this.states.values()) {
			if (server.ejected) {
				ejected++;
			}
		}
		int othersAvailable = available() - (candidate.isAvailable() ? 1 : 0);
		return othersAvailable > 0 && ejected + 1 <= (long) this.list.size() * ejection.maxPercent() / 100;
	}

	/**
	 * Eject a server.
	 * @return the duration in nanoseconds
	 */
	long eject(PoolServer server) {
		assert !server.ejected;
		PoolSettings.Ejection ejection = Objects.requireNonNull(this.settings.ejection());
		server.ejected = true;
		server.ejectionNanos = jittered(grown(ejection.minNanos(), server.ejections, ejection.maxNanos()));
		server.ejections++;
		return server.ejectionNanos;
	}

	/**
	 * End the ejection of a server.
	 */
	void restore(PoolServer server, long now) {
		server.ejected = false;
		server.failures = 0;
		server.fineSince = now;
	}

	private long grown(long first, int times, long most) {
		return (long) Math.min(first * Math.pow(this.settings.rules().growth(), times), most);
	}

	/**
	 * Return a delay with random jitter.
	 */
	long jittered(long nanos) {
		return (long) (nanos * (1 + this.settings.rules().jitter() * (2 * this.random.nextDouble() - 1)));
	}

	List<ClientSnapshot.Server> snapshot(Members members) {
		List<ClientSnapshot.Server> snapshot = new ArrayList<>(this.list.size());
		count(members);
		for (int i = 0; i < this.list.size(); i++) {
			PoolServer server = this.states.get(this.list.get(i));
			snapshot.add(new ClientSnapshot.Server(this.list.get(i), state(server, i),
					(server != null) ? server.count : 0, (server != null) ? server.lastFailure : null));
		}
		return snapshot;
	}

	private ClientSnapshot.Server.State state(@Nullable PoolServer server, int index) {
		if (server != null && server.ejected) {
			return ClientSnapshot.Server.State.EJECTED;
		}
		if (server != null && server.unreachable) {
			return ClientSnapshot.Server.State.UNREACHABLE;
		}
		return this.reached.get(index) ? ClientSnapshot.Server.State.REACHABLE : ClientSnapshot.Server.State.UNKNOWN;
	}

}
