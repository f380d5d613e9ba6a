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

package io.callosum.server.autoconfigure.actuate;

import java.util.Collection;

import org.jspecify.annotations.Nullable;

import org.springframework.boot.health.contributor.AbstractHealthIndicator;
import org.springframework.boot.health.contributor.Health;
import org.springframework.context.Lifecycle;

import io.callosum.server.CallosumConnection;
import io.callosum.server.CallosumServer;
import io.callosum.server.autoconfigure.actuate.ServerView.State;

/**
 * {@link HealthIndicator} for a {@link CallosumServer}. The server is up while its port
 * is open, even if it has reached a limit, which is normal operation.
 */
final class CallosumHealthIndicator extends AbstractHealthIndicator {

	private final CallosumServer server;

	private final @Nullable Lifecycle lifecycle;

	/**
	 * Create a new indicator.
	 * @param server the server
	 * @param lifecycle starts and stops the server with the context, or {@code null} if
	 * the application does so itself
	 */
	CallosumHealthIndicator(CallosumServer server, @Nullable Lifecycle lifecycle) {
		super("Callosum server health check failed");
		this.server = server;
		this.lifecycle = lifecycle;
	}

	@Override
	protected void doHealthCheck(Health.Builder builder) {
		State state = ServerView.state(this.server);
		switch (state) {
			case RUNNING -> builder.up();
			case STOPPING -> builder.outOfService();
			case FAILED -> builder.down();
			case STOPPED -> {
				if (isStoppedOnPurpose()) {
					builder.outOfService();
				}
				else {
					builder.down();
				}
			}
		}
		builder.withDetail("state", state.toString());
		withDetail(builder, "address", ServerView.address(this.server));
		Collection<CallosumConnection> connections = this.server.connections();
		builder.withDetail("connections", connections.size());
		withDetail(builder, "limit", this.server.maxConnections());
		withDetail(builder, "highestSlot", ServerView.highestSlot(connections));
	}

	/**
	 * Return whether the server is not running because its context was stopped or has not
	 * been started yet.
	 */
	private boolean isStoppedOnPurpose() {
		return this.lifecycle != null && !this.lifecycle.isRunning();
	}

	private static void withDetail(Health.Builder builder, String key, @Nullable Object value) {
		if (value != null) {
			builder.withDetail(key, value);
		}
	}

}
