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

package io.callosum.server;

import java.util.Collection;
import java.util.List;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

import org.jspecify.annotations.Nullable;

/**
 * Who holds which slot: the one place that keeps a slot from having two holders, whoever
 * assigned it. Outlives a stop of the server, because a late answer may.
 */
final class SlotTable {

	private final ConcurrentMap<Integer, ConnectionLease> holders = new ConcurrentHashMap<>();

	/**
	 * Make a lease the holder of a slot.
	 * @param slot the slot
	 * @param lease the lease
	 * @return what became of it
	 */
	Result hold(int slot, ConnectionLease lease) {
		while (true) {
			ConnectionLease holder = this.holders.putIfAbsent(slot, lease);
			if (holder == null) {
				return Result.HELD;
			}
			synchronized (holder) {
				if (holder.isBeingFreed()) {
					holder.addSuccessor(lease);
					return Result.WAITING;
				}
				if (!holder.isFreed()) {
					return Result.TAKEN;
				}
				if (this.holders.replace(slot, holder, lease)) {
					return Result.HELD;
				}
			}
		}
	}

	@Nullable ConnectionLease holder(int slot) {
		ConnectionLease holder = this.holders.get(slot);
		return (holder != null && !holder.isFreed()) ? holder : null;
	}

	/**
	 * End the hold on a slot. The first of those that wait for it holds it from now on.
	 * Until there is another, the lease stays among the {@link #connections()}, up to
	 * {@link #leave}.
	 * @param slot the slot
	 * @param lease the lease that holds it
	 */
	void free(int slot, ConnectionLease lease) {
		List<ConnectionLease> successors;
		synchronized (lease) {
			successors = lease.removeSuccessors();
			if (!successors.isEmpty()) {
				this.holders.replace(slot, lease, successors.get(0));
			}
			lease.freed();
		}
		for (int i = 0; i < successors.size(); i++) {
			successors.get(i).waited(slot, i == 0);
		}
	}

	/**
	 * Forget a lease that has freed its slot.
	 * @param slot the slot
	 * @param lease the lease that held it
	 */
	void leave(int slot, ConnectionLease lease) {
		this.holders.remove(slot, lease);
	}

	/**
	 * Return a snapshot of the connections that hold a slot, by slot.
	 * @return an unmodifiable collection
	 */
	Collection<CallosumConnection> connections() {
		// By slot, because the iteration may meet both a holder and the next one
		TreeMap<Integer, CallosumConnection> connections = new TreeMap<>();
		for (ConnectionLease lease : this.holders.values()) {
			CallosumConnection connection = lease.connection();
			connections.put(connection.slot(), connection);
		}
		return List.copyOf(connections.values());
	}

	/**
	 * What became of the wish to hold a slot.
	 */
	enum Result {

		/**
		 * The lease holds the slot.
		 */
		HELD,

		/**
		 * The {@link SlotFreeEvent} of the slot is being published; the lease will be
		 * told when that has ended.
		 */
		WAITING,

		/**
		 * Another connection holds the slot.
		 */
		TAKEN

	}

}
