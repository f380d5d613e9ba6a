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

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

import io.callosum.server.LowestSlotAllocator;
import io.callosum.server.SlotRequest;

/**
 * A server: assigns slots with the production allocator, and has a number of workers that
 * take requests from one queue, first come, first served.
 *
 * @author The Callosum authors
 */
public final class SimulatedServer {

	static final int WORKERS = 4;

	private static final long FAILURE_DELAY = 100_000;

	private static final SlotRequest SLOT_REQUEST = new SlotRequest("simulated", new InetSocketAddress(0),
			new InetSocketAddress(0));

	/** The number of connections that clients keep. */
	int kept;

	/**
	 * The number of unfinished requests that an omniscient dispatcher has sent here.
	 */
	int inSystem;

	/** The number of requests that arrived in each second of the measurement. */
	int @org.jspecify.annotations.Nullable [] requests;

	long requestsFrom;

	double weight = 1;

	long warmUp;

	double slowness = 1;

	Mode mode = Mode.UP;

	private final int index;

	private final InetSocketAddress address;

	private final Fleet fleet;

	private final List<SimulatedConnection> connections = new ArrayList<>();

	private final ArrayDeque<Work> queue = new ArrayDeque<>();

	private final List<Runnable> paused = new ArrayList<>();

	private LowestSlotAllocator slots = new LowestSlotAllocator();

	private int epoch;

	private int busy;

	private long startedAt;

	private long pausedAt;

	private long acceptSecond;

	private int acceptsInSecond;

	private int peakAccepts;

	SimulatedServer(Fleet fleet, int index) {
		this.fleet = fleet;
		this.index = index;
		try {
			InetAddress address = InetAddress.getByAddress("server-" + index,
					new byte[] { 10, (byte) (index >>> 16), (byte) (index >>> 8), (byte) index });
			this.address = new InetSocketAddress(address, 4040);
		}
		catch (UnknownHostException ex) {
			throw new IllegalStateException(ex);
		}
	}

	/**
	 * Return the number of the server in its fleet.
	 * @return 0 or more
	 */
	public int index() {
		return this.index;
	}

	/**
	 * Return the address, which no other server of the fleet has.
	 * @return the address
	 */
	public InetSocketAddress address() {
		return this.address;
	}

	boolean isUp() {
		return this.mode != Mode.DOWN;
	}

	long delayOfFirst() {
		return this.connections.get(0).delay;
	}

	/** The kept connections per unit of weight. */
	double normalized() {
		return this.kept / this.weight;
	}

	void start() {
		this.mode = Mode.UP;
		this.startedAt = this.fleet.time.now();
		this.slots = new LowestSlotAllocator();
	}

	/** Close everything at once, like a process that is killed. */
	void stop() {
		this.mode = Mode.DOWN;
		this.epoch++;
		this.busy = 0;
		this.queue.clear();
		this.paused.clear();
		this.inSystem = 0;
		for (SimulatedConnection connection : this.connections) {
			connection.index = -1;
			connection.uncount();
			this.fleet.time.run(connection.delay, connection::closedByServer);
		}
		this.connections.clear();
	}

	/** Do nothing for a while, like a process that collects garbage. */
	void pause(long length) {
		this.mode = Mode.PAUSED;
		this.pausedAt = this.fleet.time.now();
		int life = this.epoch;
		this.fleet.time.run(length, () -> {
			if (life == this.epoch) {
				resume();
			}
		});
	}

	private void resume() {
		this.mode = Mode.UP;
		List<Runnable> due = List.copyOf(this.paused);
		this.paused.clear();
		due.forEach(Runnable::run);
	}

	/** The SYN has arrived, half a round trip after the dial. */
	void dialled(SimulatedConnection connection, boolean plain) {
		if (this.mode == Mode.DOWN) {
			this.fleet.time.run(connection.delay, connection::fail);
			return;
		}
		connection.setAccepted();
		connection.epoch = this.epoch;
		if (plain) {
			this.fleet.time.run(connection.delay, connection::connectedWithoutSlot);
		}
		this.fleet.time.run(2 * connection.delay, () -> accept(connection, plain));
	}

