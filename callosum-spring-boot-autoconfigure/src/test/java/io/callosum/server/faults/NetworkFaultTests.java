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

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.Socket;

import org.jspecify.annotations.Nullable;

import io.callosum.server.ConnectionEvent;
import io.callosum.server.TestServer;
import io.callosum.server.Transport;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Faults of addresses and address families.
 */
class NetworkFaultTests {

	@FaultTest
	void aServerListensWhereItIsToldAndKnowsItsPeersByTheirAddress(Transport transport, Host host, Client client)
			throws IOException {
		if (host == Host.LOOPBACK_6 || host == Host.EVERY_6 || client == Client.IPV6) {
			Requirement.met(NetworkInterface.getByInetAddress(InetAddress.getByName(Client.IPV6.address)) != null,
					"IPv6");
		}
		try (TestServer server = TestServer.create(transport, (builder) -> builder.host(host.name)).start()) {
			InetSocketAddress address = new InetSocketAddress(InetAddress.getByName(client.address),
					server.server().address().getPort());
			if (!host.isReachedBy(client)) {
				assertThat(isReached(address)).isFalse();
				return;
			}
			// The second finds the slot free again
			for (int i = 0; i < 2; i++) {
				int connections = i + 1;
				try (Socket socket = new Socket()) {
					socket.connect(address);
					assertThat(server.connect(socket).readSlot()).isZero();
					TestServer.await("connection",
							() -> assertThat(server.events().of(ConnectionEvent.class)).hasSize(connections));
					InetSocketAddress remote = (InetSocketAddress) server.events()
						.of(ConnectionEvent.class)
						.get(i)
						.getConnection()
						.remoteAddress();
					assertThat(remote.getAddress()).isEqualTo(InetAddress.getByName(client.address));
					assertThat(remote.toString()).doesNotContain("ffff").doesNotContain("localhost");
					assertThat(remote.getPort()).isEqualTo(socket.getLocalPort());
				}
				server.verifyNothingLeft();
			}
			Faults.verifyNoError(server);
		}
	}

	private static boolean isReached(InetSocketAddress address) {
		try (Socket socket = new Socket()) {
			socket.connect(address);
			return true;
		}
		catch (IOException ex) {
			return false;
		}
	}

	/**
	 * Where a server listens. The wildcard address of IPv4 includes that of IPv6.
	 */
	enum Host {

		LOOPBACK("127.0.0.1"), LOOPBACK_6("::1"), EVERY("0.0.0.0"), EVERY_6("::"), UNSET(null);

		private final @Nullable String name;

		Host(@Nullable String name) {
			this.name = name;
		}

		private boolean isReachedBy(Client client) {
			return switch (this) {
				case LOOPBACK -> client == Client.IPV4;
				case LOOPBACK_6 -> client == Client.IPV6;
				default -> true;
			};
		}

	}

	/**
	 * Where a client comes from.
	 */
	enum Client {

		IPV4("127.0.0.1"), IPV6("::1");

		private final String address;

		Client(String address) {
			this.address = address;
		}

	}

}
