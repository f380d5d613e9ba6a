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

import io.callosum.benchmark.Rival.RunningServer;

/**
 * The servers that send back what they receive after the slot line.
 *
 * @author The Callosum authors
 */
enum EchoRival {

	/**
	 * Reactor Netty alone.
	 */
	REACTOR_NETTY("Reactor Netty", ReactorNettyRival::startEcho),

	/**
	 * The starter in an application with a connection handler and a listener for each
	 * event.
	 */
	CALLOSUM("Callosum", CallosumRival::startEcho);

	final String title;

	final Function<Transport, RunningServer> start;

	EchoRival(String title, Function<Transport, RunningServer> start) {
		this.title = title;
		this.start = start;
	}

}
