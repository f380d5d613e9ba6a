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
import java.util.ArrayList;
import java.util.List;

import org.jspecify.annotations.Nullable;

import org.springframework.boot.context.properties.NestedConfigurationProperty;

import io.callosum.autoconfigure.KeepAliveProperties;
import io.callosum.client.LeasePolicy;

/**
 * Configuration properties of one Callosum client.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public class ClientProperties {

	/**
	 * Addresses of the servers, 'host' or 'host:port'. The port is 4040 if left out. Each
	 * IP address that a host name resolves to is a server.
	 */
	private List<String> servers = new ArrayList<>();

	/**
	 * Id of the service to look up with Spring Cloud's discovery client, instead of a
	 * list of servers.
	 */
	private @Nullable String serviceId;

	/**
	 * Port of instances that have no 'callosum-port' in their metadata. If not set, the
	 * port of the instance itself.
	 */
	private @Nullable Integer servicePort;

	/**
	 * How often to ask Spring Cloud for the instances of the service.
	 */
	private Duration discoveryInterval = Duration.ofSeconds(15);

	private final Dns dns = new Dns();

	/**
	 * Number of connections to keep.
	 */
	private int poolSize = 10;

	/**
	 * Maximum number of connections to open at the same time while the pool is not full.
	 */
	private int fillConcurrency = 4;

	/**
	 * How often to look for a server with a lower slot.
	 */
	private Duration rovingInterval = Duration.ofSeconds(5);

	/**
	 * Whether to prefer connections to different servers.
	 */
	private boolean spread = true;

	/**
	 * Which idle connection to lease: 'lowest-slot' or 'balanced'.
	 */
	private LeasePolicy leasePolicy = LeasePolicy.LOWEST_SLOT;

	/**
	 * Maximum time to connect to a server, including the TLS handshake.
	 */
	private Duration connectTimeout = Duration.ofSeconds(2);

	/**
	 * Maximum time to wait for the slot once connected to a server.
	 */
	private Duration slotTimeout = Duration.ofSeconds(2);

	/**
	 * Maximum time to wait for a connection.
	 */
	private Duration acquireTimeout = Duration.ofSeconds(5);

	/**
	 * Maximum number of acquires that wait for a connection. Use 0 to never wait.
	 */
	private int maxPendingAcquires = 1000;

	private final Ejection ejection = new Ejection();

	/**
	 * Maximum age of a connection. No limit if not set.
	 */
	private @Nullable Duration maxAge;

	/**
	 * How long a lease may be held before it is logged with the stack trace of its
	 * acquire. Never logged if not set.
	 */
	private @Nullable Duration leakDetectionThreshold;

	private final Ssl ssl = new Ssl();

	@NestedConfigurationProperty
	private final KeepAliveProperties keepAlive = new KeepAliveProperties();

	/**
	 * Whether to use a native transport, such as epoll, if available.
	 */
	private boolean nativeTransport = true;

	/**
	 * Number of event loops, which all clients with the same number share. If not set,
	 * one per processor, but at least four. Ignored if there is a LoopResources bean.
	 */
	private @Nullable Integer workerThreads;

	/**
	 * How leases end when the application stops: 'graceful' or 'immediate'.
	 */
	private Shutdown shutdown = Shutdown.GRACEFUL;

	public List<String> getServers() {
		return this.servers;
	}

	public void setServers(List<String> servers) {
		this.servers = servers;
	}

	public @Nullable String getServiceId() {
		return this.serviceId;
	}

	public void setServiceId(@Nullable String serviceId) {
		this.serviceId = serviceId;
	}

	public @Nullable Integer getServicePort() {
		return this.servicePort;
	}

	public void setServicePort(@Nullable Integer servicePort) {
		this.servicePort = servicePort;
	}

	public Duration getDiscoveryInterval() {
		return this.discoveryInterval;
	}

	public void setDiscoveryInterval(Duration discoveryInterval) {
		this.discoveryInterval = discoveryInterval;
	}

	public Dns getDns() {
		return this.dns;
	}

	public int getPoolSize() {
		return this.poolSize;
	}

	public void setPoolSize(int poolSize) {
		this.poolSize = poolSize;
	}

	public int getFillConcurrency() {
		return this.fillConcurrency;
	}

	public void setFillConcurrency(int fillConcurrency) {
		this.fillConcurrency = fillConcurrency;
	}

	public Duration getRovingInterval() {
		return this.rovingInterval;
	}

	public void setRovingInterval(Duration rovingInterval) {
		this.rovingInterval = rovingInterval;
	}

	public boolean isSpread() {
		return this.spread;
	}

	public void setSpread(boolean spread) {
		this.spread = spread;
	}

	public LeasePolicy getLeasePolicy() {
		return this.leasePolicy;
	}

	public void setLeasePolicy(LeasePolicy leasePolicy) {
		this.leasePolicy = leasePolicy;
	}

	public Duration getConnectTimeout() {
		return this.connectTimeout;
	}

	public void setConnectTimeout(Duration connectTimeout) {
		this.connectTimeout = connectTimeout;
	}

	public Duration getSlotTimeout() {
		return this.slotTimeout;
	}

	public void setSlotTimeout(Duration slotTimeout) {
		this.slotTimeout = slotTimeout;
	}

	public Duration getAcquireTimeout() {
		return this.acquireTimeout;
	}

	public void setAcquireTimeout(Duration acquireTimeout) {
		this.acquireTimeout = acquireTimeout;
	}

	public int getMaxPendingAcquires() {
		return this.maxPendingAcquires;
	}

	public void setMaxPendingAcquires(int maxPendingAcquires) {
		this.maxPendingAcquires = maxPendingAcquires;
	}

	public Ejection getEjection() {
		return this.ejection;
	}

	public @Nullable Duration getMaxAge() {
		return this.maxAge;
	}

	public void setMaxAge(@Nullable Duration maxAge) {
		this.maxAge = maxAge;
	}

	public @Nullable Duration getLeakDetectionThreshold() {
		return this.leakDetectionThreshold;
	}

	public void setLeakDetectionThreshold(@Nullable Duration leakDetectionThreshold) {
		this.leakDetectionThreshold = leakDetectionThreshold;
	}

	public Ssl getSsl() {
		return this.ssl;
	}

	public KeepAliveProperties getKeepAlive() {
		return this.keepAlive;
	}

	public boolean isNativeTransport() {
		return this.nativeTransport;
	}

	public void setNativeTransport(boolean nativeTransport) {
		this.nativeTransport = nativeTransport;
	}

	public @Nullable Integer getWorkerThreads() {
		return this.workerThreads;
	}

	public void setWorkerThreads(@Nullable Integer workerThreads) {
		this.workerThreads = workerThreads;
	}

	public Shutdown getShutdown() {
		return this.shutdown;
	}

	public void setShutdown(Shutdown shutdown) {
		this.shutdown = shutdown;
	}

	/**
	 * How leases end when the application stops.
	 */
	public enum Shutdown {

		/**
		 * Leases may end within {@code spring.lifecycle.timeout-per-shutdown-phase}.
		 */
		GRACEFUL,

		/**
		 * All connections are closed at once.
		 */
		IMMEDIATE

	}

	/**
	 * How host names are resolved.
	 */
	public static class Dns {

		/**
		 * Minimum time before a host name is resolved again, even if the time to live of
		 * the DNS answer is shorter.
		 */
		private Duration minTtl = Duration.ofSeconds(5);

		/**
		 * Maximum time before a host name is resolved again, even if the time to live of
		 * the DNS answer is longer. If that fails, the last addresses stay in use.
		 */
		private Duration maxTtl = Duration.ofSeconds(30);

		public Duration getMinTtl() {
			return this.minTtl;
		}

		public void setMinTtl(Duration minTtl) {
			this.minTtl = minTtl;
		}

		public Duration getMaxTtl() {
			return this.maxTtl;
		}

		public void setMaxTtl(Duration maxTtl) {
			this.maxTtl = maxTtl;
		}

	}

	/**
	 * When to eject a server that accepts connections but fails.
	 */
	public static class Ejection {

		/**
		 * Whether to eject servers that fail.
		 */
		private boolean enabled = true;

		/**
		 * Number of consecutive failures after which a server is ejected.
		 */
		private int failures = 3;

		/**
		 * How long a server is ejected the first time. Each further ejection lasts 1.6
		 * times as long.
		 */
		private Duration minTime = Duration.ofSeconds(1);

		/**
		 * Maximum time for which a server is ejected.
		 */
		private Duration maxTime = Duration.ofSeconds(120);

		/**
		 * Maximum percentage of the servers that are ejected at the same time.
		 */
		private int maxPercent = 50;

		public boolean isEnabled() {
			return this.enabled;
		}

		public void setEnabled(boolean enabled) {
			this.enabled = enabled;
		}

		public int getFailures() {
			return this.failures;
		}

		public void setFailures(int failures) {
			this.failures = failures;
		}

		public Duration getMinTime() {
			return this.minTime;
		}

		public void setMinTime(Duration minTime) {
			this.minTime = minTime;
		}

		public Duration getMaxTime() {
			return this.maxTime;
		}

		public void setMaxTime(Duration maxTime) {
			this.maxTime = maxTime;
		}

		public int getMaxPercent() {
			return this.maxPercent;
		}

		public void setMaxPercent(int maxPercent) {
			this.maxPercent = maxPercent;
		}

	}

	/**
	 * TLS.
	 */
	public static class Ssl {

		/**
		 * Whether to use TLS. Enabled automatically if a bundle is set, unless specified
		 * otherwise. Without a bundle, the trust store of the JVM is used.
		 */
		private @Nullable Boolean enabled;

		/**
		 * Name of the SSL bundle with the certificates to trust and, for mutual TLS, the
		 * certificate of the client.
		 */
		private @Nullable String bundle;

		/**
		 * Whether to verify that the certificate of a server matches the host name by
		 * which the server was found.
		 */
		private boolean verifyHostname = true;

		public @Nullable Boolean getEnabled() {
			return this.enabled;
		}

		public void setEnabled(@Nullable Boolean enabled) {
			this.enabled = enabled;
		}

		public @Nullable String getBundle() {
			return this.bundle;
		}

		public void setBundle(@Nullable String bundle) {
			this.bundle = bundle;
		}

		public boolean isVerifyHostname() {
			return this.verifyHostname;
		}

		public void setVerifyHostname(boolean verifyHostname) {
			this.verifyHostname = verifyHostname;
		}

	}

}
