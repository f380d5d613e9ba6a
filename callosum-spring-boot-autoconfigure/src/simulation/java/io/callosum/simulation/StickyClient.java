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

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

import org.jspecify.annotations.Nullable;

/**
 * A pool of connections to random servers, each kept until it is lost, and then replaced
 * by one to another random server, like a pool behind an L4 address. With a maximum age,
 * it replaces each connection that reaches that age. Knows nothing about slots.
 *
 * @author The Callosum authors
 */
final class StickyClient extends LeasingClient {

	private static final int FILL_CONCURRENCY = 4;

	private static final double MIN_BACK_OFF = 0.5e9;

	private static final double MAX_BACK_OFF = 30e9;

	private final @Nullable Duration maxAge;

	private final ArrayDeque<SimulatedConnection> idle = new ArrayDeque<>();

	private final List<SimulatedConnection> members = new ArrayList<>();

	private final List<SimulatedConnection> dialling = new ArrayList<>();

	private double backOff = MIN_BACK_OFF;

	private boolean waits;

	StickyClient(Fleet fleet, int index, @Nullable Duration maxAge) {
		super(fleet, index);
		this.maxAge = maxAge;
	}

	@Override
	public void start(List<SimulatedServer> servers) {
		this.servers = servers;
		this.running = true;
		fill();
	}

	@Override
	public void stop() {
		this.running = false;
		this.dialling.forEach(SimulatedConnection::close);
		this.members.forEach((connection) -> {
			lose(connection);
			connection.close();
		});
		this.dialling.clear();
		this.members.clear();
		this.idle.clear();
	}

	private void fill() {
		while (this.running && !this.waits && this.dialling.size() < FILL_CONCURRENCY
				&& this.members.size() + this.dialling.size() < this.fleet.poolSize()) {
			this.dialling.add(this.fleet.dialPlain(randomServer(), this));
		}
	}

	@Override
	public void connected(SimulatedConnection connection) {
		this.dialling.remove(connection);
		this.backOff = MIN_BACK_OFF;
		this.members.add(connection);
		this.idle.addLast(connection);
		if (this.maxAge != null) {
			long age = (long) (this.maxAge.toNanos() * (0.9 + 0.2 * this.chance.nextDouble()));
			this.fleet.time.run(age, () -> aged(connection));
		}
		serve();
		fill();
	}

	private void aged(SimulatedConnection connection) {
		if (!this.members.remove(connection)) {
			return;
		}
		if (connection.attachment() == null) {
			this.idle.remove(connection);
			connection.close();
		}
		fill();
	}

	@Override
	public void failed(SimulatedConnection connection) {
		if (!this.dialling.remove(connection)) {
			return;
		}
		this.waits = true;
		this.fleet.time.run(jittered(this.backOff), () -> {
			this.waits = false;
			fill();
		});
		this.backOff = Math.min(this.backOff * 1.6, MAX_BACK_OFF);
	}

	@Override
	public void closed(SimulatedConnection connection) {
		lose(connection);
		this.members.remove(connection);
		this.idle.remove(connection);
		fill();
	}

	@Override
	@Nullable SimulatedConnection lease() {
		return this.idle.pollFirst();
	}

	@Override
	void release(SimulatedConnection connection) {
		if (this.members.contains(connection)) {
			this.idle.addLast(connection);
		}
		else {
			connection.close();
		}
	}

	@Override
	void discard(SimulatedConnection connection) {
		this.members.remove(connection);
		connection.close();
		fill();
	}

}
