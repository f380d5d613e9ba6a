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

import org.jspecify.annotations.Nullable;

/**
 * A lease as the client sees it.
 */
interface PooledLease extends CallosumLease {

	/**
	 * Return how the connection was lost during this lease. Known before the inbound
	 * signals its end, and before a write fails because of it.
	 * @return the exception, or {@code null} if the connection is open, or the lease
	 * ended first
	 */
	@Nullable ConnectionLostException lost();

	/**
	 * Return whether the server owes an answer: something was sent during this lease, and
	 * no byte has been received.
	 * @return {@code true} if the server has not begun to answer
	 */
	boolean isUnanswered();

	/**
	 * Run a task when the connection is lost during this lease, once everything received,
	 * and then the end, has been delivered to the subscriber of the inbound. Runs it at
	 * once if that has already happened, and never if the lease ends first.
	 * @param task the task, one per lease
	 */
	void onLost(Runnable task);

}
