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
 * Assigns slots to new connections, unless a listener of {@link SlotRequestEvent} has
 * already assigned one. Load is only balanced if the assigned slot is the lowest free
 * one.
 * <p>
 * Implementations must be thread-safe: the server calls them from several threads at
 * once. Both methods are called where listeners run: on the event loops by default, where
 * they must not block.
 *
 * @author The Callosum authors
 * @since 0.1.0
 * @see LowestSlotAllocator
 */
public interface SlotAllocator {

	/**
	 * Allocate a slot for a new connection. The connection is refused if this method
	 * throws any exception.
	 * @param request the connection that asks for a slot
	 * @return a slot that no connection holds, 0 or more
	 * @throws NoSlotAvailableException to refuse the connection without reporting an
	 * error
	 */
	int allocate(SlotRequest request);

	/**
	 * Release a slot. Called exactly once for each slot that
	 * {@link #allocate(SlotRequest)} returned and the server accepted, after the
	 * connection is gone and all listeners of its {@link SlotFreeEvent} have returned.
	 * @param slot the slot
	 * @throws IllegalArgumentException if the slot is not in use
	 */
	void release(int slot);

}
