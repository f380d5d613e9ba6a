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
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.function.Function;

import io.netty.util.internal.PlatformDependent;
import org.jspecify.annotations.Nullable;
import reactor.netty.resources.LoopResources;
import reactor.netty.tcp.SslProvider;

import org.springframework.context.ApplicationEventPublisher;
import org.springframework.util.Assert;
import org.springframework.util.unit.DataSize;

import io.callosum.transport.KeepAlive;

/**
 * The settings of a {@link CallosumServer}, which do not change when their draft does. A
 * setting that is not copied from the draft does not compile.
 */
final class ServerSettings {

	final @Nullable String host;

	final int port;

	final int backlog;

	final @Nullable Integer maxConnections;

	final @Nullable Integer maxConnectionsPerAddress;

	final int maxPendingSlotRequests;

	/**
	 * In bytes.
	 */
	final long readAhead;

	final long readAheadBudget;

	final AddressRanges allowedAddresses;

	final double weight;

	final @Nullable Duration warmUp;

	final Duration slotTimeout;

	final Duration completionTimeout;

	final @Nullable Duration idleTimeout;

	final @Nullable Duration writeTimeout;

	final @Nullable KeepAlive keepAlive;

	final @Nullable Function<@Nullable String, SslProvider> sslProviders;

	/**
	 * Whether the {@link SslProvider} depends on the server name that a client asks for.
	 */
	final boolean serverNames;

	final Duration sslHandshakeTimeout;

	final CallosumMetricsRecorder metricsRecorder;

	final Duration shutdownQuietPeriod;

	final @Nullable Integer workerThreads;

	final boolean nativeTransport;

	final @Nullable LoopResources loopResources;

	final SlotAllocator slotAllocator;

	final @Nullable ConnectionHandler connectionHandler;

	final @Nullable BlockingHandler blockingHandler;

	final List<CallosumTcpServerCustomizer> customizers;

	final @Nullable ApplicationEventPublisher eventPublisher;

	final @Nullable Executor listenerExecutor;

	ServerSettings(Draft draft) {
		this.host = draft.host;
		this.port = draft.port;
		this.backlog = draft.backlog;
		this.maxConnections = draft.maxConnections;
		this.maxConnectionsPerAddress = draft.maxConnectionsPerAddress;
		this.maxPendingSlotRequests = draft.maxPendingSlotRequests;
		this.readAhead = draft.readAhead.toBytes();
		this.readAheadBudget = (draft.readAheadBudget != null) ? draft.readAheadBudget.toBytes()
				: PlatformDependent.maxDirectMemory() / 4;
		this.allowedAddresses = draft.allowedAddresses;
		this.weight = draft.weight;
		this.warmUp = draft.warmUp;
		this.slotTimeout = draft.slotTimeout;
		this.completionTimeout = draft.completionTimeout;
		this.idleTimeout = draft.idleTimeout;
		this.writeTimeout = draft.writeTimeout;
		this.keepAlive = draft.keepAlive;
		this.sslProviders = draft.sslProviders;
		this.serverNames = draft.serverNames;
		this.sslHandshakeTimeout = draft.sslHandshakeTimeout;
		this.metricsRecorder = new GuardedMetricsRecorder(draft.metricsRecorder);
		this.shutdownQuietPeriod = draft.shutdownQuietPeriod;
		this.workerThreads = draft.workerThreads;
		this.nativeTransport = draft.nativeTransport;
		this.loopResources = draft.loopResources;
		this.slotAllocator = (draft.slotAllocator != null) ? draft.slotAllocator : new LowestSlotAllocator();
		Assert.state(draft.connectionHandler == null || draft.blockingConnectionHandler == null,
				"There can be a ConnectionHandler or a BlockingConnectionHandler, but not both");
		this.connectionHandler = draft.connectionHandler;
		this.blockingHandler = (draft.blockingConnectionHandler != null)
				? new BlockingHandler(draft.blockingConnectionHandler, draft.blockingHandlerExecutor) : null;
		this.customizers = List.copyOf(draft.customizers);
		this.eventPublisher = draft.eventPublisher;
		this.listenerExecutor = draft.listenerExecutor;
	}

	/**
	 * Return whether the bytes of the connections belong to a handler.
	 */
	boolean hasHandler() {
		return this.connectionHandler != null || this.blockingHandler != null;
	}

	static Duration positive(String name, Duration duration) {
		Assert.isTrue(!duration.isNegative() && !duration.isZero(), () -> "'" + name + "' must be more than 0");
		return duration;
	}

	/**
	 * Settings that may still change, initially the defaults. See
	 * {@link CallosumServer.Builder}.
	 */
	static final class Draft {

		@Nullable String host;

		int port = 4040;

		int backlog = 4096;

		@Nullable Integer maxConnections;

		@Nullable Integer maxConnectionsPerAddress;

		int maxPendingSlotRequests = 10_000;

		DataSize readAhead = DataSize.ofKilobytes(16);

		@Nullable DataSize readAheadBudget;

		AddressRanges allowedAddresses = AddressRanges.NONE;

		double weight = 1;

		@Nullable Duration warmUp;

		Duration slotTimeout = Duration.ofSeconds(10);

		Duration completionTimeout = Duration.ofSeconds(10);

		@Nullable Duration idleTimeout;

		@Nullable Duration writeTimeout;

		@Nullable KeepAlive keepAlive = new KeepAlive(Duration.ofSeconds(60), Duration.ofSeconds(10), 3);

		@Nullable Function<@Nullable String, SslProvider> sslProviders;

		boolean serverNames;

		Duration sslHandshakeTimeout = Duration.ofSeconds(10);

		CallosumMetricsRecorder metricsRecorder = new CallosumMetricsRecorder() {
		};

		Duration shutdownQuietPeriod = Duration.ofSeconds(1);

		@Nullable Integer workerThreads;

		boolean nativeTransport = true;

		@Nullable LoopResources loopResources;

		@Nullable SlotAllocator slotAllocator;

		@Nullable ConnectionHandler connectionHandler;

		@Nullable BlockingConnectionHandler blockingConnectionHandler;

		@Nullable Executor blockingHandlerExecutor;

		List<CallosumTcpServerCustomizer> customizers = new ArrayList<>();

		@Nullable ApplicationEventPublisher eventPublisher;

		@Nullable Executor listenerExecutor;

	}

}
