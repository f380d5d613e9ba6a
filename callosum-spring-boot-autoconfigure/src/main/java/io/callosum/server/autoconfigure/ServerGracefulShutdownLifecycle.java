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

package io.callosum.server.autoconfigure;

import java.time.Duration;

import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;

import org.springframework.context.SmartLifecycle;

import io.callosum.server.CallosumServer;

/**
 * Drains the server when the context stops, in the same phase as web servers, and for at
 * most {@code spring.lifecycle.timeout-per-shutdown-phase}.
 * {@link ServerStartStopLifecycle} then cuts it short.
 */
final class ServerGracefulShutdownLifecycle implements SmartLifecycle {

	static final int PHASE = SmartLifecycle.DEFAULT_PHASE - 1024;

	private static final Log logger = LogFactory.getLog(ServerGracefulShutdownLifecycle.class);

	private static final Duration UNTIL_CUT_SHORT = Duration.ofDays(365);

	private final CallosumServer server;

	private final boolean enabled;

	private volatile boolean running;

	ServerGracefulShutdownLifecycle(CallosumServer server, boolean enabled) {
		this.server = server;
		this.enabled = enabled;
	}

	@Override
	public void start() {
		this.running = true;
	}

	@Override
	public void stop() {
		stop(() -> {
		});
	}

	@Override
	public void stop(Runnable callback) {
		this.running = false;
		if (!this.enabled || !this.server.isRunning()) {
			callback.run();
			return;
		}
		try {
			new Thread(() -> drain(callback), "callosum-shutdown").start();
		}
		catch (Throwable ex) {
			// For example no memory for a thread: the stop must continue without a drain
			logger.warn("Failed to drain the Callosum server", ex);
			callback.run();
		}
	}

	private void drain(Runnable callback) {
		try {
			this.server.stop(UNTIL_CUT_SHORT);
		}
		catch (Throwable ex) {
			logger.warn("Failed to drain the Callosum server", ex);
		}
		finally {
			callback.run();
		}
	}

	@Override
	public boolean isRunning() {
		return this.running;
	}

	@Override
	public int getPhase() {
		return PHASE;
	}

	@Override
	public boolean isPauseable() {
		return false;
	}

}
