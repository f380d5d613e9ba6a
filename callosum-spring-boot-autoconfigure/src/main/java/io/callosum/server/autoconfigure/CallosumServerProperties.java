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

package io.callosum.server.autoconfigure;

import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import org.jspecify.annotations.Nullable;

import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.NestedConfigurationProperty;
import org.springframework.util.unit.DataSize;

import io.callosum.autoconfigure.KeepAliveProperties;

/**
 * Configuration properties of the Callosum server.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
@ConfigurationProperties("callosum.server")
public class CallosumServerProperties {

	/**
	 * Whether to run a Callosum server.
	 */
	private boolean enabled = true;

	/**
	 * Host name or address to listen on. If not set, the server listens on every address.
	 */
	private @Nullable String host;

	/**
	 * Port to listen on. Use 0 for any free port.
	 */
	private int port = 4040;

	/**
	 * Maximum number of connections that wait to be accepted. The operating system may
	 * impose a lower limit.
	 */
	private int backlog = 4096;

	/**
	 * Maximum number of open connections. Further connections are closed as soon as they
	 * are accepted. No limit if not set.
	 */
	private @Nullable Integer maxConnections;

	/**
	 * Maximum number of open connections per remote IP address, or per /64 network for
	 * IPv6. Further connections are closed as soon as they are accepted. No limit if not
	 * set.
	 */
	private @Nullable Integer maxConnectionsPerAddress;

	/**
	 * Maximum number of unanswered slot requests, including those of peers that have
	 * left. Further connections are closed as soon as they are accepted.
	 */
	private int maxPendingSlotRequests = 10_000;

	/**
	 * Maximum memory per connection for received bytes that the application has not
	 * requested yet. While there is room, a peer that leaves is noticed at once.
	 */
	private DataSize readAhead = DataSize.ofKilobytes(16);

	/**
	 * Maximum memory of all connections together for received bytes that the application
	 * has not requested yet. If not set, a quarter of the direct memory that Netty may
	 * use.
	 */
	private @Nullable DataSize readAheadBudget;

	/**
	 * IP addresses or CIDR ranges that may connect. Connections from other addresses are
	 * closed as soon as they are accepted. If not set, every address may connect.
	 */
	private List<String> allowedAddresses = new ArrayList<>();

	/**
	 * Share of the connections, relative to other servers. A server with weight 2 settles
	 * at twice as many connections as one with weight 1.
	 */
	private double weight = 1;

	/**
	 * Time after the start during which the weight grows from a tenth to its full value,
	 * so that a cold JVM receives its share of the connections gradually. No warm-up if
	 * not set.
	 */
	private @Nullable Duration warmUp;

	/**
	 * How long a connection may wait for its slot before it is refused.
	 */
	private Duration slotTimeout = Duration.ofSeconds(10);

	/**
	 * How long a connection may stay open without a byte in either direction. No limit if
	 * not set.
	 */
	private @Nullable Duration idleTimeout;

	/**
	 * How long queued bytes may make no progress, because the peer does not read, before
	 * the connection is closed. No limit if not set.
	 */
	private @Nullable Duration writeTimeout;

	/**
	 * How long a connection handler may continue after its peer has left and all bytes
	 * that the peer sent have been delivered.
	 */
	private Duration completionTimeout = Duration.ofSeconds(10);

	@NestedConfigurationProperty
	private final KeepAliveProperties keepAlive = new KeepAliveProperties();

	private final Ssl ssl = new Ssl();

	/**
	 * Where event listeners, the slot allocator and the connection handler are called:
	 * 'event-loop' or 'task-executor'.
	 */
	private ListenerExecution listenerExecution = ListenerExecution.EVENT_LOOP;

	/**
	 * How open connections end when the application stops: 'graceful' or 'immediate'.
	 */
	private Shutdown shutdown = Shutdown.GRACEFUL;

	/**
	 * How long a peer must be silent before a graceful shutdown ends its connection.
	 * Connections between two messages end at once.
	 */
	private Duration shutdownQuietPeriod = Duration.ofSeconds(1);

	/**
	 * Number of event loop threads that serve the connections. If not set, one per
	 * processor, but at least four. Ignored if there is a LoopResources bean.
	 */
	private @Nullable Integer workerThreads;

	/**
	 * Whether to use a native transport, such as epoll, if available.
	 */
	private boolean nativeTransport = true;

	private final Endpoint endpoint = new Endpoint();

	public boolean isEnabled() {
		return this.enabled;
	}

	public void setEnabled(boolean enabled) {
		this.enabled = enabled;
	}

	public @Nullable String getHost() {
		return this.host;
	}

	public void setHost(@Nullable String host) {
		this.host = host;
	}

	public int getPort() {
		return this.port;
	}

	public void setPort(int port) {
		this.port = port;
	}

	public int getBacklog() {
		return this.backlog;
	}

	public void setBacklog(int backlog) {
		this.backlog = backlog;
	}

	public @Nullable Integer getMaxConnections() {
		return this.maxConnections;
	}

	public void setMaxConnections(@Nullable Integer maxConnections) {
		this.maxConnections = maxConnections;
	}

	public @Nullable Integer getMaxConnectionsPerAddress() {
		return this.maxConnectionsPerAddress;
	}

	public void setMaxConnectionsPerAddress(@Nullable Integer maxConnectionsPerAddress) {
		this.maxConnectionsPerAddress = maxConnectionsPerAddress;
	}

	public int getMaxPendingSlotRequests() {
		return this.maxPendingSlotRequests;
	}

	public void setMaxPendingSlotRequests(int maxPendingSlotRequests) {
		this.maxPendingSlotRequests = maxPendingSlotRequests;
	}

	public DataSize getReadAhead() {
		return this.readAhead;
	}

	public void setReadAhead(DataSize readAhead) {
		this.readAhead = readAhead;
	}

	public @Nullable DataSize getReadAheadBudget() {
		return this.readAheadBudget;
	}

	public void setReadAheadBudget(@Nullable DataSize readAheadBudget) {
		this.readAheadBudget = readAheadBudget;
	}

	public List<String> getAllowedAddresses() {
		return this.allowedAddresses;
	}

	public void setAllowedAddresses(List<String> allowedAddresses) {
		this.allowedAddresses = allowedAddresses;
	}

	public double getWeight() {
		return this.weight;
	}

	public void setWeight(double weight) {
		this.weight = weight;
	}

	public @Nullable Duration getWarmUp() {
		return this.warmUp;
	}

	public void setWarmUp(@Nullable Duration warmUp) {
		this.warmUp = warmUp;
	}

	public Duration getSlotTimeout() {
		return this.slotTimeout;
	}

	public void setSlotTimeout(Duration slotTimeout) {
		this.slotTimeout = slotTimeout;
	}

	public @Nullable Duration getIdleTimeout() {
		return this.idleTimeout;
	}

	public void setIdleTimeout(@Nullable Duration idleTimeout) {
		this.idleTimeout = idleTimeout;
	}

	public Duration getCompletionTimeout() {
		return this.completionTimeout;
	}

	public void setCompletionTimeout(Duration completionTimeout) {
		this.completionTimeout = completionTimeout;
	}

	public @Nullable Duration getWriteTimeout() {
		return this.writeTimeout;
	}

	public void setWriteTimeout(@Nullable Duration writeTimeout) {
		this.writeTimeout = writeTimeout;
	}

	public KeepAliveProperties getKeepAlive() {
		return this.keepAlive;
	}

	public Ssl getSsl() {
		return this.ssl;
	}

	public ListenerExecution getListenerExecution() {
		return this.listenerExecution;
	}

	public void setListenerExecution(ListenerExecution listenerExecution) {
		this.listenerExecution = listenerExecution;
	}

	public Shutdown getShutdown() {
		return this.shutdown;
	}

	public void setShutdown(Shutdown shutdown) {
		this.shutdown = shutdown;
	}

	public Duration getShutdownQuietPeriod() {
		return this.shutdownQuietPeriod;
	}

	public void setShutdownQuietPeriod(Duration shutdownQuietPeriod) {
		this.shutdownQuietPeriod = shutdownQuietPeriod;
	}

	public @Nullable Integer getWorkerThreads() {
		return this.workerThreads;
	}

	public void setWorkerThreads(@Nullable Integer workerThreads) {
		this.workerThreads = workerThreads;
	}

	public boolean isNativeTransport() {
		return this.nativeTransport;
	}

	public void setNativeTransport(boolean nativeTransport) {
		this.nativeTransport = nativeTransport;
	}

	public Endpoint getEndpoint() {
		return this.endpoint;
	}

	/**
	 * Actuator endpoint.
	 */
	public static class Endpoint {

		/**
		 * Whether the Actuator endpoint shows the remote addresses of connections.
		 */
		private boolean showAddresses;

		public boolean isShowAddresses() {
			return this.showAddresses;
		}

		public void setShowAddresses(boolean showAddresses) {
			this.showAddresses = showAddresses;
		}

	}

	/**
	 * Where event listeners, the slot allocator and the {@code handle} method of the
	 * connection handler are called.
	 */
	public enum ListenerExecution {

		/**
		 * On the event loop of the connection, where they must not block.
		 */
		EVENT_LOOP,

		/**
		 * On the bean {@code callosumTaskExecutor} if there is one, otherwise on
		 * {@code applicationTaskExecutor}, where they may block. The operators of the
		 * publisher that a handler returns still run on the event loop.
		 */
		TASK_EXECUTOR

	}

	/**
	 * How open connections end when the application stops.
	 */
	public enum Shutdown {

		/**
		 * Each connection ends when it is between two messages or its peer has been
		 * silent for a while, and its handler has completed, but no later than
		 * {@code spring.lifecycle.timeout-per-shutdown-phase}.
		 */
		GRACEFUL,

		/**
		 * All connections are closed at once.
		 */
		IMMEDIATE

	}

	/**
	 * TLS.
	 */
	public static class Ssl {

		/**
		 * Whether to enable TLS. Enabled automatically if a bundle is set, unless
		 * specified otherwise.
		 */
		private @Nullable Boolean enabled;

		/**
		 * Name of the SSL bundle that holds the certificate of the server.
		 */
		private @Nullable String bundle;

		/**
		 * Whether clients must present a certificate: 'none', 'want' or 'need'.
		 */
		private ClientAuth clientAuth = ClientAuth.NONE;

		/**
		 * Maximum time from connecting to the end of the TLS handshake.
		 */
		private Duration handshakeTimeout = Duration.ofSeconds(10);

		/**
		 * Names of SSL bundles by the server name that the client asks for, such as
		 * 'api.example.org' or '*.example.org'. Other clients get the certificate of
		 * 'callosum.server.ssl.bundle'.
		 */
		private Map<String, String> serverNameBundles = new LinkedHashMap<>();

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

		public ClientAuth getClientAuth() {
			return this.clientAuth;
		}

		public void setClientAuth(ClientAuth clientAuth) {
			this.clientAuth = clientAuth;
		}

		public Duration getHandshakeTimeout() {
			return this.handshakeTimeout;
		}

		public void setHandshakeTimeout(Duration handshakeTimeout) {
			this.handshakeTimeout = handshakeTimeout;
		}

		public Map<String, String> getServerNameBundles() {
			return this.serverNameBundles;
		}

		public void setServerNameBundles(Map<String, String> serverNameBundles) {
			this.serverNameBundles = serverNameBundles;
		}

		/**
		 * Whether clients must present a certificate.
		 */
		public enum ClientAuth {

			/**
			 * Clients are not asked for a certificate.
			 */
			NONE,

			/**
			 * Clients are asked for a certificate but need not have one. An invalid one
			 * is refused.
			 */
			WANT,

			/**
			 * Clients must present a certificate that the trust store of the bundle
			 * trusts.
			 */
			NEED

		}

	}

}
