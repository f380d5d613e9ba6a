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

import java.time.Duration;

/**
 * Records the metrics of a {@link CallosumClient}. Current values, such as the number of
 * idle connections, are available from {@link CallosumClient#snapshot()}.
 * <p>
 * Methods are called by several threads at once and must not block. Exceptions are logged
 * and have no other effect.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public interface CallosumClientMetricsRecorder {

	/**
	 * The client is starting. Called before anything else is recorded.
	 * @param client the client
	 */
	default void started(CallosumClient client) {
	}

	/**
	 * The client has stopped, and all its connections are closed.
	 * @param client the client
	 */
	default void stopped(CallosumClient client) {
	}

	/**
	 * An acquire ended.
	 * @param time the time that it took
	 * @param outcome how it ended
	 */
	default void acquireEnded(Duration time, AcquireOutcome outcome) {
	}

	/**
	 * A lease ended.
	 * @param time how long the lease was held
	 * @param outcome how it ended
	 */
	default void leaseEnded(Duration time, LeaseOutcome outcome) {
	}

	/**
	 * A dial ended.
	 * @param time from the start of the dial to the slot line or the failure
	 * @param outcome how it ended
	 */
	default void dialEnded(Duration time, DialOutcome outcome) {
	}

	/**
	 * A connection that the pool had kept was closed.
	 * @param reason the reason
	 */
	default void connectionClosed(CloseReason reason) {
	}

	/**
	 * The list of servers could not be updated. The last list stays in use.
	 */
	default void discoveryFailed() {
	}

	/**
	 * How an acquire ended.
	 */
	enum AcquireOutcome {

		/**
		 * A lease was acquired.
		 */
		ACQUIRED,

		/**
		 * No connection or no server was available within the timeout.
		 */
		TIMEOUT,

		/**
		 * The acquire was rejected because too many were pending.
		 */
		REJECTED,

		/**
		 * The caller cancelled the acquire or was interrupted.
		 */
		CANCELLED,

		/**
		 * The client was not running, or stopped during the acquire.
		 */
		STOPPED

	}

	/**
	 * How a lease ended.
	 */
	enum LeaseOutcome {

		/**
		 * The connection was returned.
		 */
		RELEASED,

		/**
		 * The borrower discarded the connection or left bytes unread.
		 */
		DISCARDED,

		/**
		 * The connection ended before the lease did.
		 */
		LOST

	}

	/**
	 * How a dial ended.
	 */
	enum DialOutcome {

		/**
		 * The connection was kept.
		 */
		KEPT,

		/**
		 * The slot was not low enough.
		 */
		TURNED_DOWN,

		/**
		 * No valid slot line was received.
		 */
		FAILED

	}

}
