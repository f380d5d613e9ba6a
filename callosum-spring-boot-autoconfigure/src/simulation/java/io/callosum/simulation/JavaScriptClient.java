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
import java.util.Comparator;
import java.util.List;
import java.util.PriorityQueue;

import org.jspecify.annotations.Nullable;

/**
 * The rules of the original JavaScript client of 2013, to the letter: one dial to a
 * random server in each interval, at once and then without jitter; two heaps that keep
 * connections that are gone; a count of connections that never falls, so that a
 * connection that is lost is not replaced, and each connection that is gone and found at
 * the top of the heap takes a live one with it.
 *
 * @author The Callosum authors
 */
final class JavaScriptClient extends LeasingClient {

	private final PriorityQueue<Entry> lowest = new PriorityQueue<>(
			Comparator.comparingInt(Entry::slot).thenComparingLong(Entry::sequence));

	private final PriorityQueue<Entry> highest = new PriorityQueue<>(
			Comparator.comparingInt(Entry::slot).reversed().thenComparingLong(Entry::sequence));

	private final List<SimulatedConnection> open = new ArrayList<>();

	private int slotCount;

	private long sequence;

	JavaScriptClient(Fleet fleet, int index) {
		super(fleet, index);
	}

	@Override
	public void start(List<SimulatedServer> servers) {
		this.servers = servers;
		this.running = true;
		rove();
	}

	private void rove() {
		if (this.running) {
			this.fleet.dial(randomServer(), this);
			this.fleet.time.run(this.fleet.interval(), this::rove);
		}
	}

	@Override
	public void stop() {
		this.running = false;
		for (SimulatedConnection connection : this.open) {
			lose(connection);
			connection.close();
		}
		this.open.clear();
	}

	@Override
	public void connected(SimulatedConnection connection) {
		if (!this.running) {
			connection.close();
			return;
		}
		this.open.add(connection);
		if (this.slotCount < this.fleet.poolSize()) {
			this.slotCount++;
			insert(connection);
			serve();
			return;
		}
		Entry worst = this.highest.peek();
		if (worst != null && worst.slot() <= connection.slot()) {
			destroy(connection);
			return;
		}
		worst = this.highest.poll();
		while (worst != null && worst.isDestroyed()) {
			worst = this.highest.poll();
		}
		if (worst == null) {
			// Neither kept nor closed: it is never used again
			return;
		}
		worst.connection().markDestroyed();
		if (worst.connection().attachment() == null) {
			destroy(worst.connection());
		}
		insert(connection);
		serve();
	}

	private void insert(SimulatedConnection connection) {
		Entry entry = new Entry(connection, connection.slot(), this.sequence++);
		this.lowest.add(entry);
		this.highest.add(entry);
	}

	private void destroy(SimulatedConnection connection) {
		this.open.remove(connection);
		connection.close();
	}

	@Override
	@Nullable SimulatedConnection lease() {
		Entry entry = this.lowest.poll();
		while (entry != null && entry.isDestroyed()) {
			entry = this.lowest.poll();
		}
		return (entry != null) ? entry.connection() : null;
	}

	@Override
	void release(SimulatedConnection connection) {
		if (connection.isDestroyed()) {
			destroy(connection);
		}
		else if (!connection.isClosed()) {
			insert(connection);
		}
	}

	@Override
	void discard(SimulatedConnection connection) {
		destroy(connection);
	}

	@Override
	public void failed(SimulatedConnection connection) {
	}

	@Override
	public void closed(SimulatedConnection connection) {
		this.open.remove(connection);
		lose(connection);
	}

	private record Entry(SimulatedConnection connection, int slot, long sequence) {

		boolean isDestroyed() {
			return this.connection.isClosed() || this.connection.isDestroyed();
		}

	}

}
