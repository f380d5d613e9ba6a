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

package io.callosum.autoconfigure;

import java.time.Duration;

import org.apache.commons.logging.Log;

import org.springframework.context.SmartLifecycle;

/**
 * Drains a server or client when the context stops, for at most
 * {@code spring.lifecycle.timeout-per-shutdown-phase}. A lifecycle that stops in a later
 * phase then cuts the drain short.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public abstract class GracefulShutdownLifecycle implements SmartLifecycle {

	/**
	 * Longer than any phase.
	 */
	protected static final Duration UNTIL_CUT_SHORT = Duration.ofDays(365);

	private final Log logger;

	private volatile boolean running;

	/**
	 * Create a lifecycle.
	 * @param logger the logger of the server or client
	 */
	protected GracefulShutdownLifecycle(Log logger) {
		this.logger = logger;
	}

	@Override
	public final void start() {
		this.running = true;
	}

	@Override
	public final void stop() {
		stop(() -> {
		});
	}

	@Override
	public final void stop(Runnable callback) {
		this.running = false;
		drain(callback);
	}

	/**
	 * Start to drain.
	 * @param ended must be run at the end, even if there is nothing to drain
	 */
	protected abstract void drain(Runnable ended);

	/**
	 * Drain on a new thread. The context continues to stop even if that fails or if there
	 * is no memory for a thread.
	 * @param thread the name of the thread
	 * @param drain blocks until everything is drained
	 * @param failure what to log if it fails
	 * @param ended run at the end
	 */
	protected final void drainOnNewThread(String thread, Runnable drain, String failure, Runnable ended) {
		Runnable task = () -> {
			try {
				drain.run();
			}
			catch (Throwable ex) {
				this.logger.warn(failure, ex);
			}
			finally {
				ended.run();
			}
		};
		try {
			new Thread(task, thread).start();
		}
		catch (Throwable ex) {
			this.logger.warn(failure, ex);
			ended.run();
		}
	}

	@Override
	public final boolean isRunning() {
		return this.running;
	}

	@Override
	public final boolean isPauseable() {
		return false;
	}

}
