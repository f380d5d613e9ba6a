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

package io.callosum.client;

import java.net.IDN;

import io.netty.util.NetUtil;
import org.jspecify.annotations.Nullable;

import org.springframework.util.Assert;

/**
 * The address of one or more servers: each IP address that the host resolves to is a
 * server.
 *
 * @param host a host name or an IP address, without brackets
 * @param port the port, 1 to 65535
 * @author The Callosum authors
 * @since 0.1.0
 */
public record ServerAddress(String host, int port) {

	/**
	 * The default port.
	 */
	static final int DEFAULT_PORT = 4040;

	/**
	 * Create an address.
	 * @param host a host name or an IP address, without brackets
	 * @param port the port, 1 to 65535
	 */
	public ServerAddress {
		Assert.hasText(host, "'host' must not be empty");
		Assert.isTrue(isHost(host), () -> "'" + host + "' is not a host name or an IP address");
		Assert.isTrue(port > 0 && port <= 65535, () -> "The port of '" + host + "' must be from 1 to 65535");
	}

	/**
	 * Return whether a name can be looked up. One that cannot would prevent the lookup of
	 * all others in its list.
	 */
	private static boolean isHost(String host) {
		if (host.chars().anyMatch((c) -> c <= ' ' || c == '[' || c == ']' || c == '/')) {
			return false;
		}
		if (host.indexOf(':') >= 0) {
			return NetUtil.isValidIpV6Address(host);
		}
		try {
			IDN.toASCII(host);
			return true;
		}
		catch (IllegalArgumentException ex) {
			return false;
		}
	}

	/**
	 * Parse an address.
	 * @param hostAndPort {@code host}, {@code host:port}, {@code [IPv6 address]:port} or
	 * an IPv6 address; the default port is 4040
	 * @return the address
	 * @throws IllegalArgumentException if the text is none of these
	 */
	public static ServerAddress of(String hostAndPort) {
		Assert.notNull(hostAndPort, "'hostAndPort' must not be null");
		String text = hostAndPort.strip();
		int colon = text.lastIndexOf(':');
		if (text.startsWith("[")) {
			int end = text.indexOf(']');
			Assert.isTrue(end > 0 && (end == text.length() - 1 || colon == end + 1), () -> invalid(hostAndPort));
			String port = (colon > end) ? text.substring(colon + 1) : null;
			return create(text.substring(1, end), port, hostAndPort);
		}
		if (colon < 0 || text.indexOf(':') != colon) {
			// No port, or an IPv6 address without brackets
			return create(text, null, hostAndPort);
		}
		return create(text.substring(0, colon), text.substring(colon + 1), hostAndPort);
	}

	private static ServerAddress create(String host, @Nullable String port, String hostAndPort) {
		Assert.hasText(host, () -> invalid(hostAndPort));
		if (port == null) {
			return new ServerAddress(host, DEFAULT_PORT);
		}
		Assert.isTrue(!port.isEmpty() && port.length() <= 5 && port.chars().allMatch((c) -> c >= '0' && c <= '9'),
				() -> invalid(hostAndPort));
		return new ServerAddress(host, Integer.parseInt(port));
	}

	private static String invalid(String hostAndPort) {
		return "'" + hostAndPort + "' is not an address of the form host, host:port or [IPv6 address]:port";
	}

	/**
	 * Return the address in the format of {@link #of(String)}.
	 */
	@Override
	public String toString() {
		return ((this.host.indexOf(':') >= 0) ? "[" + this.host + "]" : this.host) + ":" + this.port;
	}

}
