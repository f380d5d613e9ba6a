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

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/**
 * A server without a network. Assigns each connection the lowest free slot, as the real
 * server does.
 */
final class SimulatedServer {

	final InetSocketAddress address;

	private final double weight;

	private final TreeSet<Integer> free = new TreeSet<>();

	private int highest;

	final List<SimulatedConnection> connections = new ArrayList<>();

	Mode mode = Mode.UP;

	int dials;

	/**
	 * The slot to announce instead of the assigned one, or -1 for none.
	 */
	int says = -1;

	SimulatedServer(int number) {
		this(number, 1);
	}

	SimulatedServer(int number, double weight) {
		this.address = address(number);
		this.weight = weight;
	}

	static InetSocketAddress address(int number) {
		try {
			byte[] bytes = { 10, (byte) (number >> 16), (byte) (number >> 8), (byte) number };
			return new InetSocketAddress(InetAddress.getByAddress("server" + number, bytes), 4040);
		}
		catch (UnknownHostException ex) {
			throw new IllegalStateException(ex);
		}
	}

	int allocate() {
		Integer slot = this.free.pollFirst();
		return (slot != null) ? slot : this.highest++;
	}

	void release(int slot) {
		this.free.add(slot);
	}

	int announced(int slot) {
		return (this.says >= 0) ? this.says : (int) (slot / this.weight);
	}

	/**
	 * Go down: close all connections and refuse new ones.
	 */
	void crash() {
		this.mode = Mode.REFUSING;
		closeAll();
	}

	void closeAll() {
		for (SimulatedConnection connection : List.copyOf(this.connections)) {
			connection.peerCloses(CloseReason.PEER_CLOSED);
		}
	}

	enum Mode {

		UP, REFUSING, SILENT

	}

}
