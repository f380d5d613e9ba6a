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

import io.callosum.server.SlotLease.Successor;
import io.callosum.server.SlotLease.Waiter;

/**
 * Records which connection holds which slot. This is the one place that prevents a slot
 * from having two holders, no matter what assigned it. Outlives a stop of the server,
 * because a late answer may do so too.
 */
final class SlotTable {

	private final ConcurrentMap<Integer, SlotLease> holders = new ConcurrentHashMap<>();

	/**
	 * Make a lease the holder of its slot.
	 * @param lease the lease
	 * @param waiter called with the outcome if the lease has to wait
	 * @return the outcome
	 */
	Result hold(SlotLease lease, Waiter waiter) {
		while (true) {
			SlotLease holder = this.holders.putIfAbsent(lease.slot(), lease);
			if (holder == null) {
				return Result.HELD;
			}
			synchronized (holder) {
				if (holder.isBeingFreed()) {
					holder.addSuccessor(new Successor(lease, waiter));
					return Result.WAITING;
				}
				if (!holder.isFree()) {
					return Result.TAKEN;
				}
				if (this.holders.replace(lease.slot(), holder, lease)) {
					return Result.HELD;
				}
			}
		}
	}

	/**
	 * Return the connection that holds a slot.
	 * @param slot the slot
	 * @return the connection, or {@code null} if the slot is free
	 */
	@Nullable CallosumConnection holder(int slot) {
		SlotLease holder = this.holders.get(slot);
		return (holder != null && !holder.isFree()) ? holder.connection() : null;
	}

	/**
	 * End the hold on a slot. The first lease that waits for it becomes the holder. If
	 * none waits, the connection stays among the {@link #connections()} until the slot
	 * has its next holder or {@link #leave} is called.
	 * @param lease the lease that holds the slot
	 */
	void free(SlotLease lease) {
		List<Successor> successors;
		synchronized (lease) {
			successors = lease.freed();
			if (!successors.isEmpty()) {
				this.holders.replace(lease.slot(), lease, successors.get(0).lease());
			}
		}
		for (int i = 0; i < successors.size(); i++) {
			successors.get(i).waiter().waited(i == 0);
		}
	}

	/**
	 * Forget a lease that has freed its slot.
	 * @param lease the lease that held it
	 */
	void leave(SlotLease lease) {
		assert lease.isFree();
		this.holders.remove(lease.slot(), lease);
	}

	/**
	 * Return a snapshot of the connections that hold a slot, ordered by slot.
	 * @return an unmodifiable collection
	 */
	Collection<CallosumConnection> connections() {
		// By slot, because the iteration may see both a holder and the next one
		TreeMap<Integer, CallosumConnection> connections = new TreeMap<>();
		for (SlotLease lease : this.holders.values()) {
			connections.put(lease.slot(), lease.connection());
		}
		return List.copyOf(connections.values());
	}

	/**
	 * The outcome of {@link #hold}.
	 */
	enum Result {

		/**
		 * The lease holds the slot.
		 */
		HELD,

		/**
		 * The {@link SlotFreeEvent} of the slot is being published; the waiter is called
		 * when that is done.
		 */
		WAITING,

		/**
		 * Another connection holds the slot.
		 */
		TAKEN

	}

}
