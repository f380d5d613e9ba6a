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

import reactor.core.Disposable;

/**
 * The clock and the timers of a pool.
 */
interface Timers {

	/**
	 * Return the time.
	 * @return nanoseconds from an arbitrary origin, like {@link System#nanoTime()}
	 */
	long nanoTime();

	/**
	 * Run a task later, once. Never runs it within this call. May be called on any
	 * thread, even after the timers have ended, in which case the task is never run.
	 * @param task the task, which does not block
	 * @param delayNanos the delay, 0 or more
	 * @return cancels the task: if it has not begun, it is never run and is released at
	 * once
	 */
	Disposable schedule(Runnable task, long delayNanos);

}
