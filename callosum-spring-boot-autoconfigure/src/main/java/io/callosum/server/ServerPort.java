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
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.function.Function;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.util.AttributeKey;
import org.jspecify.annotations.Nullable;
import reactor.netty.DisposableServer;
import reactor.netty.tcp.SslProvider;
import reactor.netty.tcp.TcpServer;

import io.callosum.transport.Channels;
import io.callosum.transport.ReceiveBuffers;

/**
 * The port that a server listens on.
 */
final class ServerPort {

	static final Duration BIND_TIMEOUT = Duration.ofSeconds(45);

	private static final AttributeKey<Long> ACCEPTED_NANOS = AttributeKey.valueOf(ServerPort.class, "acceptedNanos");

	private final Channel channel;

	/**
	 * The provider for clients that do not ask for a server name, {@code null} without
	 * TLS.
	 */
	private final @Nullable SslProvider sslProvider;

	private ServerPort(Channel channel, @Nullable SslProvider sslProvider) {
		this.channel = channel;
		this.sslProvider = sslProvider;
	}

	/**
	 * Bind the port. It accepts no connection before {@link #accept()}.
	 * @param settings the settings of the server
	 * @param loops the event loops of the server
	 * @param accepted called on the event loop of each new channel, before anything has
	 * happened on it
	 * @param acceptFailed called when a connection could not be accepted
	 * @return the port
	 * @throws ServerBindException if the server cannot listen on its address
	 */
	static ServerPort bind(ServerSettings settings, ServerLoops loops, Consumer<Channel> accepted,
			Consumer<Throwable> acceptFailed) {
		InetSocketAddress address = (settings.host != null)
				? InetSocketAddress.createUnresolved(settings.host, settings.port)
				: new InetSocketAddress(settings.port);
		TcpServer tcpServer = TcpServer.create()
			.bindAddress(() -> address)
			.option(ChannelOption.SO_BACKLOG, settings.backlog)
			.childOption(ChannelOption.RECVBUF_ALLOCATOR, ReceiveBuffers.DEFAULT)
			// Netty sets it when it creates the channel, and Reactor Netty would set it
			// again
			.childOption(ChannelOption.TCP_NODELAY, null);
		if (settings.keepAlive != null) {
			tcpServer = settings.keepAlive.applyTo(tcpServer, loops.channelType());
		}
		SslProvider sslProvider = null;
		if (settings.sslProviders != null) {
			sslProvider = settings.sslProviders.apply(null);
			tcpServer = settings.serverNames ? secureByName(tcpServer, sslProvider, settings.sslProviders)
					: secure(tcpServer, settings.sslProviders);
		}
		for (CallosumTcpServerCustomizer customizer : settings.customizers) {
			tcpServer = customizer.customize(tcpServer);
		}
		ServerPort port;
		try {
			port = new ServerPort(tcpServer.runOn(loops.resources(), settings.nativeTransport)
				// Otherwise, Reactor Netty never notices that a peer has closed
				.childOption(ChannelOption.ALLOW_HALF_CLOSURE, false)
				.doOnChannelInit((observer, channel, remoteAddress) -> accepted.accept(channel))
				.doOnBound((bound) -> holdBack(bound, acceptFailed))
				.bindNow(BIND_TIMEOUT)
				.channel(), sslProvider);
		}
		catch (RuntimeException ex) {
			throw ServerBindException.of(address, ex);
		}
		if (!(port.channel.localAddress() instanceof InetSocketAddress)) {
			port.close();
			throw ServerBindException.of(address, new IllegalStateException(
					"a customizer binds to " + port.channel.localAddress() + ", which is not an internet address"));
		}
		return port;
	}

	/**
	 * Use TLS without Reactor Netty's {@code secure()}, which either keeps the current
	 * provider, or collects the first message of each client to find a server name in it.
	 */
	private static TcpServer secure(TcpServer tcpServer, Function<@Nullable String, SslProvider> sslProviders) {
		return tcpServer.doOnChannelInit((observer, channel, remoteAddress) -> withoutTimeout(sslProviders.apply(null))
			.addSslHandler(channel, null, false));
	}

