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

package io.callosum.benchmark;

import java.util.Locale;

import io.callosum.client.LeasePolicy;

/**
 * The ways to spread requests over servers that are measured side by side.
 *
 * @author The Callosum authors
 */
enum FleetArm {

	/**
	 * Callosum's pool with its defaults.
	 */
	CALLOSUM("Callosum", FleetProtocol.CALLOSUM, (client) -> new CallosumFleetClient(client, LeasePolicy.LOWEST_SLOT)),

	/**
	 * Callosum's pool that also considers latencies.
	 */
	CALLOSUM_BALANCED("Callosum, balanced", FleetProtocol.CALLOSUM,
			(client) -> new CallosumFleetClient(client, LeasePolicy.BALANCED)),

	/**
	 * A pool of Reactor Netty connections, which are opened to the servers in turn.
	 */
	REACTOR_NETTY("Reactor Netty", FleetProtocol.LINES, ReactorNettyFleetClient::new),

	/**
	 * A gRPC channel with the default policy.
	 */
	GRPC_PICK_FIRST("gRPC pick_first", FleetProtocol.GRPC, (client) -> new GrpcFleetClient(client, "pick_first")),

	/**
	 * A gRPC channel with a connection to each server, in turn.
	 */
	GRPC_ROUND_ROBIN("gRPC round_robin", FleetProtocol.GRPC, (client) -> new GrpcFleetClient(client, "round_robin"));

	final String title;

	final FleetProtocol protocol;

	final FleetClient.Factory client;

	FleetArm(String title, FleetProtocol protocol, FleetClient.Factory client) {
		this.title = title;
		this.protocol = protocol;
		this.client = client;
	}

	static FleetArm of(String name) {
		return valueOf(name.toUpperCase(Locale.ROOT).replace('-', '_'));
	}

}
