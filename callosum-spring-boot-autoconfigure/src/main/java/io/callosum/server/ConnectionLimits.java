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

package io.callosum.server;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicInteger;

import io.netty.handler.ipfilter.IpFilterRule;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import org.jspecify.annotations.Nullable;

/**
 * Who may connect, and how many at a time. A connection counts from when it was admitted
 * until it is released, one that was refused never does.
 */
final class ConnectionLimits {

	private static final Log logger = LogFactory.getLog(CallosumServer.class);

	private final List<? extends IpFilterRule> allowed;

	private final @Nullable Integer max;

	private final @Nullable Integer maxPerAddress;

	private final AtomicInteger connections = new AtomicInteger();

	private final ConcurrentMap<InetAddress, Integer> connectionsByAddress = new ConcurrentHashMap<>();

	private final ThrottledLog allowedLog = new ThrottledLog((message, ex) -> logger.warn(message));

	private final ThrottledLog maxLog = new ThrottledLog((message, ex) -> logger.warn(message));

	private final ThrottledLog maxPerAddressLog = new ThrottledLog((message, ex) -> logger.warn(message));

	ConnectionLimits(CallosumServer.Builder settings) {
		this.allowed = settings.allowedAddresses;
		this.max = settings.maxConnections;
		this.maxPerAddress = settings.maxConnectionsPerAddress;
	}

	/**
	 * Admit a connection.
	 * @param remoteAddress the address of its peer
	 * @return why it is refused, or {@code null} if it is admitted
	 */
	@Nullable RefusalReason admit(@Nullable SocketAddress remoteAddress) {
		if (!isAllowed(remoteAddress)) {
			this.allowedLog.log("Closed a connection of " + remoteAddress
					+ ": the address is none of callosum.server.allowed-addresses", null);
			return RefusalReason.ADDRESS_NOT_ALLOWED;
		}
		InetAddress address = address(remoteAddress);
		if (this.maxPerAddress != null && address != null && !tryCount(address, this.maxPerAddress)) {
			this.maxPerAddressLog.log("Closed a connection of " + address.getHostAddress() + ": " + this.maxPerAddress
					+ " of it are open, as many as callosum.server.max-connections-per-address allows", null);
			return RefusalReason.MAX_CONNECTIONS_PER_ADDRESS;
		}
		if (!tryCount()) {
			releaseAddress(remoteAddress);
			this.maxLog.log(
					"Closed a connection: " + this.max + " are open, as many as callosum.server.max-connections allows",
					null);
			return RefusalReason.MAX_CONNECTIONS;
		}
		return null;
	}

	/**
	 * Count a connection, unless that is one too many: not even for a moment, in which
	 * another could be refused for it.
	 */
	private boolean tryCount() {
		int max = (this.max != null) ? this.max : Integer.MAX_VALUE;
		int count;
		do {
			count = this.connections.get();
			if (count >= max) {
				return false;
			}
		}
		while (!this.connections.compareAndSet(count, count + 1));
		return true;
	}

	private boolean tryCount(InetAddress address, int max) {
		Integer count = this.connectionsByAddress.putIfAbsent(address, 1);
		while (count != null) {
			if (count >= max) {
				return false;
			}
			if (this.connectionsByAddress.replace(address, count, count + 1)) {
				return true;
			}
			count = this.connectionsByAddress.putIfAbsent(address, 1);
		}
		return true;
	}

	/**
	 * A connection that was admitted counts no more.
	 * @param remoteAddress the address of its peer, the same as before
	 */
	void release(@Nullable SocketAddress remoteAddress) {
		this.connections.decrementAndGet();
		releaseAddress(remoteAddress);
	}

	private void releaseAddress(@Nullable SocketAddress remoteAddress) {
		InetAddress address = address(remoteAddress);
		if (this.maxPerAddress != null && address != null) {
			this.connectionsByAddress.computeIfPresent(address, (key, count) -> (count > 1) ? count - 1 : null);
		}
	}

	private boolean isAllowed(@Nullable SocketAddress remoteAddress) {
		if (this.allowed.isEmpty()) {
			return true;
		}
		if (remoteAddress instanceof InetSocketAddress address) {
			for (IpFilterRule rule : this.allowed) {
				if (rule.matches(address)) {
					return true;
				}
			}
		}
		return false;
	}

	private static @Nullable InetAddress address(@Nullable SocketAddress remoteAddress) {
		return (remoteAddress instanceof InetSocketAddress address) ? address.getAddress() : null;
	}

}