	private void accept(SimulatedConnection connection, boolean plain) {
		if (connection.epoch != this.epoch) {
			this.fleet.time.run(connection.delay, connection::closedByServer);
			return;
		}
		if (connection.isGone()) {
			return;
		}
		if (this.mode == Mode.PAUSED) {
			this.paused.add(() -> accept(connection, plain));
			if (!plain) {
				this.fleet.time.run(Fleet.SLOT_TIMEOUT, connection::fail);
			}
			return;
		}
		countAccept();
		connection.index = this.connections.size();
		this.connections.add(connection);
		if (this.mode == Mode.SILENT) {
			if (!plain) {
				this.fleet.time.run(Fleet.SLOT_TIMEOUT, connection::fail);
			}
			return;
		}
		connection.held = this.slots.allocate(SLOT_REQUEST);
		if (!plain) {
			int announced = announced(connection.held);
			this.fleet.time.run(connection.delay, () -> connection.slotLine(announced));
		}
	}

	private void countAccept() {
		long second = this.fleet.time.now() / 1_000_000_000;
		if (second != this.acceptSecond) {
			this.acceptSecond = second;
			this.acceptsInSecond = 0;
		}
		this.peakAccepts = Math.max(this.peakAccepts, ++this.acceptsInSecond);
	}

	int takePeakAccepts() {
		int peak = this.peakAccepts;
		this.peakAccepts = 0;
		return peak;
	}

	/** The announced slot: divided by the weight, which grows during the warm-up. */
	private int announced(int slot) {
		double share = this.weight;
		if (this.warmUp > 0) {
			double progress = Math.min(1, (this.fleet.time.now() - this.startedAt) / (double) this.warmUp);
			share *= 0.1 + 0.9 * progress;
		}
		return (share == 1) ? slot : (int) (slot / share);
	}

	/** The client has closed the connection, and the server sees it. */
	void closed(SimulatedConnection connection) {
		connection.setGone();
		if (connection.index < 0) {
			return;
		}
		SimulatedConnection last = this.connections.remove(this.connections.size() - 1);
		if (last != connection) {
			this.connections.set(connection.index, last);
			last.index = connection.index;
		}
		connection.index = -1;
		if (connection.held >= 0) {
			this.slots.release(connection.held);
			connection.held = -1;
		}
	}

	void received(SimulatedConnection connection, Request request) {
		if (connection.epoch != this.epoch) {
			return;
		}
		int[] counts = this.requests;
		if (counts != null) {
			int second = (int) ((this.fleet.time.now() - this.requestsFrom) / 1_000_000_000);
			if (second >= 0 && second < counts.length) {
				counts[second]++;
			}
		}
		switch (this.mode) {
			case FAILING -> this.fleet.time.run(FAILURE_DELAY, () -> connection.answer(request, false));
			case PAUSED -> this.paused.add(() -> work(connection, request));
			case UP -> work(connection, request);
			case SILENT, DOWN -> {
			}
		}
	}

	private void work(SimulatedConnection connection, Request request) {
		Work work = new Work(connection, request);
		if (this.busy < WORKERS) {
			this.busy++;
			begin(work);
		}
		else {
			this.queue.add(work);
		}
	}

	private void begin(Work work) {
		this.fleet.time.run((long) (work.request.work * this.slowness), work);
	}

	enum Mode {

		UP, DOWN, PAUSED,

		/** Accepts connections and sends nothing, neither a slot nor an answer. */
		SILENT,

		/** Announces slots, and answers each request with an error at once. */
		FAILING

	}

	/**
	 * A request that waits in the queue and is then processed by a worker.
	 */
	private final class Work implements Runnable {

		private final SimulatedConnection connection;

		private final Request request;

		private final int life;

		Work(SimulatedConnection connection, Request request) {
			this.connection = connection;
			this.request = request;
			this.life = SimulatedServer.this.epoch;
		}

		@Override
		public void run() {
			SimulatedServer server = SimulatedServer.this;
			if (this.life != server.epoch) {
				return;
			}
			if (server.mode == Mode.PAUSED) {
				long remaining = server.fleet.time.now() - server.pausedAt;
				server.paused.add(() -> server.fleet.time.run(remaining, this));
				return;
			}
			this.connection.answer(this.request, true);
			Work next = server.queue.poll();
			if (next == null) {
				server.busy--;
			}
			else {
				begin(next);
			}
		}

	}

}