	private static TcpServer secureByName(TcpServer tcpServer, SslProvider sslProvider,
			Function<@Nullable String, SslProvider> sslProviders) {
		return tcpServer.secure((spec) -> spec.sslContext(sslProvider.getSslContext())
			.handshakeTimeoutMillis(0)
			.setSniAsyncMappings((name, promise) -> promise.setSuccess(withoutTimeout(sslProviders.apply(name)))));
	}

	/**
	 * Disable Netty's timeouts: there is one for the client's first message and one for
	 * the rest, and they would add up.
	 */
	private static SslProvider withoutTimeout(SslProvider sslProvider) {
		return SslProvider.addHandlerConfigurator(sslProvider, (handler) -> handler.setHandshakeTimeoutMillis(0));
	}

	@Nullable SslProvider sslProvider() {
		return this.sslProvider;
	}

	/**
	 * Called on the event loop of the port, before the channel begins to accept.
	 */
	private static void holdBack(DisposableServer bound, Consumer<Throwable> acceptFailed) {
		bound.channel().config().setAutoRead(false);
		bound.channel().pipeline().addFirst(new AcceptHandler(acceptFailed));
	}

	/**
	 * Begin to accept connections. Those that arrived in the meantime wait in the
	 * backlog.
	 */
	void accept() {
		// On the event loop, because bind() returns before doOnBound has run
		Channels.run(this.channel, () -> this.channel.config().setAutoRead(true));
	}

	InetSocketAddress address() {
		return (InetSocketAddress) this.channel.localAddress();
	}

	/**
	 * Return whether the port is open. Something other than {@link #close()} may have
	 * closed it.
	 */
	boolean isOpen() {
		return this.channel.isActive();
	}

	/**
	 * Return the name of the transport, for the log.
	 */
	String transport() {
		String name = this.channel.getClass().getSimpleName();
		return name.startsWith("Nio") ? "NIO" : name.replace("ServerSocketChannel", "").toLowerCase(Locale.ROOT);
	}

	/**
	 * Close the port, and wait until it refuses connections.
	 */
	void close() {
		this.channel.close().awaitUninterruptibly(ServerLoops.TIMEOUT.toMillis());
		// NIO keeps the port open until the selector has released the channel, which
		// takes another select of the loop
		long deadline = System.nanoTime() + ServerLoops.TIMEOUT.toNanos();
		while (this.channel.isRegistered() && !this.channel.eventLoop().isShuttingDown()
				&& System.nanoTime() - deadline < 0) {
			ServerLoops.passThrough(List.of(this.channel.eventLoop()), 1);
		}
		ServerLoops.passThrough(List.of(this.channel.eventLoop()), 1);
		// The loop may have ended without closing the port
		if (this.channel.eventLoop().isShuttingDown()
				&& this.channel.eventLoop().terminationFuture().awaitUninterruptibly(ServerLoops.TIMEOUT.toMillis())) {
			Channels.closeSocket(this.channel);
		}
	}

	/**
	 * Return when a channel was accepted. Its event loop, which may be held, only learns
	 * of it later. Called once, on that event loop.
	 * @param channel the channel
	 * @return the time by the clock of the event loops
	 */
	// An attribute that is only set to null would stay in memory as long as the
	// connection
	@SuppressWarnings("deprecation")
	static long acceptedNanos(Channel channel) {
		Long nanos = channel.hasAttr(ACCEPTED_NANOS) ? channel.attr(ACCEPTED_NANOS).getAndRemove() : null;
		return (nanos != null) ? nanos : channel.eventLoop().ticker().nanoTime();
	}

	/**
	 * Records when a connection is accepted, and reports when accepting fails, usually
	 * for lack of file descriptors. Reactor Netty does not report this; it tries again
	 * after a second.
	 */
	private static final class AcceptHandler extends ChannelInboundHandlerAdapter {

		private final Consumer<Throwable> acceptFailed;

		private AcceptHandler(Consumer<Throwable> acceptFailed) {
			this.acceptFailed = acceptFailed;
		}

		@Override
		public void channelRead(ChannelHandlerContext ctx, Object message) {
			if (message instanceof Channel accepted) {
				accepted.attr(ACCEPTED_NANOS).set(ctx.channel().eventLoop().ticker().nanoTime());
			}
			ctx.fireChannelRead(message);
		}

		@Override
		public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
			this.acceptFailed.accept(cause);
			ctx.fireExceptionCaught(cause);
		}

	}

}
