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

import java.net.InetSocketAddress;

import io.callosum.client.CallosumClientMetricsRecorder.AcquireOutcome;
import io.callosum.client.CallosumClientMetricsRecorder.DialOutcome;
import io.callosum.client.CallosumClientMetricsRecorder.LeaseOutcome;

/**
 * Observes a pool. Never called while the pool is locked. Notifications about
 * connections, servers and the end are delivered one at a time and in order; the others
 * directly, by several threads at once.
 */
interface PoolObserver {

	default void acquireEnded(long nanos, AcquireOutcome outcome) {
	}

	default void leaseEnded(long nanos, LeaseOutcome outcome) {
	}

	default void dialEnded(long nanos, DialOutcome outcome) {
	}

	default void connectionReady(Member member) {
	}

	default void connectionClosed(Member member, CloseReason reason) {
	}

	default void serverUnreachable(InetSocketAddress server) {
	}

	default void serverEjected(InetSocketAddress server) {
	}

	default void serverRestored(InetSocketAddress server) {
	}

	/**
	 * The pool has stopped, and nothing of it is left. The last of the ordered
	 * notifications.
	 */
	default void terminated() {
	}

}
