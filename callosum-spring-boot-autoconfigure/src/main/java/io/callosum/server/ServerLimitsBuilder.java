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

import java.time.Duration;
import java.util.Collection;

import org.jspecify.annotations.Nullable;

import org.springframework.util.Assert;
import org.springframework.util.unit.DataSize;

import io.callosum.transport.KeepAlive;

/**
 * The part of {@link CallosumServer.Builder} that limits what peers may do: how many may
 * connect, and how long they may take.
 */
// Package-private, because it is not an API of its own: javac adds a bridge method for
// each setter to the builder
abstract sealed class ServerLimitsBuilder permits CallosumServer.Builder {

	private static final DataSize MAX_READ_AHEAD = DataSize.ofGigabytes(1);

	final ServerSettings.Draft draft = new ServerSettings.Draft();

	abstract CallosumServer.Builder self();

	/**
	 * Set the maximum number of open connections, including those whose TLS handshake is
	 * not complete. Further connections are closed as soon as they are accepted.
	 * @param maxConnections the limit, 1 or more, or {@code null} for none, which is the
	 * default
	 * @return this builder
	 */
	public CallosumServer.Builder maxConnections(@Nullable Integer maxConnections) {
		Assert.isTrue(maxConnections == null || maxConnections > 0,
				"'maxConnections' must be 1 or more; leave it out for no limit");
		this.draft.maxConnections = maxConnections;
		return self();
	}

	/**
	 * Set the maximum number of open connections per remote IP address. IPv6 addresses in
	 * the same /64 network count as one. Further connections are closed as soon as they
	 * are accepted.
	 * @param maxConnectionsPerAddress the limit, 1 or more, or {@code null} for none,
	 * which is the default
	 * @return this builder
	 */
	public CallosumServer.Builder maxConnectionsPerAddress(@Nullable Integer maxConnectionsPerAddress) {
		Assert.isTrue(maxConnectionsPerAddress == null || maxConnectionsPerAddress > 0,
				"'maxConnectionsPerAddress' must be 1 or more; leave it out for no limit");
		this.draft.maxConnectionsPerAddress = maxConnectionsPerAddress;
		return self();
	}

	/**
	 * Set the maximum number of unanswered slot requests, including those of peers that
	 * have left. While the limit is reached, new connections are closed as soon as they
	 * are accepted.
	 * @param maxPendingSlotRequests the limit, 1 or more; the default is 10,000
	 * @return this builder
	 */
	public CallosumServer.Builder maxPendingSlotRequests(int maxPendingSlotRequests) {
		Assert.isTrue(maxPendingSlotRequests > 0, "'maxPendingSlotRequests' must be 1 or more");
		this.draft.maxPendingSlotRequests = maxPendingSlotRequests;
		return self();
	}

	/**
	 * Set how much memory a connection may use for bytes that are read before the
	 * application requests them. While there is room, a peer that leaves is noticed at
	 * once on every transport.
	 * @param readAhead the size, from 1 byte to 1 gigabyte; the default is 16 kilobytes
	 * @return this builder
	 */
	public CallosumServer.Builder readAhead(DataSize readAhead) {
		Assert.isTrue(readAhead.toBytes() > 0 && readAhead.compareTo(MAX_READ_AHEAD) <= 0,
				"'readAhead' must be from 1 byte to 1 gigabyte");
		this.draft.readAhead = readAhead;
		return self();
	}

	/**
	 * Set how much memory all connections together may use for bytes that are read ahead.
	 * When it is used up, only bytes that the application requests are read.
	 * @param readAheadBudget the size, 1 byte or more, or {@code null} for a quarter of
	 * the direct memory that Netty may use, which is the default
	 * @return this builder
	 */
	public CallosumServer.Builder readAheadBudget(@Nullable DataSize readAheadBudget) {
		Assert.isTrue(readAheadBudget == null || readAheadBudget.toBytes() > 0,
				"'readAheadBudget' must be 1 byte or more");
		this.draft.readAheadBudget = readAheadBudget;
		return self();
	}

