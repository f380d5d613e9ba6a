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
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;

import io.netty.handler.ipfilter.IpFilterRuleType;
import io.netty.handler.ipfilter.IpSubnetFilterRule;
import io.netty.util.NetUtil;
import org.jspecify.annotations.Nullable;
import reactor.core.scheduler.Schedulers;
import reactor.netty.resources.LoopResources;
import reactor.netty.tcp.SslProvider;

import org.springframework.context.ApplicationEventPublisher;
import org.springframework.util.Assert;

/**
 * A TCP server that tells each new connection the lowest free slot number, as ASCII
 * digits and {@code \r\n}, and leaves everything after that line to the application.
 * <p>
 * A server can be started and stopped any number of times. All methods may be called from
 * any thread.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public final class CallosumServer {

	private final Builder settings;

	private final ServerEvents events;

	private final SlotAllocator slotAllocator;

	private final SlotTable slots = new SlotTable();

	private final AtomicLong connectionIds = new AtomicLong();

	private final Object lifecycleMonitor = new Object();

	/**
	 * The time from a start to the end of the stop, {@code null} between. Written under
	 * the monitor.
	 */
	private volatile @Nullable ServerRun run;

	private CallosumServer(Builder settings) {
		this.settings = settings;
		this.slotAllocator = (settings.slotAllocator != null) ? settings.slotAllocator : new LowestSlotAllocator();
		this.events = new ServerEvents(this, settings.eventPublisher, settings.listenerExecutor);
	}

	/**
	 * Create a builder of a server.
	 * @return a builder with the defaults
	 */
	public static Builder builder() {
		return new Builder();
	}

	/**
	 * Start the server. It is bound when this method returns. Starting a server that runs
	 * does nothing; one that is stopping is started when it has stopped.
	 * @throws ServerBindException if the server cannot listen on its address
	 * @throws IllegalStateException if called on an event loop, or by a listener of a
	 * server that is stopping, other than one of {@link ServerStoppedEvent}
	 */
	public void start() {
		Assert.state(!Schedulers.isInNonBlockingThread(),
				"CallosumServer.start() waits for the port to be bound, and so cannot be called on an event loop");
		ServerRun run;
		ServerRun started = null;
		synchronized (this.lifecycleMonitor) {
			run = this.run;
			while (run != null && run.isStopping()) {
				if (this.events.isInUserCode()) {
					Assert.state(run.hasEnded(), "The server is stopping; start it again when it has,"
							+ " in a listener of ServerStoppedEvent");
					break;
				}
				awaitChange();
				run = this.run;
			}
			if (run == null || run.hasEnded()) {
				this.events.keepThread(true);
				run = new ServerRun(this, this.settings);
				this.run = run;
			}
			else {
				started = run;
			}
		}
		if (started != null) {
			started.awaitBound(this.events.isInUserCode());
		}
		else {
			run.start();
		}
	}

	/**
	 * Stop the server at once: open connections are closed, and what has not been flushed
	 * is dropped. When this method returns, the port refuses connections, no connection
	 * is open, and every event has been delivered. Listeners are waited for at most ten
	 * seconds.
	 * <p>
	 * Called on an event loop, or by a listener, allocator or handler, this method begins
	 * to stop the server and returns; {@link ServerStoppedEvent} tells the end.
	 */
	public void stop() {
		stop(Duration.ZERO);
	}

	/**
	 * Stop the server, and drain it before: connections end as soon as their peer has
	 * been quiet for a while and their handler has completed. Those that are left at the
	 * time-out are closed as by {@link #stop()}, and so are all if that is called
	 * meanwhile.
	 * @param timeout how long to drain at most
	 */
	public void stop(Duration timeout) {
		Assert.notNull(timeout, "'timeout' must not be null");
		Assert.isTrue(!timeout.isNegative(), "'timeout' must not be negative");
		ServerRun run = this.run;
		if (run != null) {
			run.stop(timeout);
			if (!this.events.mustNotWait()) {
				run.awaitEnd();
			}
		}
	}

	/**
	 * Return the address that the server is bound to.
	 * @return the address, or {@code null} while the server is stopped
	 */
	public @Nullable InetSocketAddress address() {
		ServerRun run = this.run;
		return (run != null && !run.hasEnded()) ? run.address() : null;
	}

	/**
	 * Return whether the server runs: from the moment that it is bound until it has
	 * stopped.
	 * @return {@code true} also while it drains
	 */
	public boolean isRunning() {
		return address() != null;
	}

	/**
	 * Return whether the server is about to stop: it runs, but refuses new connections
	 * and drains those that are open.
	 * @return {@code true} from when a stop was asked for until the server has stopped
	 */
	public boolean isStopping() {
		ServerRun run = this.run;
		return run != null && !run.hasEnded() && run.isStopping();
	}

	/**
	 * Return whether the port is open. It is while the server runs, unless the server is
	 * about to stop, or its event loops or its channel were closed behind its back.
	 * @return {@code true} if new connections are accepted
	 */
	public boolean isListening() {
		ServerRun run = this.run;
		return run != null && run.isListening();
	}

	/**
	 * Return how many connections may be open at once.
	 * @return the limit, or {@code null} if there is none
	 * @see Builder#maxConnections(Integer)
	 */
	public @Nullable Integer maxConnections() {
		return this.settings.maxConnections;
	}

	/**
	 * Return how many connections of one IP address may be open at once.
	 * @return the limit, or {@code null} if there is none
	 * @see Builder#maxConnectionsPerAddress(Integer)
	 */
	public @Nullable Integer maxConnectionsPerAddress() {
		return this.settings.maxConnectionsPerAddress;
	}

	/**
	 * Return the connections that hold a slot.
	 * @return an unmodifiable snapshot, ordered by slot
	 */
	public Collection<CallosumConnection> connections() {
		return this.slots.connections();
	}

	@Override
	public String toString() {
		return "CallosumServer[address=" + address() + "]";
	}

	CallosumMetricsRecorder metrics() {
		return this.settings.metricsRecorder;
	}

	SlotAllocator slotAllocator() {
		return this.slotAllocator;
	}

	SlotTable slots() {
		return this.slots;
	}

	ServerEvents events() {
		return this.events;
	}

	String nextConnectionId() {
		return "c" + this.connectionIds.incrementAndGet();
	}

	/**
	 * A run is over, all its events delivered.
	 */
	void ended(ServerRun run) {
		synchronized (this.lifecycleMonitor) {
			if (this.run == run) {
				this.run = null;
				this.events.keepThread(false);
			}
			this.lifecycleMonitor.notifyAll();
		}
	}

	private void awaitChange() {
		try {
			this.lifecycleMonitor.wait();
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
			throw new IllegalStateException("Interrupted while waiting for the server to stop", ex);
		}
	}

	/**
	 * Builds a {@link CallosumServer}. A builder may be used several times; servers built
	 * before do not change with it. Not thread-safe.
	 */
	public static final class Builder {

		@Nullable String host;

		int port = 4040;

		int backlog = 4096;

		@Nullable Integer maxConnections;

		@Nullable Integer maxConnectionsPerAddress;

		List<IpSubnetFilterRule> allowedAddresses = List.of();

		Duration slotTimeout = Duration.ofSeconds(10);

		@Nullable Duration idleTimeout;

		@Nullable Duration writeTimeout;

		@Nullable KeepAlive keepAlive = new KeepAlive(Duration.ofSeconds(60), Duration.ofSeconds(10), 3);

		@Nullable Function<@Nullable String, SslProvider> sslProviders;

		Duration sslHandshakeTimeout = Duration.ofSeconds(10);

		CallosumMetricsRecorder metricsRecorder = new CallosumMetricsRecorder() {
		};

		Duration shutdownQuietPeriod = Duration.ofSeconds(1);

		@Nullable Integer workerThreads;

		boolean nativeTransport = true;

		@Nullable LoopResources loopResources;

		@Nullable SlotAllocator slotAllocator;

		@Nullable ConnectionHandler connectionHandler;

		List<CallosumTcpServerCustomizer> customizers = new ArrayList<>();

		@Nullable ApplicationEventPublisher eventPublisher;

		@Nullable Executor listenerExecutor;

		private Builder() {
		}

		private Builder(Builder other) {
			this.host = other.host;
			this.port = other.port;
			this.backlog = other.backlog;
			this.maxConnections = other.maxConnections;
			this.maxConnectionsPerAddress = other.maxConnectionsPerAddress;
			this.allowedAddresses = other.allowedAddresses;
			this.slotTimeout = other.slotTimeout;
			this.idleTimeout = other.idleTimeout;
			this.writeTimeout = other.writeTimeout;
			this.keepAlive = other.keepAlive;
			this.sslProviders = other.sslProviders;
			this.sslHandshakeTimeout = other.sslHandshakeTimeout;
			this.metricsRecorder = other.metricsRecorder;
			this.shutdownQuietPeriod = other.shutdownQuietPeriod;
			this.workerThreads = other.workerThreads;
			this.nativeTransport = other.nativeTransport;
			this.loopResources = other.loopResources;
			this.slotAllocator = other.slotAllocator;
			this.connectionHandler = other.connectionHandler;
			this.customizers = List.copyOf(other.customizers);
			this.eventPublisher = other.eventPublisher;
			this.listenerExecutor = other.listenerExecutor;
		}

		/**
		 * Set the host name or address to listen on.
		 * @param host the host, or {@code null} for every address of this machine, which
		 * is the default; {@code 0.0.0.0} means every IPv6 address too
		 * @return this builder
		 */
		public Builder host(@Nullable String host) {
			Assert.isTrue(host == null || !host.isBlank(), "must not be empty; leave it out for every address");
			this.host = host;
			return this;
		}

		/**
		 * Set the port to listen on.
		 * @param port the port, 0 to 65535; 0 for any that is free, another one at each
		 * start. The default is 4040
		 * @return this builder
		 */
		public Builder port(int port) {
			Assert.isTrue(port >= 0 && port <= 65535, "must be from 0 to 65535");
			this.port = port;
			return this;
		}

		/**
		 * Set how many connections may wait to be accepted. The system may cap it, on
		 * Linux by {@code net.core.somaxconn}.
		 * @param backlog the number, 1 or more; the default is 4096
		 * @return this builder
		 */
		public Builder backlog(int backlog) {
			Assert.isTrue(backlog > 0, "must be 1 or more");
			this.backlog = backlog;
			return this;
		}

		/**
		 * Set how many connections may be open at once, those whose TLS handshake is not
		 * done included. More are closed as soon as they are accepted.
		 * @param maxConnections the limit, 1 or more, or {@code null} for none, which is
		 * the default
		 * @return this builder
		 */
		public Builder maxConnections(@Nullable Integer maxConnections) {
			Assert.isTrue(maxConnections == null || maxConnections > 0, "must be 1 or more; leave it out for no limit");
			this.maxConnections = maxConnections;
			return this;
		}

		/**
		 * Set how many connections of one IP address may be open at once, as
		 * {@link #maxConnections(Integer)} does for all.
		 * @param maxConnectionsPerAddress the limit, 1 or more, or {@code null} for none,
		 * which is the default
		 * @return this builder
		 */
		public Builder maxConnectionsPerAddress(@Nullable Integer maxConnectionsPerAddress) {
			Assert.isTrue(maxConnectionsPerAddress == null || maxConnectionsPerAddress > 0,
					"must be 1 or more; leave it out for no limit");
			this.maxConnectionsPerAddress = maxConnectionsPerAddress;
			return this;
		}

		/**
		 * Set which addresses may connect. Connections of others are closed as soon as
		 * they are accepted.
		 * @param allowedAddresses IPv4 or IPv6 addresses, or ranges of them in CIDR
		 * notation, such as {@code 10.0.0.0/8}; empty for every address, which is the
		 * default
		 * @return this builder
		 */
		public Builder allowedAddresses(Collection<String> allowedAddresses) {
			this.allowedAddresses = allowedAddresses.stream().map(Builder::rule).toList();
			return this;
		}

		/**
		 * Set how long a connection may be idle, with no byte either way. It is closed
		 * then.
		 * @param idleTimeout the time-out, more than 0, or {@code null} for none, which
		 * is the default
		 * @return this builder
		 */
		public Builder idleTimeout(@Nullable Duration idleTimeout) {
			this.idleTimeout = (idleTimeout != null) ? positive(idleTimeout) : null;
			return this;
		}

		/**
		 * Set how long bytes may wait to be written without any progress, because the
		 * peer does not read. The connection is closed then, at the latest a quarter of
		 * the time-out later.
		 * @param writeTimeout the time-out, more than 0, or {@code null} for none, which
		 * is the default
		 * @return this builder
		 */
		public Builder writeTimeout(@Nullable Duration writeTimeout) {
			this.writeTimeout = (writeTimeout != null) ? positive(writeTimeout) : null;
			return this;
		}

		/**
		 * Set when a peer is given up that has vanished without closing its connection:
		 * after {@code idle + count * interval}. The default is 60 seconds and 3 times 10
		 * seconds. Where a transport or system cannot be told these, its own settings
		 * apply.
		 * @param idle how long a connection is idle until the peer is asked for a sign of
		 * life, 1 second to 9 hours
		 * @param interval how long until it is asked again, 1 second to 9 hours
		 * @param count how often it is asked in vain, 1 to 127
		 * @return this builder
		 */
		public Builder keepAlive(Duration idle, Duration interval, int count) {
			this.keepAlive = new KeepAlive(idle, interval, count);
			return this;
		}

		/**
		 * Switch TCP keep-alive off.
		 * @return this builder
		 */
		public Builder noKeepAlive() {
			this.keepAlive = null;
			return this;
		}

		/**
		 * Use TLS. The slot comes after the handshake.
		 * @param sslProviders maps the server name that a client asks for, or
		 * {@code null} where it asks for none, to what to use; asked for each handshake
		 * on an event loop, it must not block. {@code null} for no TLS, which is the
		 * default
		 * @return this builder
		 */
		public Builder sslProviders(@Nullable Function<@Nullable String, SslProvider> sslProviders) {
			this.sslProviders = sslProviders;
			return this;
		}

		/**
		 * Set how long a client may take from the connect to the end of the TLS
		 * handshake. The time-out of an {@link SslProvider} has no effect.
		 * @param sslHandshakeTimeout the time-out, more than 0; the default is 10 seconds
		 * @return this builder
		 */
		public Builder sslHandshakeTimeout(Duration sslHandshakeTimeout) {
			this.sslHandshakeTimeout = positive(sslHandshakeTimeout);
			return this;
		}

		/**
		 * Set who takes the measurements.
		 * @param metricsRecorder the recorder
		 * @return this builder
		 */
		public Builder metricsRecorder(CallosumMetricsRecorder metricsRecorder) {
			Assert.notNull(metricsRecorder, "'metricsRecorder' must not be null");
			this.metricsRecorder = metricsRecorder;
			return this;
		}

		/**
		 * Set how long a connection may wait for its slot, from when it was accepted or
		 * its TLS handshake was done. It is refused then.
		 * @param slotTimeout the time-out, more than 0; the default is 10 seconds
		 * @return this builder
		 */
		public Builder slotTimeout(Duration slotTimeout) {
			this.slotTimeout = positive(slotTimeout);
			return this;
		}

		/**
		 * Set how long a peer must have been quiet until its connection is ended while
		 * the server drains.
		 * @param shutdownQuietPeriod the time, more than 0; the default is 1 second
		 * @return this builder
		 */
		public Builder shutdownQuietPeriod(Duration shutdownQuietPeriod) {
			this.shutdownQuietPeriod = positive(shutdownQuietPeriod);
			return this;
		}

		/**
		 * Set the number of event loops that serve the connections. One more accepts
		 * them.
		 * @param workerThreads the number, 1 or more, or {@code null} for Reactor Netty's
		 * default: one a processor, and four at least
		 * @return this builder
		 */
		public Builder workerThreads(@Nullable Integer workerThreads) {
			Assert.isTrue(workerThreads == null || workerThreads > 0, "must be 1 or more");
			this.workerThreads = workerThreads;
			return this;
		}

		/**
		 * Set whether to use a native transport, such as epoll, where there is one.
		 * @param nativeTransport {@code false} for NIO
		 * @return this builder
		 */
		public Builder nativeTransport(boolean nativeTransport) {
			this.nativeTransport = nativeTransport;
			return this;
		}

		/**
		 * Set the event loops to use. The server does not dispose them.
		 * @param loopResources the event loops, or {@code null} for ones of the server's
		 * own, which are new at each start; the default
		 * @return this builder
		 */
		public Builder loopResources(@Nullable LoopResources loopResources) {
			this.loopResources = loopResources;
			return this;
		}

		/**
		 * Set who gives a connection its slot where no listener does.
		 * @param slotAllocator the allocator, which all servers share that this builder
		 * builds, or {@code null} for a {@link LowestSlotAllocator} of each server's own,
		 * which is the default
		 * @return this builder
		 */
		public Builder slotAllocator(@Nullable SlotAllocator slotAllocator) {
			this.slotAllocator = slotAllocator;
			return this;
		}

		/**
		 * Set the owner of the bytes of each connection.
		 * @param connectionHandler the handler, or {@code null} for none, which is the
		 * default
		 * @return this builder
		 */
		public Builder connectionHandler(@Nullable ConnectionHandler connectionHandler) {
			this.connectionHandler = connectionHandler;
			return this;
		}

		/**
		 * Add a customizer of the Reactor Netty server. Customizers are called in the
		 * order in which they were added.
		 * @param customizer the customizer
		 * @return this builder
		 */
		public Builder customizer(CallosumTcpServerCustomizer customizer) {
			Assert.notNull(customizer, "'customizer' must not be null");
			this.customizers.add(customizer);
			return this;
		}

		/**
		 * Set who takes the events.
		 * @param eventPublisher the publisher, such as an application context or a
		 * lambda, or {@code null} for nobody, which is the default
		 * @return this builder
		 */
		public Builder eventPublisher(@Nullable ApplicationEventPublisher eventPublisher) {
			this.eventPublisher = eventPublisher;
			return this;
		}

		/**
		 * Set where the events of connections are published and the allocator and the
		 * handler are called, so that they may block. The events of one connection stay
		 * in order. What the executor rejects runs on a thread of the server's own.
		 * @param listenerExecutor the executor, or {@code null} for the event loops,
		 * which is the default
		 * @return this builder
		 */
		public Builder listenerExecutor(@Nullable Executor listenerExecutor) {
			this.listenerExecutor = listenerExecutor;
			return this;
		}

		/**
		 * Build a server. It is not started.
		 * @return a new server
		 */
		public CallosumServer build() {
			return new CallosumServer(new Builder(this));
		}

		private static IpSubnetFilterRule rule(String addresses) {
			String address = addresses.strip();
			int slash = address.indexOf('/');
			String ip = (slash >= 0) ? address.substring(0, slash) : address;
			byte[] bytes = NetUtil.createByteArrayFromIpAddressString(ip);
			Assert.isTrue(bytes != null, () -> "'" + addresses + "' is not an IP address or a range in CIDR notation");
			try {
				InetAddress inetAddress = InetAddress.getByAddress(bytes);
				int bits = inetAddress.getAddress().length * Byte.SIZE;
				int prefix = (slash >= 0) ? Integer.parseInt(address.substring(slash + 1)) : bits;
				if (slash >= 0 && bytes.length * Byte.SIZE > bits) {
					// An IPv4 address in the clothes of an IPv6 one
					prefix -= bytes.length * Byte.SIZE - bits;
				}
				return new IpSubnetFilterRule(inetAddress, prefix, IpFilterRuleType.ACCEPT);
			}
			catch (UnknownHostException | IllegalArgumentException ex) {
				throw new IllegalArgumentException(
						"'" + addresses + "' is not an IP address or a range in CIDR notation", ex);
			}
		}

		private static Duration positive(Duration duration) {
			Assert.isTrue(!duration.isNegative() && !duration.isZero(), "must be more than 0");
			return duration;
		}

	}

}
