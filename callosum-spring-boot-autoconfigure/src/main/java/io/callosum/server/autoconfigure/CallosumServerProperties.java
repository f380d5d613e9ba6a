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
	 * Host name or address to listen on. Every address of the machine if not set.
	 */
	private @Nullable String host;

	/**
	 * Port to listen on. 0 for any that is free.
	 */
	private int port = 4040;

	/**
	 * How many connections may wait to be accepted. The system may cap it.
	 */
	private int backlog = 4096;

	/**
	 * How many connections may be open at once. More are closed as soon as they are
	 * accepted. No limit if not set.
	 */
	private @Nullable Integer maxConnections;

	/**
	 * How many connections of one IP address may be open at once. More are closed as soon
	 * as they are accepted. No limit if not set.
	 */
	private @Nullable Integer maxConnectionsPerAddress;

	/**
	 * IP addresses, or ranges of them in CIDR notation, that may connect. Connections of
	 * others are closed as soon as they are accepted. Every address if not set.
	 */
	private List<String> allowedAddresses = new ArrayList<>();

	/**
	 * How long a connection may wait for its slot until it is refused.
	 */
	private Duration slotTimeout = Duration.ofSeconds(10);

	/**
	 * How long no byte may go either way until a connection is closed. No limit if not
	 * set.
	 */
	private @Nullable Duration idleTimeout;

	/**
	 * How long bytes may wait to be written without any progress, because the peer does
	 * not read, until a connection is closed. No limit if not set.
	 */
	private @Nullable Duration writeTimeout;

	private final KeepAlive keepAlive = new KeepAlive();

	private final Ssl ssl = new Ssl();

	/**
	 * Where listeners of a connection's events, the slot allocator and the connection
	 * handler are called, 'event-loop' or 'task-executor'.
	 */
	private ListenerExecution listenerExecution = ListenerExecution.EVENT_LOOP;

	/**
	 * How open connections end when the application stops, 'graceful' or 'immediate'.
	 */
	private Shutdown shutdown = Shutdown.GRACEFUL;

	/**
	 * How long a peer must have sent nothing until its connection is ended by a graceful
	 * shutdown.
	 */
	private Duration shutdownQuietPeriod = Duration.ofSeconds(1);

	/**
	 * Number of event loops that serve the connections. One per processor, and four at
	 * least, if not set. Has no effect if there is a LoopResources bean.
	 */
	private @Nullable Integer workerThreads;

	/**
	 * Whether to use a native transport, such as epoll, where there is one.
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

	public List<String> getAllowedAddresses() {
		return this.allowedAddresses;
	}

	public void setAllowedAddresses(List<String> allowedAddresses) {
		this.allowedAddresses = allowedAddresses;
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

	public @Nullable Duration getWriteTimeout() {
		return this.writeTimeout;
	}

	public void setWriteTimeout(@Nullable Duration writeTimeout) {
		this.writeTimeout = writeTimeout;
	}

	public KeepAlive getKeepAlive() {
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
	 * What the Actuator endpoint shows.
	 */
	public static class Endpoint {

		/**
		 * Whether the Actuator endpoint shows the addresses of peers.
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
	 * Where listeners of a connection's events are called.
	 */
	public enum ListenerExecution {

		/**
		 * On the event loop of the connection. They must not block.
		 */
		EVENT_LOOP,

		/**
		 * On the bean {@code callosumTaskExecutor} if there is one, else on
		 * {@code applicationTaskExecutor}. They may block.
		 */
		TASK_EXECUTOR

	}

	/**
	 * How open connections end when the application stops.
	 */
	public enum Shutdown {

		/**
		 * Each as soon as its peer has been quiet for a while and its handler has
		 * completed, at the latest when
		 * {@code spring.lifecycle.timeout-per-shutdown-phase} is over.
		 */
		GRACEFUL,

		/**
		 * All at once.
		 */
		IMMEDIATE

	}

	/**
	 * TCP keep-alive, so that the slot of a peer comes back that has vanished without
	 * closing its connection.
	 */
	public static class KeepAlive {

		/**
		 * Whether to ask idle peers for a sign of life.
		 */
		private boolean enabled = true;

		/**
		 * How long a connection is idle until its peer is asked for a sign of life.
		 */
		private Duration idle = Duration.ofSeconds(60);

		/**
		 * How long until a peer that has not answered is asked again.
		 */
		private Duration interval = Duration.ofSeconds(10);

		/**
		 * How often a peer is asked in vain until its connection is closed.
		 */
		private int count = 3;

		public boolean isEnabled() {
			return this.enabled;
		}

		public void setEnabled(boolean enabled) {
			this.enabled = enabled;
		}

		public Duration getIdle() {
			return this.idle;
		}

		public void setIdle(Duration idle) {
			this.idle = idle;
		}

		public Duration getInterval() {
			return this.interval;
		}

		public void setInterval(Duration interval) {
			this.interval = interval;
		}

		public int getCount() {
			return this.count;
		}

		public void setCount(int count) {
			this.count = count;
		}

	}

	/**
	 * TLS.
	 */
	public static class Ssl {

		/**
		 * Whether to use TLS. On if a bundle is set, unless this is false.
		 */
		private @Nullable Boolean enabled;

		/**
		 * Name of the SSL bundle with the certificate of the server.
		 */
		private @Nullable String bundle;

		/**
		 * Whether clients must have a certificate, 'none', 'want' or 'need'.
		 */
		private ClientAuth clientAuth = ClientAuth.NONE;

		/**
		 * How long a client may take from the connect to the end of the TLS handshake.
		 */
		private Duration handshakeTimeout = Duration.ofSeconds(10);

		/**
		 * SSL bundles by the server name that the client asks for, such as
		 * 'api.example.org' or '*.example.org'. Clients that ask for another or no name
		 * get the certificate of 'callosum.server.ssl.bundle'.
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
		 * Whether clients must have a certificate.
		 */
		public enum ClientAuth {

			/**
			 * They are not asked for one.
			 */
			NONE,

			/**
			 * They are asked for one, and may have none. A wrong one is refused.
			 */
			WANT,

			/**
			 * They must have one that the trust store of the bundle trusts.
			 */
			NEED

		}

	}

}
