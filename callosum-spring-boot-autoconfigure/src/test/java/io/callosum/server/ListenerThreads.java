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

import java.util.Arrays;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.stream.Stream;

import org.junit.jupiter.params.provider.Arguments;

/**
 * Where listeners run. What is promised about events holds on all of these threads.
 */
public enum ListenerThreads {

	EVENT_LOOP, POOL;

	private static final ExecutorService pool = Executors.newCachedThreadPool((task) -> {
		Thread thread = new Thread(task, "listeners");
		thread.setDaemon(true);
		return thread;
	});

	public CallosumServer.Builder applyTo(CallosumServer.Builder builder) {
		return (this == POOL) ? builder.listenerExecutor(pool) : builder;
	}

	public static Stream<Arguments> onEveryTransport() {
		return Arrays.stream(Transport.values())
			.flatMap((transport) -> Arrays.stream(values()).map((threads) -> Arguments.of(transport, threads)));
	}

}
