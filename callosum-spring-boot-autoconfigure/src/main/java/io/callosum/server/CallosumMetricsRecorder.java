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

import java.time.Duration;

/**
 * Takes the measurements of a {@link CallosumServer}. Each connection that is accepted is
 * either refused or given a slot, once.
 * <p>
 * Methods are called on event loops, several at a time, and must neither block nor throw.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public interface CallosumMetricsRecorder {

	/**
	 * A connection was accepted, which may be refused yet.
	 */
	default void accepted() {
	}

	/**
	 * A connection was refused.
	 * @param reason why
	 */
	default void refused(RefusalReason reason) {
	}

	/**
	 * A connection was given its slot.
	 */
	default void slotAssigned() {
	}

	/**
	 * A slot request is overdue: it has not been answered within the slot time-out.
	 */
	default void slotRequestOverdue() {
	}

	/**
	 * A slot request that was overdue has been answered after all. Some never are.
	 */
	default void overdueSlotRequestAnswered() {
	}

	/**
	 * The slot line was written.
	 * @param sinceAccepted the time since the connection was accepted, a TLS handshake
	 * included
	 */
	default void slotLineWritten(Duration sinceAccepted) {
	}

	/**
	 * A slot is free again.
	 * @param sinceAccepted how long its connection lasted
	 * @param reason who or what ended it
	 */
	default void slotFreed(Duration sinceAccepted, SlotFreeEvent.Reason reason) {
	}

	/**
	 * Connections could not be accepted, mostly for want of file descriptors.
	 */
	default void acceptFailed() {
	}

	/**
	 * An event listener threw an exception.
	 */
	default void listenerFailed() {
	}

}
