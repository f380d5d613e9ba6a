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

import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.Executor;

import io.netty.channel.EventLoop;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import org.jspecify.annotations.Nullable;

/**
 * Runs the tasks of one connection one after another, in order, where its listeners run.
 * A task that is added by a running task waits for that one to end: so a listener that
 * closes the connection does not have the next event published in its middle.
 */
final class SerialExecutor implements Executor, Runnable {

	private static final Log logger = LogFactory.getLog(SerialExecutor.class);

	private final ServerEvents events;

	private final EventLoop eventLoop;

	/**
	 * Tasks that wait, {@code null} while there are none: most connections are idle most
	 * of the time. Guarded by this.
	 */
	private @Nullable Queue<Runnable> waiting;

	/**
	 * Whether a task is running or about to. Guarded by this.
	 */
	private boolean active;

	SerialExecutor(ServerEvents events, EventLoop eventLoop) {
		this.events = events;
		this.eventLoop = eventLoop;
	}

	@Override
	public void execute(Runnable task) {
		execute(task, this.events.isOnEventLoop() && this.eventLoop.inEventLoop());
	}

	/**
	 * Run a task after the caller's: many that follow from each other would overflow the
	 * stack.
	 * @param task the task
	 */
	void executeLater(Runnable task) {
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
			this.events.execute(this.eventLoop, this);
		}
	}

	@Override
	public void run() {
		Runnable task;
		while ((task = next()) != null) {
			run(task);
		}
	}

	private static void run(Runnable task) {
		try {
			task.run();
		}
		catch (Throwable ex) {
			logger.error("Unexpected failure in the life of a connection", ex);
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
