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

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.random.RandomGenerator;

import org.jspecify.annotations.Nullable;

/**
 * A client with one connection to each server, or to each of a random subset, that
 * carries any number of requests at a time; a policy chooses among those that are up.
 *
 * @author The Callosum authors
 */
final class MeshClient implements SimulatedClient, SimulatedConnection.Handler {

	private static final double MIN_BACK_OFF = 0.5e9;

	private static final double MAX_BACK_OFF = 30e9;

	private final Fleet fleet;

	private final int subset;

	private final Policy policy;

	private final RandomGenerator chance;

	private final List<Endpoint> ready = new ArrayList<>();

	private final List<Endpoint> endpoints = new ArrayList<>();

	private int turn;

	private boolean running;

	/**
	 * Create a client.
	 * @param subset the number of servers to connect to, or 0 for all
	 * @param policy how to choose among them
	 */
	MeshClient(Fleet fleet, int index, int subset, Policy policy) {
		this.fleet = fleet;
		this.subset = subset;
		this.policy = policy;
		this.chance = fleet.stream("client", index);
	}

	@Override
	public void start(List<SimulatedServer> servers) {
		this.running = true;
		List<SimulatedServer> chosen = new ArrayList<>(servers);
		Collections.shuffle(chosen, new Random(this.chance.nextLong()));
		if (this.subset > 0) {
			chosen = chosen.subList(0, Math.min(this.subset, chosen.size()));
		}
		chosen.forEach((server) -> add(new Endpoint(server)));
	}

	private void add(Endpoint endpoint) {
		this.endpoints.add(endpoint);
		dial(endpoint);
	}

	private void dial(Endpoint endpoint) {
		if (this.running) {
			endpoint.connection = this.fleet.dialPlain(endpoint.server, this);
			endpoint.connection.attach(endpoint);
		}
	}

	@Override
	public void stop() {
		this.running = false;
		for (Endpoint endpoint : this.endpoints) {
			if (endpoint.connection != null) {
				endpoint.connection.close();
			}
		}
		this.ready.clear();
	}

	@Override
	public void serversChanged(List<SimulatedServer> servers) {
		// Arms of this kind are only used in scenarios whose servers stay the same
	}

	@Override
	public void connected(SimulatedConnection connection) {
		Endpoint endpoint = endpoint(connection);
		endpoint.backOff = MIN_BACK_OFF;
		this.ready.add(endpoint);
	}

	@Override
	public void failed(SimulatedConnection connection) {
		retry(endpoint(connection));
	}

	@Override
	public void closed(SimulatedConnection connection) {
		Endpoint endpoint = endpoint(connection);
		this.ready.remove(endpoint);
		List<Request> lost = new ArrayList<>(endpoint.pending);
		endpoint.pending.clear();
		lost.forEach((request) -> request.complete(false));
		retry(endpoint);
	}

	private void retry(Endpoint endpoint) {
		endpoint.connection = null;
		double delay = endpoint.backOff * (0.8 + 0.4 * this.chance.nextDouble());
		endpoint.backOff = Math.min(endpoint.backOff * 1.6, MAX_BACK_OFF);
		this.fleet.time.run((long) delay, () -> dial(endpoint));
	}

	private static Endpoint endpoint(SimulatedConnection connection) {
		if (connection.attachment() instanceof Endpoint endpoint) {
			return endpoint;
		}
		throw new IllegalStateException("A connection without its endpoint");
	}

	@Override
	public void request(Request request) {
		Endpoint endpoint = choose();
		if (endpoint == null || endpoint.connection == null) {
			request.complete(false);
			return;
		}
		endpoint.pending.add(request);
		endpoint.server.inSystem++;
		request.sendOn(endpoint.connection);
	}

	@Override
	public void answered(SimulatedConnection connection, Request request, boolean success) {
		Endpoint endpoint = endpoint(connection);
		if (endpoint.pending.remove(request)) {
			endpoint.server.inSystem = Math.max(0, endpoint.server.inSystem - 1);
			endpoint.observe(this.fleet.time.now() - request.arrival, this.fleet.time.now());
			request.complete(success);
		}
	}

	@Override
	public void timedOut(Request request) {
		if (request.connection() != null) {
			Endpoint endpoint = endpoint(request.connection());
			if (endpoint.pending.remove(request)) {
				endpoint.server.inSystem = Math.max(0, endpoint.server.inSystem - 1);
				endpoint.observe(this.fleet.time.now() - request.arrival, this.fleet.time.now());
			}
		}
	}

	private @Nullable Endpoint choose() {
		int size = this.ready.size();
		if (size == 0) {
			return null;
		}
		return switch (this.policy) {
			case RANDOM -> random(size);
			case ROUND_ROBIN -> this.ready.get(Math.floorMod(this.turn++, size));
			case TWO_CHOICES -> twoChoices(size, false);
			case PEAK_EWMA -> twoChoices(size, true);
			case LEAST_LOADED -> least(size, false);
			case SHORTEST_QUEUE -> least(size, true);
		};
	}

	private Endpoint random(int size) {
		return this.ready.get(this.chance.nextInt(size));
	}

	private Endpoint twoChoices(int size, boolean byLatency) {
		if (size == 1) {
			return this.ready.get(0);
		}
		int first = this.chance.nextInt(size);
		int second = this.chance.nextInt(size - 1);
		Endpoint one = this.ready.get(first);
		Endpoint other = this.ready.get((second < first) ? second : second + 1);
		if (byLatency) {
			long now = this.fleet.time.now();
			return (one.cost(now) <= other.cost(now)) ? one : other;
		}
		return (one.pending.size() <= other.pending.size()) ? one : other;
	}

	/** The least loaded one, by this client's requests or, for the bound, by all. */
	private Endpoint least(int size, boolean all) {
		int start = this.chance.nextInt(size);
		Endpoint least = this.ready.get(start);
		for (int i = 1; i < size; i++) {
			Endpoint other = this.ready.get((start + i < size) ? start + i : start + i - size);
			if ((all ? other.server.inSystem - least.server.inSystem
					: other.pending.size() - least.pending.size()) < 0) {
				least = other;
			}
		}
		return least;
	}

	enum Policy {

		RANDOM, ROUND_ROBIN, TWO_CHOICES, LEAST_LOADED, PEAK_EWMA,

		/** The bound: knows the unanswered requests of all clients. */
		SHORTEST_QUEUE

	}

	/**
	 * One server of the mesh.
	 */
	private static final class Endpoint {

		/** As in Finagle: the time in which the latency decays. */
		private static final double DECAY = 10e9;

		/** As in Finagle: the cost if requests are pending and none was answered yet. */
		private static final double PENALTY = Long.MAX_VALUE >> 16;

		private final SimulatedServer server;

		private final List<Request> pending = new ArrayList<>();

		private @Nullable SimulatedConnection connection;

		private double backOff = MIN_BACK_OFF;

		private double latency;

		private long observedAt;

		Endpoint(SimulatedServer server) {
			this.server = server;
		}

		/** A peak counts at once, and lower samples only as time passes. */
		void observe(long sample, long now) {
			if (sample > this.latency) {
				this.latency = sample;
			}
			else {
				double keep = Math.exp((this.observedAt - now) / DECAY);
				this.latency = this.latency * keep + sample * (1 - keep);
			}
			this.observedAt = now;
		}

		double cost(long now) {
			observe(0, now);
			if (this.latency == 0) {
				return this.pending.isEmpty() ? 0 : PENALTY + this.pending.size();
			}
			return this.latency * (this.pending.size() + 1);
		}

	}

}
