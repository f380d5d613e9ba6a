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

import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;
import java.util.concurrent.atomic.AtomicInteger;

import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import org.jspecify.annotations.Nullable;

import io.callosum.transport.ThrottledLog;

/**
 * Limits which peers may connect, and how many at a time. A connection counts from when
 * it is admitted until it is released. A connection that is refused never counts.
 */
final class ConnectionLimits {

	private static final Log logger = LogFactory.getLog(ConnectionLimits.class);

	/**
	 * The length of the network part of an IPv6 address, in bytes. Every customer of a
	 * provider has at least one network of this size, and therefore any number of
	 * addresses.
	 */
	private static final int IPV6_NETWORK_BYTES = 8;

	private final AddressRanges allowed;

	private final @Nullable Integer max;

	private final @Nullable Integer maxPerAddress;

	private final int maxPendingSlotRequests;

	private final AtomicInteger connections = new AtomicInteger();

	/**
	 * The number of unanswered slot requests, including those of peers that have left.
	 */
	private final AtomicInteger pendingSlotRequests = new AtomicInteger();

	private final ConcurrentMap<InetAddress, Integer> connectionsByAddress = new ConcurrentHashMap<>();

	private final ThrottledLog allowedLog = new ThrottledLog((message, ex) -> logger.warn(message));

	private final ThrottledLog maxLog = new ThrottledLog((message, ex) -> logger.warn(message));

	private final ThrottledLog maxPerAddressLog = new ThrottledLog((message, ex) -> logger.warn(message));

	private final ThrottledLog maxPendingLog = new ThrottledLog((message, ex) -> logger.warn(message));

	ConnectionLimits(ServerSettings settings) {
		this.allowed = settings.allowedAddresses;
		this.max = settings.maxConnections;
		this.maxPerAddress = settings.maxConnectionsPerAddress;
		this.maxPendingSlotRequests = settings.maxPendingSlotRequests;
	}

	/**
	 * Admit a connection.
	 * @param remoteAddress the address of its peer
	 * @return why it is refused, or {@code null} if it is admitted
	 */
	@Nullable RefusalReason admit(@Nullable SocketAddress remoteAddress) {
		if (!isAllowed(remoteAddress)) {
			this.allowedLog.log("Closed a connection from " + remoteAddress
					+ ": the address is not in callosum.server.allowed-addresses", null);
			return RefusalReason.ADDRESS_NOT_ALLOWED;
		}
		if (this.pendingSlotRequests.get() >= this.maxPendingSlotRequests) {
			logMaxPending();
			return RefusalReason.MAX_PENDING_SLOT_REQUESTS;
		}
		InetAddress address = (this.maxPerAddress != null) ? countedAddress(remoteAddress) : null;
		if (this.maxPerAddress != null && address != null && !tryCount(address, this.maxPerAddress)) {
			this.maxPerAddressLog.log("Closed a connection from " + describe(address) + ": " + this.maxPerAddress
					+ " are open, as many as callosum.server.max-connections-per-address allows", null);
			return RefusalReason.MAX_CONNECTIONS_PER_ADDRESS;
		}
		if (!tryCount(this.connections, (this.max != null) ? this.max : Integer.MAX_VALUE)) {
			releaseAddress(remoteAddress);
			this.maxLog.log(
					"Closed a connection: " + this.max + " are open, as many as callosum.server.max-connections allows",
					null);
			return RefusalReason.MAX_CONNECTIONS;
		}
		return null;
	}

	/**
	 * Admit a slot request, which counts until it is answered. With TLS, the limit may
	 * have been reached since its connection was admitted.
	 * @return {@code false} if its connection is refused
	 */
	boolean admitSlotRequest() {
		if (tryCount(this.pendingSlotRequests, this.maxPendingSlotRequests)) {
			return true;
		}
		logMaxPending();
		return false;
	}

	private void logMaxPending() {
		this.maxPendingLog.log("Closed a connection: " + this.maxPendingSlotRequests
				+ " slot requests are pending, as many as callosum.server.max-pending-slot-requests allows."
				+ " The allocator or listener that answers them does not keep up", null);
	}

	/**
	 * A slot request that was admitted has been answered.
	 */
	void slotRequestAnswered() {
		this.pendingSlotRequests.decrementAndGet();
	}

	/**
	 * Increment a counter, unless it has reached its maximum. The counter never exceeds
	 * the maximum, not even for a moment, as another connection could then be refused.
	 */
	private static boolean tryCount(AtomicInteger counter, int max) {
		int count;
		do {
			count = counter.get();
			if (count >= max) {
				return false;
			}
		}
		while (!counter.compareAndSet(count, count + 1));
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
	 * Stop counting a connection that was admitted.
	 * @param remoteAddress the address of its peer, the same as when it was admitted
	 */
	void release(@Nullable SocketAddress remoteAddress) {
		this.connections.decrementAndGet();
		releaseAddress(remoteAddress);
	}

	private void releaseAddress(@Nullable SocketAddress remoteAddress) {
		InetAddress address = (this.maxPerAddress != null) ? countedAddress(remoteAddress) : null;
		if (address != null) {
			this.connectionsByAddress.computeIfPresent(address, (key, count) -> (count > 1) ? count - 1 : null);
		}
	}

	private boolean isAllowed(@Nullable SocketAddress remoteAddress) {
		if (this.allowed.isEmpty()) {
			return true;
		}
		return remoteAddress instanceof InetSocketAddress address && address.getAddress() != null
				&& this.allowed.contains(address.getAddress());
	}

	/**
	 * Return the address that a connection counts for: that of its peer, or for IPv6 that
	 * of the peer's network.
	 */
	private static @Nullable InetAddress countedAddress(@Nullable SocketAddress remoteAddress) {
		InetAddress address = (remoteAddress instanceof InetSocketAddress socketAddress) ? socketAddress.getAddress()
				: null;
		if (!(address instanceof Inet6Address)) {
			return address;
		}
		byte[] network = address.getAddress();
		Arrays.fill(network, IPV6_NETWORK_BYTES, network.length, (byte) 0);
		try {
			return InetAddress.getByAddress(network);
		}
		catch (UnknownHostException ex) {
			throw new IllegalStateException(ex);
		}
	}

	private static String describe(InetAddress countedAddress) {
		String address = countedAddress.getHostAddress();
		return (countedAddress instanceof Inet6Address) ? address + "/" + IPV6_NETWORK_BYTES * Byte.SIZE : address;
	}

}
