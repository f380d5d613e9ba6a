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
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Addresses in 64-bit IPv6 networks, which this machine has as long as this is open.
 */
final class Ipv6Networks implements AutoCloseable {

	/**
	 * Chosen at random, as RFC 4193 demands, so that nobody else has it.
	 */
	private final String prefix;

	private final List<String> addresses = new ArrayList<>();

	private int networks;

	Ipv6Networks() {
		Requirement.root();
		Requirement.command("ip");
		Random random = new Random();
		this.prefix = "fd%02x:%04x:%04x".formatted(random.nextInt(1 << 8), random.nextInt(1 << 16),
				random.nextInt(1 << 16));
	}

	/**
	 * Return the given number of addresses in one more network.
	 */
	List<InetAddress> addNetwork(int size) {
		String network = this.prefix + ":" + Integer.toHexString(this.networks++);
		// With the number that stands for no behavior at the end
		List<String> added = IntStream.range(0, size)
			.mapToObj((i) -> "%s::%x:%x".formatted(network, i, Behavior.NONE.ordinal() + 1))
			.toList();
		this.addresses.addAll(added);
		Requirement.met(ip("add", added), "addresses of IPv6");
		return added.stream().map(Ipv6Networks::address).toList();
	}

	private static boolean ip(String action, List<String> addresses) {
		String commands = addresses.stream()
			.map((address) -> "addr %s %s/128 dev lo%n".formatted(action, address))
			.collect(Collectors.joining());
		return Commands.succeed("bash", "-c", "ip -6 -force -batch - <<< '" + commands + "'");
	}

	private static InetAddress address(String address) {
		try {
			return InetAddress.getByName(address);
		}
		catch (UnknownHostException ex) {
			throw new IllegalStateException(ex);
		}
	}

	@Override
	public void close() {
		ip("del", this.addresses);
	}

}
