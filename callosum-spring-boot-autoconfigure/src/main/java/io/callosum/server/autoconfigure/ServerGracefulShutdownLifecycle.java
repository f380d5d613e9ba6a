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

import org.apache.commons.logging.LogFactory;

import org.springframework.context.SmartLifecycle;

import io.callosum.autoconfigure.GracefulShutdownLifecycle;
import io.callosum.server.CallosumServer;

/**
 * Drains the server in the same phase as web servers. {@link ServerStartStopLifecycle}
 * then cuts the drain short.
 */
final class ServerGracefulShutdownLifecycle extends GracefulShutdownLifecycle {

	static final int PHASE = SmartLifecycle.DEFAULT_PHASE - 1024;

	private final CallosumServer server;

	private final boolean enabled;

	ServerGracefulShutdownLifecycle(CallosumServer server, boolean enabled) {
		super(LogFactory.getLog(CallosumServer.class));
		this.server = server;
		this.enabled = enabled;
	}

	@Override
	protected void drain(Runnable ended) {
		if (this.enabled && this.server.isRunning()) {
			drainOnNewThread("callosum-shutdown", () -> this.server.stop(UNTIL_CUT_SHORT),
					"Failed to drain the Callosum server", ended);
		}
		else {
			ended.run();
		}
	}

	@Override
	public int getPhase() {
		return PHASE;
	}

}
