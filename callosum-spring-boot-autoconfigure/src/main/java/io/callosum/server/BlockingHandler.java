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

import java.io.UncheckedIOException;
import java.util.concurrent.Executor;

import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import org.jspecify.annotations.Nullable;
import reactor.core.Exceptions;

import org.springframework.core.task.SimpleAsyncTaskExecutor;

import io.callosum.transport.ThrottledLog;
import io.callosum.transport.UserCode;

/**
 * A {@link BlockingConnectionHandler} and the threads that it runs on.
 */
final class BlockingHandler {

	private static final Log logger = LogFactory.getLog(BlockingHandler.class);

	private static final String THREAD_NAME = "callosum-handler-";

	private static final String REJECTED_THREAD_NAME = THREAD_NAME + "rejected";

	private final BlockingConnectionHandler handler;

	private final UserCode threads;

	private final ThrottledLog rejectedLog = new ThrottledLog(logger::warn);

	/**
	 * Create a new instance.
	 * @param handler the handler
	 * @param executor the executor that runs the handler, or {@code null} for a thread
	 * per connection, which is a virtual thread if the JVM has them
	 */
	BlockingHandler(BlockingConnectionHandler handler, @Nullable Executor executor) {
		this.handler = handler;
		this.threads = new UserCode((executor != null) ? executor : threadPerConnection(), REJECTED_THREAD_NAME,
				this::logRejected);
	}

	/**
	 * Log a rejection, which makes further connections wait. Any thread.
	 */
	private void logRejected(Throwable cause, int waiting) {
		this.rejectedLog.log("The executor rejected a blocking handler (" + cause.getClass().getName()
				+ "). Rejected handlers run one after another on the thread '" + REJECTED_THREAD_NAME + "'; " + waiting
				+ " are waiting. Use an executor with a thread for each of callosum.server.max-connections,"
				+ " or none on Java 21 and later", null);
	}

	private static Executor threadPerConnection() {
		SimpleAsyncTaskExecutor threads = new SimpleAsyncTaskExecutor(THREAD_NAME);
		threads.setVirtualThreads(hasVirtualThreads());
		threads.setDaemon(true);
		return threads;
	}

	private static boolean hasVirtualThreads() {
		return Runtime.version().feature() >= 21;
	}

	/**
	 * Run a task, which calls {@link #handle}, on a thread that may block. Any thread.
	 */
	void execute(Runnable task) {
		this.threads.execute(task);
	}

	void handle(CallosumConnection connection) {
		try {
			this.handler.handle(connection);
		}
		catch (UncheckedIOException ex) {
			throw Exceptions.propagate((ex.getCause() != null) ? ex.getCause() : ex);
		}
		catch (Exception ex) {
			throw Exceptions.propagate(ex);
		}
	}

}
