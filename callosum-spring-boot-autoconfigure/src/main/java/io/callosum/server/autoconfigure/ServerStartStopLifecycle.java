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

import org.springframework.context.SmartLifecycle;

import io.callosum.server.CallosumServer;

/**
 * Starts and stops the server with the context. It stops the server at once, after
 * {@link ServerGracefulShutdownLifecycle} has drained it or has run out of time.
 */
final class ServerStartStopLifecycle implements SmartLifecycle {

	/**
	 * The phase in which web servers start and stop.
	 */
	static final int PHASE = SmartLifecycle.DEFAULT_PHASE - 2048;

	private final CallosumServer server;

	private final LocalPortListener localPort;

	private final SlotRequestListenerVerifier listenerVerifier;

	private volatile boolean running;

	ServerStartStopLifecycle(CallosumServer server, LocalPortListener localPort,
			SlotRequestListenerVerifier listenerVerifier) {
		this.server = server;
		this.localPort = localPort;
		this.listenerVerifier = listenerVerifier;
	}

	@Override
	public void start() {
		this.listenerVerifier.verify();
		this.server.start();
		this.running = true;
		// A server that the application defines may publish its events elsewhere
		this.localPort.update();
	}

	@Override
	public void stop() {
		this.running = false;
		this.server.stop();
	}

	/**
	 * Also {@code true} if the application itself has started the server or has begun to
	 * stop it, so that the context waits for the end.
	 */
	@Override
	public boolean isRunning() {
		return this.running || this.server.isRunning();
	}

	@Override
	public int getPhase() {
		return PHASE;
	}

	/**
	 * A pause of the context is no reason to drop connections, and with port 0 the server
	 * would come back on another port.
	 */
	@Override
	public boolean isPauseable() {
		return false;
	}

}
