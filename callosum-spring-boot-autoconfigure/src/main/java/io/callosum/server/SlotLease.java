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

import java.util.ArrayList;
import java.util.List;

import org.jspecify.annotations.Nullable;

/**
 * A hold on a slot, from its assignment to its release. The slot is held, then being
 * freed while its {@link SlotFreeEvent} is published, then free, and then released.
 * <p>
 * The state is written serially where the listeners of the connection run, and under the
 * monitor of the lease where the {@link SlotTable} relies on it.
 */
final class SlotLease {

	private final LeasedConnection connection;

	private final boolean allocated;

	private volatile State state = State.HELD;

	/**
	 * The leases that wait for the slot of this one, or {@code null} if there are none.
	 * Guarded by this.
	 */
	private @Nullable List<Successor> successors;

	/**
	 * Create a new lease.
	 * @param connection the connection that holds the slot
	 * @param allocated whether {@link SlotAllocator#allocate} returned the slot, and
	 * {@link SlotAllocator#release} has to be called for it
	 */
	SlotLease(LeasedConnection connection, boolean allocated) {
		this.connection = connection;
		this.allocated = allocated;
	}

	int slot() {
		return this.connection.slot();
	}

	LeasedConnection connection() {
		return this.connection;
	}

	boolean isAllocated() {
		return this.allocated;
	}

	/**
	 * The {@link SlotFreeEvent} is about to be published.
	 */
	void freeing() {
		assert this.state == State.HELD;
		this.state = State.FREEING;
	}

	boolean isBeingFreed() {
		return this.state == State.FREEING;
	}

	/**
	 * The slot is free for its next holder.
	 * @return the leases that wait for it
	 */
	List<Successor> freed() {
		assert Thread.holdsLock(this) && this.state == State.FREEING;
		this.state = State.FREE;
		List<Successor> successors = this.successors;
		this.successors = null;
		return (successors != null) ? successors : List.of();
	}

	/**
	 * Return whether the slot is free for its next holder.
	 */
	boolean isFree() {
		return this.state == State.FREE;
	}

	void addSuccessor(Successor successor) {
		assert Thread.holdsLock(this) && this.state == State.FREEING;
		if (this.successors == null) {
			this.successors = new ArrayList<>(1);
		}
		this.successors.add(successor);
	}

	private enum State {

		/**
		 * The connection holds the slot.
		 */
		HELD,

		/**
		 * The {@link SlotFreeEvent} is being published.
		 */
		FREEING,

		/**
		 * The slot is free for its next holder, and is being released.
		 */
		FREE

	}

	/**
	 * A lease that waits for the slot of another.
	 *
	 * @param lease the lease
	 * @param waiter called when the wait is over
	 */
	record Successor(SlotLease lease, Waiter waiter) {
	}

	/**
	 * Waits for a slot that is being freed.
	 */
	interface Waiter {

		/**
		 * The {@link SlotFreeEvent} of the previous holder has been published.
		 * @param held whether the lease holds the slot now
		 */
		void waited(boolean held);

	}

}
