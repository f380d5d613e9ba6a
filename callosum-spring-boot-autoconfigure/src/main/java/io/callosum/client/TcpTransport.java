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

import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.function.UnaryOperator;

import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.socket.DatagramChannel;
import io.netty.channel.socket.SocketChannel;
import io.netty.resolver.NoopAddressResolverGroup;
import io.netty.resolver.dns.DnsNameResolver;
import io.netty.resolver.dns.DnsNameResolverBuilder;
import io.netty.util.concurrent.ScheduledFuture;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.FluxSink;
import reactor.netty.resources.ConnectionProvider;
import reactor.netty.resources.LoopResources;
import reactor.netty.tcp.TcpClient;

import io.callosum.transport.KeepAlive;
import io.callosum.transport.ThrottledLog;

/**
 * The network of a client from start to stop. Dials, timers and the list of servers run
 * on one of the event loops; connections are spread over all of them.
 */
final class TcpTransport implements ClientTransport {

	private static final Log logger = LogFactory.getLog(TcpTransport.class);

	/**
	 * How long to wait for the answer of a name server: well below the acquire timeout,
	 * so that the next name server is asked in time.
	 */
	private static final Duration DNS_TIMEOUT = Duration.ofSeconds(2);

	private static final Duration SHUTDOWN_TIMEOUT = Duration.ofSeconds(5);

	private final ClientSettings settings;

	private final UnaryOperator<DnsNameResolverBuilder> resolverCustomizer;

	private final LoopResources loops;

	private final EventLoopGroup group;

	private final EventLoop home;

	private final Timers timers = new LoopTimers();

	private final TcpDialler dialler;

	private final ThrottledLog log = new ThrottledLog(logger::warn);

	/**
	 * Open the network.
	 * @param settings the settings
	 * @param connectionIds the ids of the connections
	 * @param resolverCustomizer customizes the resolver of host names
	 */
	TcpTransport(ClientSettings settings, Supplier<String> connectionIds,
			UnaryOperator<DnsNameResolverBuilder> resolverCustomizer) {
		LoopResources given = settings.loopResources();
		this.settings = settings;
		this.resolverCustomizer = resolverCustomizer;
		this.loops = (given != null) ? given : LoopResources.create("callosum-client-" + settings.name(),
				LoopResources.DEFAULT_IO_SELECT_COUNT, LoopResources.DEFAULT_IO_WORKER_COUNT, true, false);
		// Client event loops may be colocated: connections dialled from one stay on it
		this.group = this.loops.onServer(settings.nativeTransport());
		this.home = this.group.next();
		this.dialler = new TcpDialler(tcpClient(), this.home, eventLoops(this.group), settings, connectionIds);
	}

	/**
	 * Open the network.
	 * @param settings the settings
	 * @param connectionIds the ids of the connections
	 * @return the network
	 * @see ClientTransport.Factory
	 */
	static ClientTransport open(ClientSettings settings, Supplier<String> connectionIds) {
		return new TcpTransport(settings, connectionIds, UnaryOperator.identity());
	}

	private static List<EventLoop> eventLoops(EventLoopGroup group) {
		List<EventLoop> eventLoops = new ArrayList<>();
		group.forEach((executor) -> eventLoops.add((EventLoop) executor));
		return eventLoops;
	}

	private TcpClient tcpClient() {
		TcpClient client = TcpClient.create(ConnectionProvider.newConnection());
		KeepAlive keepAlive = this.settings.keepAlive();
		if (keepAlive != null) {
			client = keepAlive.applyTo(client, this.loops.onChannelClass(SocketChannel.class, this.group));
		}
		for (CallosumTcpClientCustomizer customizer : this.settings.customizers()) {
			client = customizer.customize(client);
		}
		return client
			// Addresses are already resolved; the default would start its own event loops
			.resolver(NoopAddressResolverGroup.INSTANCE)
			// The dialler has a deadline for the connection and TLS together
			.option(ChannelOption.CONNECT_TIMEOUT_MILLIS, 0)
			// With it, Reactor Netty never notices that a peer has closed the connection
			.option(ChannelOption.ALLOW_HALF_CLOSURE, false);
	}

	@Override
	public Timers timers() {
		return this.timers;
	}

	@Override
	public Dialler dialler() {
		return this.dialler;
	}

	@Override
	public Publisher<? extends Collection<InetSocketAddress>> servers() {
		return Flux.create(this::listServers, FluxSink.OverflowStrategy.LATEST);
	}

	private void listServers(FluxSink<Collection<InetSocketAddress>> sink) {
		ServerDiscovery list = new ServerDiscovery(this.settings.servers(), this.home, this::resolver,
				this.settings.minTimeToLive(), this.settings.maxTimeToLive(), sink::next, this::discoveryFailed);
		sink.onDispose(() -> run(list::stop));
		run(list::start);
	}

	private void run(Runnable task) {
		try {
			this.home.execute(task);
		}
		catch (RejectedExecutionException ex) {
			logger.trace("The event loop has ended", ex);
		}
	}

	private DnsNameResolver resolver() {
		return this.resolverCustomizer
			.apply(new DnsNameResolverBuilder(this.home)
				.datagramChannelType(this.loops.onChannelClass(DatagramChannel.class, this.group))
				// Without it, a truncated answer is taken for a complete one
				.socketChannelType(this.loops.onChannelClass(SocketChannel.class, this.group))
				.queryTimeoutMillis(DNS_TIMEOUT.toMillis()))
			.build();
	}

	private void discoveryFailed(String description) {
		this.settings.metricsRecorder().discoveryFailed();
		this.log.log("Callosum client '" + this.settings.name() + "' keeps its list of servers. " + description, null);
	}

	@Override
	public void close() {
		if (this.settings.loopResources() == null) {
			// After queued dials, which would otherwise get terminated event loops
			run(this::disposeLoops);
		}
	}

	private void disposeLoops() {
		this.loops.disposeLater(Duration.ZERO, SHUTDOWN_TIMEOUT)
			.subscribe(null,
					(error) -> logger.warn(
							"The event loops of the Callosum client '" + this.settings.name() + "' did not end in time",
							error));
	}

	/**
	 * Timers of the event loop.
	 */
	private final class LoopTimers implements Timers {

		@Override
		public long nanoTime() {
			return TcpTransport.this.home.ticker().nanoTime();
		}

		@Override
		public Disposable schedule(Runnable task, long delayNanos) {
			try {
				ScheduledFuture<?> timer = TcpTransport.this.home.schedule(() -> run(task), delayNanos,
						TimeUnit.NANOSECONDS);
				return () -> timer.cancel(false);
			}
			catch (RejectedExecutionException ex) {
				logger.trace("The event loop has ended", ex);
				return () -> {
				};
			}
		}

		private static void run(Runnable task) {
			try {
				task.run();
			}
			catch (Throwable ex) {
				// Netty would swallow it
				logger.error("Unexpected failure in a timer of a Callosum client", ex);
			}
		}

	}

}
