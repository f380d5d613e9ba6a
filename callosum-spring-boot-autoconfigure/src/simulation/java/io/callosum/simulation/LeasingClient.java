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

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;

import org.jspecify.annotations.Nullable;

/**
 * A client with a pool of connections, each of which carries one request at a time. A
 * request that finds no idle connection waits; the first one is served first.
 *
 * @author The Callosum authors
 */
abstract class LeasingClient implements SimulatedClient, SimulatedConnection.Handler {

	final Fleet fleet;

	final RandomGenerator chance;

	List<SimulatedServer> servers = new ArrayList<>();

	boolean running;

	private final ArrayDeque<Request> waiting = new ArrayDeque<>();

	LeasingClient(Fleet fleet, int index) {
		this.fleet = fleet;
		this.chance = fleet.stream("client", index);
	}

	/** Take an idle connection out of the pool. */
	abstract @Nullable SimulatedConnection lease();

	/** Put a connection back, or close it. */
	abstract void release(SimulatedConnection connection);

	/** Give up an open connection, which must not be used again. */
	abstract void discard(SimulatedConnection connection);

	@Override
	public final void request(Request request) {
		SimulatedConnection connection = lease();
		if (connection == null) {
			this.waiting.add(request);
		}
		else {
			send(connection, request);
		}
	}

	private void send(SimulatedConnection connection, Request request) {
		connection.attach(request);
		connection.setLeased(true);
		request.sendOn(connection);
	}

	/** Serve waiting requests, now that there is an idle connection. */
	final void serve() {
		while (!this.waiting.isEmpty()) {
			if (this.waiting.getFirst().isDone()) {
				this.waiting.removeFirst();
				continue;
			}
			SimulatedConnection connection = lease();
			if (connection == null) {
				return;
			}
			send(connection, this.waiting.removeFirst());
		}
	}

	@Override
	public final void answered(SimulatedConnection connection, Request request, boolean success) {
		if (connection.attachment() != request) {
			return;
		}
		connection.attach(null);
		connection.setLeased(false);
		release(connection);
		request.complete(success);
		serve();
	}

	@Override
	public final void timedOut(Request request) {
		SimulatedConnection connection = request.connection();
		if (connection != null && connection.attachment() == request) {
			connection.attach(null);
			connection.setLeased(false);
			discard(connection);
		}
	}

	/** Fail the request of a connection that has ended. */
	final void lose(SimulatedConnection connection) {
		if (connection.attachment() instanceof Request request) {
			connection.attach(null);
			connection.setLeased(false);
			request.complete(false);
		}
	}

	final SimulatedServer randomServer() {
		return this.servers.get(this.chance.nextInt(this.servers.size()));
	}

	@Override
	public void serversChanged(List<SimulatedServer> servers) {
		this.servers = servers;
	}

	/** Vary a delay by a fifth in both directions. */
	final long jittered(double nanos) {
		return (long) (nanos * (0.8 + 0.4 * this.chance.nextDouble()));
	}

}
