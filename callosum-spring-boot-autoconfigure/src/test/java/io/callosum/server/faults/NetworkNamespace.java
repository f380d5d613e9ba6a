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

import java.util.concurrent.atomic.AtomicInteger;

/**
 * A separate network for a server, at the other end of a wire. What is done to it affects
 * nobody else.
 */
final class NetworkNamespace implements AutoCloseable {

	private static final AtomicInteger COUNT = new AtomicInteger();

	private final String name;

	/**
	 * The first address of a network of 32 addresses, in the range for network benchmarks
	 * of RFC 2544, which nobody uses. Each process has its own.
	 */
	private final int network;

	NetworkNamespace() {
		Requirement.root();
		Requirement.command("ip");
		long number = ProcessHandle.current().pid() * 8 + COUNT.getAndIncrement();
		this.name = "cal" + number;
		this.network = (198 << 24) + (18 << 16) + (int) (number % 4096) * 32;
		Requirement.met(Commands.succeed("ip", "netns", "add", this.name), "to create a network namespace");
		boolean linked = Commands.succeed("ip", "link", "add", this.name, "type", "veth", "peer", "name", "eth0",
				"netns", this.name);
		if (!linked) {
			close();
		}
		Requirement.met(linked, "to create a pair of virtual network devices");
		for (Behavior behavior : Behavior.values()) {
			ip("addr", "add", address(behavior.ordinal() + 1) + "/27", "dev", this.name);
		}
		ip("link", "set", this.name, "up");
		ip("-n", this.name, "addr", "add", address(30) + "/27", "dev", "eth0");
		ip("-n", this.name, "link", "set", "eth0", "up");
	}

	/**
	 * Return the address of the server.
	 */
	String host() {
		return address(30);
	}

	/**
	 * Return the prefix of a command that runs in this namespace.
	 */
	String[] prefix() {
		return new String[] { "ip", "netns", "exec", this.name };
	}

	/**
	 * Set a system parameter in this namespace only.
	 */
	void set(String parameter, int value) {
		run("bash", "-c", "echo %d > /proc/sys/net/%s".formatted(value, parameter));
	}

	/**
	 * Require what is needed to cut clients off: even if the command exists, the system
	 * may lack support for it.
	 */
	void requireFirewall() {
		Requirement.command("iptables");
		// For the address of the network, which nobody has
		Requirement.met(
				Commands.succeed("ip", "netns", "exec", this.name, "iptables", "-w", "-I", "OUTPUT", "-p", "tcp", "-d",
						address(0), "-j", "REJECT", "--reject-with", "tcp-reset"),
				"a system with rules for 'iptables'");
	}

	/**
	 * Drop all packets from and to the client with the given address.
	 */
	void cut(String client) {
		iptables("-I", "INPUT", "-s", client, "-j", "DROP");
		iptables("-I", "OUTPUT", "-d", client, "-j", "DROP");
	}

	void mend(String client) {
		iptables("-D", "INPUT", "-s", client, "-j", "DROP");
		iptables("-D", "OUTPUT", "-d", client, "-j", "DROP");
	}

	/**
	 * Answer what the server sends to a client with a reset, as a firewall does.
	 */
	void reject(String client) {
		iptables("-I", "OUTPUT", "-p", "tcp", "-d", client, "-j", "REJECT", "--reject-with", "tcp-reset");
	}

	private void iptables(String... arguments) {
		String[] command = new String[arguments.length + 2];
		command[0] = "iptables";
		// Others may hold its lock
		command[1] = "-w";
		System.arraycopy(arguments, 0, command, 2, arguments.length);
		run(command);
	}

	private void run(String... command) {
		String[] prefix = prefix();
		String[] whole = new String[prefix.length + command.length];
		System.arraycopy(prefix, 0, whole, 0, prefix.length);
		System.arraycopy(command, 0, whole, prefix.length, command.length);
		Commands.run(whole);
	}

	private static void ip(String... arguments) {
		String[] command = new String[arguments.length + 1];
		command[0] = "ip";
		System.arraycopy(arguments, 0, command, 1, arguments.length);
		Commands.run(command);
	}

	private String address(int host) {
		int address = this.network + host;
		return "%d.%d.%d.%d".formatted(address >>> 24, (address >> 16) & 255, (address >> 8) & 255, address & 255);
	}

	@Override
	public void close() {
		Commands.succeed("ip", "link", "delete", this.name);
		Commands.succeed("ip", "netns", "delete", this.name);
	}

}
