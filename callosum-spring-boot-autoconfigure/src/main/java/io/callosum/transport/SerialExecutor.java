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

package io.callosum.transport;

import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.Executor;

import io.netty.channel.EventLoop;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import org.jspecify.annotations.Nullable;

/**
 * Runs the tasks of one connection one at a time, in order, where the application's code
 * for that connection runs. A task that is added by a running task waits for that one to
 * end, so that the next event is not published in the middle of a listener that closes
 * the connection.
 */
public final class SerialExecutor implements Executor, Runnable {

	private static final Log logger = LogFactory.getLog(SerialExecutor.class);

	private final UserCode userCode;

	private final EventLoop eventLoop;

	/**
	 * Waiting tasks, {@code null} while there are none: most connections are idle most of
	 * the time. Guarded by this.
	 */
	private @Nullable Queue<Runnable> waiting;

	/**
	 * Whether a task is running or about to run. Guarded by this.
	 */
	private boolean active;

	/**
	 * The thread that is running a task. Used only by assertions, and not synchronized,
	 * because no other thread ever finds itself here.
	 */
	private @Nullable Thread thread;

	/**
	 * Create a new executor.
	 * @param userCode where the tasks run
	 * @param eventLoop the event loop of the connection
	 */
	public SerialExecutor(UserCode userCode, EventLoop eventLoop) {
		this.userCode = userCode;
		this.eventLoop = eventLoop;
	}

	@Override
	public void execute(Runnable task) {
		execute(task, this.userCode.isOnEventLoop() && this.eventLoop.inEventLoop());
	}

	/**
	 * Run a task after the current one: a long chain of nested tasks would overflow the
	 * stack.
	 * @param task the task
	 */
	public void executeLater(Runnable task) {
		execute(task, false);
	}

	private void execute(Runnable task, boolean here) {
		synchronized (this) {
			if (this.active || !here) {
				if (this.waiting == null) {
					this.waiting = new ArrayDeque<>(4);
				}
				this.waiting.add(task);
			}
			if (this.active) {
				return;
			}
			this.active = true;
		}
		if (here) {
			// The usual case, which needs no queue
			run(task);
			run();
		}
		else {
			this.userCode.execute(this.eventLoop, this);
		}
	}

	@Override
	public void run() {
		Runnable task;
		while ((task = next()) != null) {
			run(task);
		}
	}

	/**
	 * Return whether the current thread runs a task of this executor. For assertions.
	 * @return {@code false} on any other thread
	 */
	public boolean isRunning() {
		return this.thread == Thread.currentThread();
	}

	private void run(Runnable task) {
		this.thread = Thread.currentThread();
		try {
			task.run();
		}
		catch (Throwable ex) {
			logger.error("Unexpected failure in the life of a connection", ex);
		}
		finally {
			this.thread = null;
		}
	}

	private synchronized @Nullable Runnable next() {
		Runnable task = (this.waiting != null) ? this.waiting.poll() : null;
		if (task == null) {
			this.waiting = null;
			this.active = false;
		}
		return task;
	}

}
