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

package io.callosum.client.autoconfigure.actuate;

import java.util.List;

import org.jspecify.annotations.Nullable;

import org.springframework.boot.health.contributor.AbstractHealthIndicator;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.Status;

import io.callosum.client.CallosumClient;
import io.callosum.client.ClientSnapshot;
import io.callosum.client.ClientSnapshot.Server;

/**
 * Health of a client: up while it has a connection. Reads memory only.
 */
final class CallosumClientHealthIndicator extends AbstractHealthIndicator {

	private final CallosumClient client;

	CallosumClientHealthIndicator(CallosumClient client) {
		super("The health of the Callosum client cannot be determined");
		this.client = client;
	}

	@Override
	protected void doHealthCheck(Health.Builder builder) {
		ClientSnapshot snapshot = this.client.snapshot();
		Status status = status(snapshot);
		builder.status(status)
			.withDetail("state", snapshot.state())
			.withDetail("connections", snapshot.members().size())
			.withDetail("poolSize", snapshot.poolSize())
			.withDetail("pending", snapshot.pending())
			.withDetail("servers", snapshot.servers().size())
			.withDetail("serversReachable", reachable(snapshot));
		String lastFailure = (status.equals(Status.DOWN)) ? lastFailure(snapshot.servers()) : null;
		if (lastFailure != null) {
			builder.withDetail("lastFailure", lastFailure);
		}
	}

	private static Status status(ClientSnapshot snapshot) {
		if (snapshot.state() != ClientSnapshot.State.RUNNING) {
			return Status.OUT_OF_SERVICE;
		}
		if (!snapshot.members().isEmpty()) {
			return Status.UP;
		}
		return snapshot.servers().stream().allMatch(CallosumClientHealthIndicator::hasFailed) ? Status.DOWN
				: Status.UNKNOWN;
	}

	private static boolean hasFailed(Server server) {
		return server.state() == Server.State.UNREACHABLE || server.state() == Server.State.EJECTED;
	}

	private static long reachable(ClientSnapshot snapshot) {
		return snapshot.servers().stream().filter((server) -> server.state() == Server.State.REACHABLE).count();
	}

	private static @Nullable String lastFailure(List<Server> servers) {
		return servers.stream()
			.filter((server) -> server.lastFailure() != null)
			.map((server) -> Addresses.toString(server.address()) + ": " + server.lastFailure())
			.findFirst()
			.orElse(null);
	}

}
