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

import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Collection;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import java.util.function.Supplier;

import org.jspecify.annotations.Nullable;
import reactor.core.scheduler.Schedulers;
import reactor.netty.resources.LoopResources;
import reactor.netty.tcp.SslProvider;

import org.springframework.context.ApplicationEventPublisher;
import org.springframework.util.Assert;

import io.callosum.transport.UserCode;

/**
 * A TCP server that sends each new connection the lowest free slot number, as ASCII
 * digits and {@code \r\n}. Everything after that line belongs to the application.
 * <p>
 * A server can be started and stopped any number of times. All methods may be called from
 * any thread. The class is open for proxies and spies, not for extension.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public class CallosumServer {

	private final ServerSettings settings;

	private final UserCode userCode;

	private final ServerEvents events;

	private final SlotTable slots = new SlotTable();

	private final AtomicLong connectionNumbers = new AtomicLong();

	private final Object lifecycleMonitor = new Object();

	/**
	 * The current run, from a start to the end of the stop, or {@code null} if there is
	 * none. Set under the monitor. Held in a reference object, so that a spy, which
	 * copies the fields of the server, shares it.
	 */
	private final AtomicReference<@Nullable ServerRun> run = new AtomicReference<>();

	/**
	 * Not private, so that proxies can be created.
	 */
	CallosumServer(ServerSettings settings) {
		this.settings = settings;
		this.userCode = new UserCode(settings.listenerExecutor, "callosum-events");
		this.events = new ServerEvents(this, settings.eventPublisher, this.userCode);
	}

	/**
	 * Create a builder of a server.
	 * @return a new builder
	 */
	public static Builder builder() {
		return new Builder();
	}

	/**
	 * Start the server. When this method returns, the server is bound. Has no effect if
	 * the server is running. If it is stopping, this method waits until it has stopped
	 * and then starts it again.
	 * @throws ServerBindException if the server cannot listen on its address
	 * @throws IllegalStateException if called on an event loop, or by a listener while
	 * the server is stopping; listeners of {@link ServerStoppedEvent} may call it
	 */
	public void start() {
		Assert.state(!Schedulers.isInNonBlockingThread(),
				"CallosumServer.start() blocks and must not be called on an event loop");
		boolean inUserCode = this.userCode.isInUserCode();
		ServerRun run;
		boolean starting = false;
		synchronized (this.lifecycleMonitor) {
			run = this.run.get();
			while (run != null && run.isStopping() && !inUserCode) {
				ServerRun.awaitChange(this.lifecycleMonitor);
				run = this.run.get();
			}
			// A stop that begins after this wait is ordered after this start
			if (run == null || (inUserCode && run.hasEnded())) {
				starting = true;
				run = new ServerRun(this);
				this.userCode.keepThread(true);
				this.run.set(run);
			}
			else {
				Assert.state(!inUserCode || !run.isStopping(),
						"The server is stopping; start it again in a listener of ServerStoppedEvent");
			}
		}
		if (starting) {
			run.start();
		}
		else {
			run.awaitBound(inUserCode);
		}
	}

	/**
	 * Stop the server at once. Open connections are closed, and bytes that have not been
	 * flushed are dropped. When this method returns, the port refuses connections, no
	 * connection is open, and every event has been delivered. This method waits for
	 * listeners at most ten seconds at each step of the stop.
	 * <p>
	 * If called on an event loop, or by a listener, allocator or handler, this method
	 * only initiates the stop and returns. {@link ServerStoppedEvent} is published when
	 * the server has stopped.
	 */
	public void stop() {
		stop(Duration.ZERO);
	}

	/**
	 * Drain and stop the server. The inbound side of a connection ends between two
	 * messages, or when the peer has been quiet for the
	 * {@linkplain Builder#shutdownQuietPeriod(Duration) quiet period}. The connection is
	 * closed when its handler has completed. Connections that are still open after the
	 * timeout, or when {@link #stop()} is called, are closed at once.
	 * @param timeout the maximum time to drain
	 */
	public void stop(Duration timeout) {
		Assert.notNull(timeout, "'timeout' must not be null");
		Assert.isTrue(!timeout.isNegative(), "'timeout' must not be negative");
		ServerRun run = this.run.get();
		if (run != null) {
			run.stop(timeout);
			if (!this.userCode.mustNotWait()) {
				run.awaitEnd();
			}
		}
	}

	/**
	 * Return the address that the server is bound to.
	 * @return the address, or {@code null} while the server is stopped
	 */
	public @Nullable InetSocketAddress address() {
		ServerRun run = this.run.get();
		return (run != null && !run.hasEnded()) ? run.address() : null;
	}

	/**
	 * Return whether the server is running: from when it is bound until it has stopped.
	 * @return {@code true} if the server is running, even if it is draining
	 */
	public boolean isRunning() {
		return address() != null;
	}

	/**
	 * Return whether the server is stopping: it is still running, but refuses new
	 * connections and drains or closes those that are open.
	 * @return {@code true} if the server is stopping
	 */
	public boolean isStopping() {
		ServerRun run = this.run.get();
		return run != null && !run.hasEnded() && run.isStopping();
	}

	/**
	 * Return whether the server accepts connections. It does so while it is running,
	 * unless it is stopping or its event loops or its channel have been closed by
	 * something else.
	 * @return {@code true} if new connections are accepted
	 */
	public boolean isListening() {
		ServerRun run = this.run.get();
		return run != null && run.isListening();
	}

	/**
	 * Return the maximum number of open connections.
	 * @return the limit, or {@code null} if there is none
	 * @see Builder#maxConnections(Integer)
	 */
	public @Nullable Integer maxConnections() {
		return this.settings.maxConnections;
	}

	/**
	 * Return the maximum number of open connections per remote IP address.
	 * @return the limit, or {@code null} if there is none
	 * @see Builder#maxConnectionsPerAddress(Integer)
	 */
	public @Nullable Integer maxConnectionsPerAddress() {
		return this.settings.maxConnectionsPerAddress;
	}

	/**
	 * Return the current weight of the server. While the server warms up, it is less than
	 * the configured weight.
	 * @return the weight, more than 0
	 * @see Builder#weight(double)
	 * @see Builder#warmUp(Duration)
	 */
	public double weight() {
		ServerRun run = this.run.get();
		return (run != null) ? run.connections().weight().current() : this.settings.weight;
	}

	/**
	 * Return how long a task has to wait for an event loop of this server. Each call
	 * submits a task to every loop, unless one still waits there, and returns the longest
	 * wait of the tasks that earlier calls submitted, so far if one still waits. Less
	 * than a millisecond is normal. More means that code holds an event loop for too long
	 * and delays connections. This method does not block.
	 * @return the lag, 0 at the first call after a start and while the server is stopped
	 */
	public Duration eventLoopLag() {
		ServerRun run = this.run.get();
		return (run != null && !run.hasEnded()) ? run.eventLoopLag() : Duration.ZERO;
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

	ServerSettings settings() {
		return this.settings;
	}

	SlotTable slots() {
		return this.slots;
	}

	UserCode userCode() {
		return this.userCode;
	}

	ServerEvents events() {
		return this.events;
	}

	/**
	 * Return a number that no other connection of this server has.
	 */
	long nextConnectionNumber() {
		return this.connectionNumbers.incrementAndGet();
	}

	/**
	 * Called when a run is over and all its events have been delivered.
	 */
	void ended(ServerRun run) {
		synchronized (this.lifecycleMonitor) {
			if (this.run.get() == run) {
				this.run.set(null);
				this.userCode.keepThread(false);
			}
			this.lifecycleMonitor.notifyAll();
		}
	}

	/**
	 * Builder for a {@link CallosumServer}. A builder may be used several times; later
	 * changes do not affect servers that it has already built. Not thread-safe.
	 */
	public static final class Builder extends ServerLimitsBuilder {

		private Builder() {
		}

		@Override
		Builder self() {
			return this;
		}

		/**
		 * Set the host name or address to listen on.
		 * @param host the host, or {@code null} for every address, which is the default;
		 * {@code 0.0.0.0} includes every IPv6 address
		 * @return this builder
		 */
		public Builder host(@Nullable String host) {
			Assert.isTrue(host == null || !host.isBlank(),
					"'host' must not be empty; use null to listen on every address");
			this.draft.host = host;
			return this;
		}

		/**
		 * Set the port to listen on.
		 * @param port the port, from 0 to 65535; 0 selects a free port at each start. The
		 * default is 4040
		 * @return this builder
		 */
		public Builder port(int port) {
			Assert.isTrue(port >= 0 && port <= 65535, "'port' must be from 0 to 65535");
			this.draft.port = port;
			return this;
		}

		/**
		 * Set the maximum number of connections that wait to be accepted. The operating
		 * system may impose a lower limit, such as {@code net.core.somaxconn} on Linux.
		 * @param backlog the number, 1 or more; the default is 4096
		 * @return this builder
		 */
		public Builder backlog(int backlog) {
			Assert.isTrue(backlog > 0, "'backlog' must be 1 or more");
			this.draft.backlog = backlog;
			return this;
		}

		/**
		 * Use TLS. The slot line follows the handshake.
		 * @param sslProvider returns the {@link SslProvider} for a handshake, whatever
		 * server name the client asks for. Called on an event loop for each connection,
		 * so it must not block. {@code null} for no TLS, which is the default
		 * @return this builder
		 */
		public Builder sslProvider(@Nullable Supplier<SslProvider> sslProvider) {
			this.draft.sslProviders = (sslProvider != null) ? (name) -> sslProvider.get() : null;
			this.draft.serverNames = false;
			return this;
		}

		/**
		 * Use TLS, with a certificate that depends on the server name that a client asks
		 * for. The slot line follows the handshake.
		 * @param sslProviders maps the server name that a client asks for, or
		 * {@code null} if it does not ask for one, to an {@link SslProvider}. Called on
		 * an event loop for each handshake, so it must not block. {@code null} for no
		 * TLS, which is the default
		 * @return this builder
		 */
		public Builder sslProviders(@Nullable Function<@Nullable String, SslProvider> sslProviders) {
			this.draft.sslProviders = sslProviders;
			this.draft.serverNames = true;
			return this;
		}

		/**
		 * Set the metrics recorder.
		 * @param metricsRecorder the recorder
		 * @return this builder
		 */
		public Builder metricsRecorder(CallosumMetricsRecorder metricsRecorder) {
			Assert.notNull(metricsRecorder, "'metricsRecorder' must not be null");
			this.draft.metricsRecorder = metricsRecorder;
			return this;
		}

		/**
		 * Set how many connections the server attracts, relative to other servers: a
		 * server with weight 2 settles at twice as many as one with weight 1. The server
		 * sends each client its slot divided by the weight, rounded down, so clients need
		 * no configuration.
		 * @param weight the weight, more than 0; the default is 1
		 * @return this builder
		 * @see CallosumConnection#announcedSlot()
		 */
		public Builder weight(double weight) {
			Assert.isTrue(weight > 0 && Double.isFinite(weight), "'weight' must be more than 0");
			this.draft.weight = weight;
			return this;
		}

		/**
		 * Set how long the server warms up after each start. During this time, its weight
		 * grows linearly from a tenth to its full value, so that a cold JVM receives its
		 * share of the connections gradually.
		 * @param warmUp the time, more than 0, or {@code null} for no warm-up, which is
		 * the default
		 * @return this builder
		 */
		public Builder warmUp(@Nullable Duration warmUp) {
			this.draft.warmUp = (warmUp != null) ? ServerSettings.positive("warmUp", warmUp) : null;
			return this;
		}

		/**
		 * Set the number of event loop threads that serve the connections. One more
		 * thread accepts them.
		 * @param workerThreads the number, 1 or more, or {@code null} for Reactor Netty's
		 * default: one per processor, but at least four
		 * @return this builder
		 */
		public Builder workerThreads(@Nullable Integer workerThreads) {
			Assert.isTrue(workerThreads == null || workerThreads > 0, "'workerThreads' must be 1 or more");
			this.draft.workerThreads = workerThreads;
			return this;
		}

		/**
		 * Set whether to use a native transport, such as epoll, if one is available.
		 * @param nativeTransport {@code false} to use NIO; the default is {@code true}
		 * @return this builder
		 */
		public Builder nativeTransport(boolean nativeTransport) {
			this.draft.nativeTransport = nativeTransport;
			return this;
		}

		/**
		 * Set the event loops. The server does not dispose them.
		 * @param loopResources the event loops, or {@code null} to let the server create
		 * its own at each start, which is the default
		 * @return this builder
		 */
		public Builder loopResources(@Nullable LoopResources loopResources) {
			this.draft.loopResources = loopResources;
			return this;
		}

		/**
		 * Set the allocator that is used when no listener assigns a slot.
		 * @param slotAllocator the allocator, which is shared by all servers that this
		 * builder builds, or {@code null} for a new {@link LowestSlotAllocator} for each
		 * server, which is the default
		 * @return this builder
		 */
		public Builder slotAllocator(@Nullable SlotAllocator slotAllocator) {
			this.draft.slotAllocator = slotAllocator;
			return this;
		}

		/**
		 * Set the handler that processes the bytes of each connection.
		 * @param connectionHandler the handler, or {@code null} for none, which is the
		 * default
		 * @return this builder
		 */
		public Builder connectionHandler(@Nullable ConnectionHandler connectionHandler) {
			this.draft.connectionHandler = connectionHandler;
			return this;
		}

		/**
		 * Set a handler that processes the bytes of each connection and may block. Use
		 * either this or a {@link ConnectionHandler}, but not both.
		 * @param handler the handler, or {@code null} for none, which is the default
		 * @param executor the executor that runs the handler, which occupies a thread for
		 * as long as the connection is open, or {@code null} for a thread per connection:
		 * a virtual thread on Java 21 and later. Handlers that the executor rejects run
		 * one after another on a single thread of the server
		 * @return this builder
		 */
		public Builder blockingConnectionHandler(@Nullable BlockingConnectionHandler handler,
				@Nullable Executor executor) {
			this.draft.blockingConnectionHandler = handler;
			this.draft.blockingHandlerExecutor = executor;
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
			this.draft.customizers.add(customizer);
			return this;
		}

		/**
		 * Set the event publisher.
		 * @param eventPublisher the publisher, such as an application context or a
		 * lambda, or {@code null} to publish no events, which is the default
		 * @return this builder
		 */
		public Builder eventPublisher(@Nullable ApplicationEventPublisher eventPublisher) {
			this.draft.eventPublisher = eventPublisher;
			return this;
		}

		/**
		 * Set the executor on which the events of connections are published and the
		 * allocator and the handler are called, so that they may block. The events of a
		 * connection stay in order. Tasks that the executor rejects run on a single
		 * thread of the server.
		 * @param listenerExecutor the executor, or {@code null} for the event loops,
		 * which is the default
		 * @return this builder
		 */
		public Builder listenerExecutor(@Nullable Executor listenerExecutor) {
			this.draft.listenerExecutor = listenerExecutor;
			return this;
		}

		/**
		 * Build a server without starting it.
		 * @return a new server
		 */
		public CallosumServer build() {
			return new CallosumServer(new ServerSettings(this.draft));
		}

	}

}
