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

package io.callosum.client.autoconfigure;

import java.time.Duration;

import org.springframework.core.env.Environment;
import org.springframework.util.Assert;

import io.callosum.autoconfigure.PropertiesMapper;
import io.callosum.client.CallosumClient;
import io.callosum.client.autoconfigure.ClientProperties.Dns;
import io.callosum.client.autoconfigure.ClientProperties.Ejection;

/**
 * Maps the properties of a client to a {@link CallosumClient.Builder}.
 */
final class ClientPropertiesMapper extends PropertiesMapper {

	private final ConfiguredClient client;

	private final Environment environment;

	ClientPropertiesMapper(ConfiguredClient client, Environment environment) {
		this.client = client;
		this.environment = environment;
	}

	void applyTo(CallosumClient.Builder builder) {
		ClientProperties properties = this.client.properties();
		mapDns(properties.getDns(), builder);
		map("pool-size", properties.getPoolSize(), builder::poolSize);
		map("fill-concurrency", properties.getFillConcurrency(), builder::fillConcurrency);
		map("roving-interval", properties.getRovingInterval(), builder::rovingInterval);
		builder.spread(properties.isSpread());
		map("lease-policy", properties.getLeasePolicy(), builder::leasePolicy);
		map("connect-timeout", properties.getConnectTimeout(), builder::connectTimeout);
		map("slot-timeout", properties.getSlotTimeout(), builder::slotTimeout);
		map("acquire-timeout", properties.getAcquireTimeout(), builder::acquireTimeout);
		map("max-pending-acquires", properties.getMaxPendingAcquires(), builder::maxPendingAcquires);
		mapEjection(properties.getEjection(), builder);
		map("max-age", properties.getMaxAge(), builder::maxAge);
		map("leak-detection-threshold", properties.getLeakDetectionThreshold(), builder::leakDetectionThreshold);
		mapKeepAlive(properties.getKeepAlive(), builder::keepAlive, builder::noKeepAlive);
		builder.nativeTransport(properties.isNativeTransport());
		map("worker-threads", properties.getWorkerThreads(),
				(threads) -> Assert.isTrue(threads >= 1, "must be 1 or more"));
		map("service-port", properties.getServicePort(),
				(port) -> Assert.isTrue(port >= 1 && port <= 65535, "must be from 1 to 65535"));
		map("discovery-interval", properties.getDiscoveryInterval(),
				(interval) -> Assert.isTrue(!interval.isNegative() && !interval.isZero(), "must be more than 0"));
	}

	// Each value of a group is validated with others that are valid, so that the
	// exception names the invalid one

	private void mapDns(Dns dns, CallosumClient.Builder builder) {
		map("dns.min-ttl", dns.getMinTtl(), (min) -> builder.dnsTimeToLive(min, min));
		map("dns.max-ttl", dns.getMaxTtl(), (max) -> builder.dnsTimeToLive(max, max));
		map("dns.max-ttl", dns.getMaxTtl(), (max) -> builder.dnsTimeToLive(dns.getMinTtl(), max));
	}

	private void mapEjection(Ejection ejection, CallosumClient.Builder builder) {
		Duration second = Duration.ofSeconds(1);
		map("ejection.failures", ejection.getFailures(), (failures) -> builder.ejection(failures, second, second, 1));
		map("ejection.min-time", ejection.getMinTime(), (time) -> builder.ejection(1, time, time, 1));
		map("ejection.max-time", ejection.getMaxTime(), (time) -> builder.ejection(1, ejection.getMinTime(), time, 1));
		map("ejection.max-percent", ejection.getMaxPercent(), (percent) -> builder.ejection(ejection.getFailures(),
				ejection.getMinTime(), ejection.getMaxTime(), percent));
		if (!ejection.isEnabled()) {
			builder.noEjection();
		}
	}

	/**
	 * Return the key of the client, or of the default client if the value is inherited.
	 */
	@Override
	protected String key(String name) {
		return this.client.key(this.environment, name);
	}

}
