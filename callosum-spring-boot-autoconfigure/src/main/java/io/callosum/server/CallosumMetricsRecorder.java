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
 * Records the metrics of a {@link CallosumServer}. Each accepted connection is either
 * refused or assigned a slot, exactly once.
 * <p>
 * Methods are called on event loops, by several threads at once, and must not block.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public interface CallosumMetricsRecorder {

	/**
	 * A connection was accepted. It may still be refused.
	 */
	default void accepted() {
	}

	/**
	 * A connection was refused.
	 * @param reason the reason
	 */
	default void refused(RefusalReason reason) {
	}

	/**
	 * A connection was assigned its slot.
	 */
	default void slotAssigned() {
	}

	/**
	 * A slot was requested.
	 */
	default void slotRequested() {
	}

	/**
	 * A slot request has been answered. Its connection may already be gone. Some slot
	 * requests are never answered.
	 */
	default void slotRequestAnswered() {
	}

	/**
	 * A slot request is overdue: it has not been answered within the slot timeout.
	 */
	default void slotRequestOverdue() {
	}

	/**
	 * An overdue slot request has been answered. Some never are.
	 */
	default void overdueSlotRequestAnswered() {
	}

	/**
	 * The slot line was written.
	 * @param sinceAccepted the time from when the connection was accepted until the line
	 * was written, including the TLS handshake and any wait for an event loop
	 */
	default void slotLineWritten(Duration sinceAccepted) {
	}

	/**
	 * A slot is free again.
	 * @param sinceAccepted the time since the connection was accepted
	 * @param reason what ended the connection
	 */
	default void slotFreed(Duration sinceAccepted, EndReason reason) {
	}

	/**
	 * Bytes were received. Called on an event loop for each read.
	 * @param count the number of bytes, after decryption
	 */
	default void bytesReceived(long count) {
	}

	/**
	 * Bytes were written. Called on an event loop for each write, including the slot
	 * line.
	 * @param count the number of bytes, before encryption
	 */
	default void bytesSent(long count) {
	}

	/**
	 * Connections could not be accepted, usually for lack of file descriptors.
	 */
	default void acceptFailed() {
	}

	/**
	 * An event listener threw an exception.
	 */
	default void listenerFailed() {
	}

}
