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

package io.callosum.server.faults;

import java.net.InetAddress;
import java.util.List;
import java.util.function.Supplier;
import java.util.stream.IntStream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Attacks by peers that have many addresses.
 */
@ParameterizedClass
@EnumSource
class AttackByAddressesIntegrationTests extends AttackFaults {

	@Test
	void peersOfOneIpv6NetworkHaveNoMoreConnectionsThanOneAddress() {
		try (Ipv6Networks networks = new Ipv6Networks()) {
			List<InetAddress> peers = networks.addNetwork(500);
			List<InetAddress> neighbors = IntStream.range(0, 20)
				.mapToObj((i) -> networks.addNetwork(1).get(0))
				.toList();
			this.honest = (server) -> HonestClient.from(neighbors, server);
			this.host = "::1";
			start(launcher().server("max-connections-per-address=5"));
			Supplier<Peers> neighborhood = () -> {
				Peers connected = Peers.connect(this.server, peers);
				assertThat(connected.awaitSlots()).isEqualTo(5);
				return connected;
			};
			attack("addresses of one network", neighborhood);
			lastAttack("addresses of one network", neighborhood);
		}
	}

}
