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

package io.callosum.benchmark;

import java.util.function.Function;

/**
 * The servers that are measured side by side.
 *
 * @author The Callosum authors
 */
enum Rival {

	/**
	 * Netty alone.
	 */
	NETTY("Netty", NettyRival::start),

	/**
	 * Reactor Netty alone.
	 */
	REACTOR_NETTY("Reactor Netty", ReactorNettyRival::start),

	/**
	 * The starter in an application with a listener for each event.
	 */
	CALLOSUM("Callosum", CallosumRival::start),

	/**
	 * The same, with its listeners on the task executor.
	 */
	CALLOSUM_TASK_EXECUTOR("Callosum, task-executor", CallosumRival::startWithTaskExecutor),

	/**
	 * The starter in an application that manages the slots itself, in two listeners.
	 */
	CALLOSUM_OWN_SLOTS("Callosum, own slots", CallosumRival::startWithOwnSlots);

	final String title;

	final Function<Transport, RunningServer> start;

	Rival(String title, Function<Transport, RunningServer> start) {
		this.title = title;
		this.start = start;
	}

	/**
	 * A server that was started.
	 *
	 * @param port its port
	 * @param slots its slots
	 */
	record RunningServer(int port, SlotCounts slots) {

	}

}
