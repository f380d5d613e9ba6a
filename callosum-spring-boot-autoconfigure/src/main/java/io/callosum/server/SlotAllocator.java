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

/**
 * Decides which slot a new connection gets, unless a listener of {@link SlotRequestEvent}
 * has answered already. The protocol balances load only where the slot given is the
 * lowest free one.
 * <p>
 * Implementations must be thread-safe: the server calls them from several threads at
 * once. With listeners on the event loops (the default) both methods are called there and
 * must not block.
 *
 * @author The Callosum authors
 * @since 0.1.0
 * @see LowestSlotAllocator
 */
public interface SlotAllocator {

	/**
	 * Allocate a slot for a new connection. Any exception refuses the connection.
	 * @param request the connection that asks
	 * @return a slot that nobody holds, 0 or more
	 * @throws NoSlotAvailableException to refuse the connection without an error
	 */
	int allocate(SlotRequest request);

	/**
	 * Take a slot back. Called exactly once for each slot that
	 * {@link #allocate(SlotRequest)} returned and the server accepted, after the
	 * connection is gone and every listener of its {@link SlotFreeEvent} has returned.
	 * @param slot the slot
	 * @throws IllegalArgumentException if the slot is not in use
	 */
	void release(int slot);

}
