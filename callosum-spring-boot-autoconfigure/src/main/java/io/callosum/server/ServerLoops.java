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
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;

import io.netty.channel.Channel;
import io.netty.channel.socket.SocketChannel;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.Future;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import reactor.netty.resources.LoopResources;

/**
 * The event loops of a server, from its start to its end. They may belong to the
 * application.
 */
final class ServerLoops {

	/**
	 * The maximum time to wait for an event loop.
	 */
	static final Duration TIMEOUT = Duration.ofSeconds(5);

	private static final Log logger = LogFactory.getLog(ServerLoops.class);

	private final LoopResources resources;

	private final boolean own;

	private final boolean nativeTransport;

	ServerLoops(ServerSettings settings) {
		this.own = settings.loopResources == null;
		this.nativeTransport = settings.nativeTransport;
		this.resources = (settings.loopResources != null) ? settings.loopResources : LoopResources.create("callosum", 1,
				(settings.workerThreads != null) ? settings.workerThreads : LoopResources.DEFAULT_IO_WORKER_COUNT,
				true);
	}

	LoopResources resources() {
		return this.resources;
	}

	/**
	 * Return the type of the channels that are accepted.
	 */
	Class<? extends Channel> channelType() {
		return this.resources.onChannelClass(SocketChannel.class, this.resources.onServer(this.nativeTransport));
	}

	/**
	 * Wait until each loop has run the tasks submitted so far: channels that have been
	 * accepted may still be waiting to be registered.
	 */
	void passThrough() {
		List<EventExecutor> executors = new ArrayList<>();
		executors().forEach(executors::add);
		passThrough(executors, 0);
	}

	/**
	 * Return the loops that serve connections.
	 */
	Iterable<EventExecutor> executors() {
		return this.resources.onServer(this.nativeTransport);
	}

	static void passThrough(List<? extends EventExecutor> executors, int delayMillis) {
		List<Future<?>> passed = new ArrayList<>();
		for (EventExecutor executor : executors) {
			try {
				passed.add(executor.schedule(() -> {
				}, delayMillis, TimeUnit.MILLISECONDS));
			}
			catch (RejectedExecutionException ex) {
				logger.trace("The event loop has ended, and closed its channels", ex);
			}
		}
		long deadline = System.nanoTime() + TIMEOUT.toNanos();
		for (Future<?> future : passed) {
			future.awaitUninterruptibly(Math.max(1, TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime())));
		}
	}

	/**
	 * Dispose the loops, unless they belong to the application.
	 */
	void dispose(Duration timeout) {
		if (!this.own) {
			return;
		}
		try {
			this.resources.disposeLater(Duration.ZERO, timeout).block(timeout);
		}
		catch (RuntimeException ex) {
			logger.warn("The event loops of the Callosum server have not ended: " + ex.getMessage());
		}
	}

}
