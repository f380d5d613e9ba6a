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

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.function.Supplier;

import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import reactor.netty.resources.LoopResources;
import reactor.netty.tcp.SslProvider;

import org.springframework.context.ApplicationEventPublisher;
import org.springframework.util.Assert;

import io.callosum.transport.KeepAlive;

/**
 * The immutable settings of a client.
 *
 * @param servers emits the lists of where to look for servers
 * @param metricsRecorder never throws
 * @param keepAlive the TCP keep-alive of connections, or {@code null} for none
 * @param minTimeToLive the shortest time before a host name is resolved again
 * @param maxTimeToLive the longest time before a host name is resolved again
 */
record ClientSettings(String name, Publisher<? extends Collection<ServerAddress>> servers, int poolSize,
		int fillConcurrency, Duration rovingInterval, boolean spread, Duration connectTimeout, Duration slotTimeout,
		Duration acquireTimeout, int maxPendingAcquires, LeasePolicy leasePolicy, @Nullable Ejection ejection,
		@Nullable Duration maxAge, @Nullable Duration leakDetectionThreshold,
		@Nullable Supplier<SslProvider> sslProvider, @Nullable ConnectionInitializer initializer,
		List<CallosumTcpClientCustomizer> customizers, @Nullable ApplicationEventPublisher eventPublisher,
		MetricsRecorders metricsRecorder, boolean nativeTransport, @Nullable LoopResources loopResources,
		@Nullable KeepAlive keepAlive, Duration minTimeToLive, Duration maxTimeToLive) {

	static Duration positive(String name, Duration duration) {
		Assert.notNull(duration, () -> "'" + name + "' must not be null");
		Assert.isTrue(!duration.isNegative() && !duration.isZero(), () -> "'" + name + "' must be more than 0");
		return duration;
	}

	/**
	 * When a server that fails is ejected.
	 *
	 * @param failures the number of consecutive failures that eject a server
	 * @param minTime the duration of the first ejection
	 * @param maxTime the maximum duration; failures further apart than this are not
	 * consecutive
	 * @param maxPercent the maximum percentage of servers that are ejected at the same
	 * time
	 */
	record Ejection(int failures, Duration minTime, Duration maxTime, int maxPercent) {

		Ejection {
			Assert.isTrue(failures > 0, "'failures' of the ejection must be 1 or more");
			ClientSettings.positive("minTime", minTime);
			Assert.notNull(maxTime, "'maxTime' of the ejection must not be null");
			Assert.isTrue(maxTime.compareTo(minTime) >= 0, "'maxTime' of the ejection must not be less than 'minTime'");
			Assert.isTrue(maxPercent > 0 && maxPercent <= 100, "'maxPercent' of the ejection must be from 1 to 100");
		}

	}

	/**
	 * Mutable settings, initialized with the defaults. See
	 * {@link CallosumClient.Builder}.
	 */
	static final class Draft {

		String name = "default";

		@Nullable Publisher<? extends Collection<ServerAddress>> servers;

		int poolSize = 10;

		int fillConcurrency = 4;

		Duration rovingInterval = Duration.ofSeconds(5);

		boolean spread = true;

		Duration connectTimeout = Duration.ofSeconds(2);

		Duration slotTimeout = Duration.ofSeconds(2);

		Duration acquireTimeout = Duration.ofSeconds(5);

		int maxPendingAcquires = 1000;

		LeasePolicy leasePolicy = LeasePolicy.LOWEST_SLOT;

		@Nullable Ejection ejection = new Ejection(3, Duration.ofSeconds(1), Duration.ofSeconds(120), 50);

		@Nullable Duration maxAge;

		@Nullable Duration leakDetectionThreshold;

		@Nullable Supplier<SslProvider> sslProvider;

		@Nullable ConnectionInitializer initializer;

		final List<CallosumTcpClientCustomizer> customizers = new ArrayList<>();

		@Nullable ApplicationEventPublisher eventPublisher;

		@Nullable CallosumClientMetricsRecorder metricsRecorder;

		boolean nativeTransport = true;

		@Nullable LoopResources loopResources;

		@Nullable KeepAlive keepAlive = new KeepAlive(Duration.ofSeconds(60), Duration.ofSeconds(10), 3);

		Duration minTimeToLive = Duration.ofSeconds(5);

		Duration maxTimeToLive = Duration.ofSeconds(30);

		ClientSettings toSettings() {
			Publisher<? extends Collection<ServerAddress>> servers = this.servers;
			Assert.state(servers != null, () -> "The client '" + this.name + "' has no servers");
			return new ClientSettings(this.name, servers, this.poolSize, this.fillConcurrency, this.rovingInterval,
					this.spread, this.connectTimeout, this.slotTimeout, this.acquireTimeout, this.maxPendingAcquires,
					this.leasePolicy, this.ejection, this.maxAge, this.leakDetectionThreshold, this.sslProvider,
					this.initializer, List.copyOf(this.customizers), this.eventPublisher,
					new MetricsRecorders(this.metricsRecorder), this.nativeTransport, this.loopResources,
					this.keepAlive, this.minTimeToLive, this.maxTimeToLive);
		}

	}

}