	/**
	 * Set the addresses that may connect. Connections from other addresses are closed as
	 * soon as they are accepted.
	 * @param allowedAddresses IPv4 or IPv6 addresses or CIDR ranges, such as
	 * {@code 10.0.0.0/8}; empty for every address, which is the default
	 * @return this builder
	 */
	public CallosumServer.Builder allowedAddresses(Collection<String> allowedAddresses) {
		this.draft.allowedAddresses = new AddressRanges(allowedAddresses);
		return self();
	}

	/**
	 * Set how long a connection may wait for its slot before it is refused. The timeout
	 * starts when the connection is accepted or, with TLS, when the handshake is
	 * complete.
	 * @param slotTimeout the timeout, more than 0; the default is 10 seconds
	 * @return this builder
	 */
	public CallosumServer.Builder slotTimeout(Duration slotTimeout) {
		this.draft.slotTimeout = ServerSettings.positive("slotTimeout", slotTimeout);
		return self();
	}

	/**
	 * Set how long a client may take from connecting to the end of the TLS handshake. The
	 * timeout of an {@link reactor.netty.tcp.SslProvider} has no effect.
	 * @param sslHandshakeTimeout the timeout, more than 0; the default is 10 seconds
	 * @return this builder
	 */
	public CallosumServer.Builder sslHandshakeTimeout(Duration sslHandshakeTimeout) {
		this.draft.sslHandshakeTimeout = ServerSettings.positive("sslHandshakeTimeout", sslHandshakeTimeout);
		return self();
	}

	/**
	 * Set how long a handler may continue after its peer has left and everything that the
	 * peer sent has been delivered. During this time, what it writes is dropped. When the
	 * timeout expires, the handler is cancelled.
	 * @param completionTimeout the timeout, more than 0; the default is 10 seconds
	 * @return this builder
	 */
	public CallosumServer.Builder completionTimeout(Duration completionTimeout) {
		this.draft.completionTimeout = ServerSettings.positive("completionTimeout", completionTimeout);
		return self();
	}

	/**
	 * Set how long a connection may stay open without a byte being transferred in either
	 * direction.
	 * @param idleTimeout the timeout, more than 0, or {@code null} for none, which is the
	 * default
	 * @return this builder
	 */
	public CallosumServer.Builder idleTimeout(@Nullable Duration idleTimeout) {
		this.draft.idleTimeout = (idleTimeout != null) ? ServerSettings.positive("idleTimeout", idleTimeout) : null;
		return self();
	}

	/**
	 * Set how long queued bytes may make no progress, because the peer does not read,
	 * before the connection is closed. Progress is checked four times per timeout.
	 * @param writeTimeout the timeout, more than 0, or {@code null} for none, which is
	 * the default
	 * @return this builder
	 */
	public CallosumServer.Builder writeTimeout(@Nullable Duration writeTimeout) {
		this.draft.writeTimeout = (writeTimeout != null) ? ServerSettings.positive("writeTimeout", writeTimeout) : null;
		return self();
	}

	/**
	 * Set how soon a peer that vanished without closing its connection is given up on:
	 * after {@code idle + count * interval}, by default 60 seconds plus 3 times 10
	 * seconds. If a transport or operating system does not support these settings, its
	 * own settings apply.
	 * @param idle how long a connection is idle before its peer is probed, from 1 second
	 * to 9 hours
	 * @param interval the time between unanswered probes, from 1 second to 9 hours
	 * @param count the number of unanswered probes before the connection is closed, from
	 * 1 to 127
	 * @return this builder
	 */
	public CallosumServer.Builder keepAlive(Duration idle, Duration interval, int count) {
		this.draft.keepAlive = new KeepAlive(idle, interval, count);
		return self();
	}

	/**
	 * Disable TCP keep-alive.
	 * @return this builder
	 */
	public CallosumServer.Builder noKeepAlive() {
		this.draft.keepAlive = null;
		return self();
	}

	/**
	 * Set how long a peer must have sent nothing before a drain ends its connection,
	 * unless the connection gets between two messages first.
	 * @param shutdownQuietPeriod the time, more than 0; the default is 1 second
	 * @return this builder
	 */
	public CallosumServer.Builder shutdownQuietPeriod(Duration shutdownQuietPeriod) {
		this.draft.shutdownQuietPeriod = ServerSettings.positive("shutdownQuietPeriod", shutdownQuietPeriod);
		return self();
	}

}
