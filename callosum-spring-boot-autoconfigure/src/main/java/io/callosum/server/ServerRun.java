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
import java.net.SocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import java.util.function.LongSupplier;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.socket.SocketChannel;
import io.netty.util.NetUtil;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.Future;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import org.jspecify.annotations.Nullable;
import reactor.netty.DisposableServer;
import reactor.netty.NettyPipeline;
import reactor.netty.resources.LoopResources;
import reactor.netty.tcp.SslProvider;
import reactor.netty.tcp.TcpServer;

import io.callosum.server.SlotFreeEvent.Reason;

/**
 * A {@link CallosumServer} from its start to its end: the port, the event loops and the
 * open connections. Used once.
 */
final class ServerRun {

	/**
	 * So many requests may wait for an answer although their time is over, until new ones
	 * are refused.
	 */
	static final int MAX_OVERDUE_ANSWERS = 10_000;

	private static final Log logger = LogFactory.getLog(CallosumServer.class);

	/**
	 * How long a stop waits for listeners, and for event loops that they hold.
	 */
	private static final Duration LISTENER_TIMEOUT = Duration.ofSeconds(10);

	private static final Duration BIND_TIMEOUT = Duration.ofSeconds(45);

	private static final long POLL_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

	private static final Duration LOOP_TIMEOUT = Duration.ofSeconds(5);

	private static final Duration HELD_LOOP_TIMEOUT = Duration.ofMillis(500);

	private final CallosumServer server;

	private final CallosumServer.Builder settings;

	private final ServerEvents events;

	private final LoopResources loops;

	/**
	 * All connections of which anything is left: an open channel or a slot. Those whose
	 * TLS handshake is going on are here too.
	 */
	private final Set<ConnectionLease> open = ConcurrentHashMap.newKeySet();

	private final ConnectionLimits limits;

	private final AtomicInteger overdueAnswers = new AtomicInteger();

	private final CountDownLatch bound = new CountDownLatch(1);

	private final CountDownLatch started = new CountDownLatch(1);

	private final CountDownLatch ended = new CountDownLatch(1);

	private final Object monitor = new Object();

	private volatile @Nullable DisposableServer listener;

	private volatile @Nullable RuntimeException bindFailure;

	/**
	 * Whether a stop was asked for. Written under the monitor.
	 */
	private volatile boolean stopping;

	/**
	 * Until when to drain, in terms of {@link System#nanoTime()}. Written under the
	 * monitor.
	 */
	private volatile long drainDeadline;

	/**
	 * Whether channels that are registered from now on are closed: those that were
	 * accepted before the stop, and had to wait for their event loop.
	 */
	private volatile boolean closingNew;

	/**
	 * Whether nothing is left but to tell so.
	 */
	private volatile boolean over;

	ServerRun(CallosumServer server, CallosumServer.Builder settings) {
		this.server = server;
		this.settings = settings;
		this.events = server.events();
		this.limits = new ConnectionLimits(settings);
		this.loops = (settings.loopResources != null) ? settings.loopResources : LoopResources.create("callosum", 1,
				(settings.workerThreads != null) ? settings.workerThreads : LoopResources.DEFAULT_IO_WORKER_COUNT,
				true);
	}

	CallosumServer server() {
		return this.server;
	}

	CallosumServer.Builder settings() {
		return this.settings;
	}

	ServerEvents events() {
		return this.events;
	}

	CallosumMetricsRecorder metrics() {
		return this.server.metrics();
	}

	ConnectionLimits limits() {
		return this.limits;
	}

	boolean isStopping() {
		return this.stopping;
	}

	boolean hasEnded() {
		return this.over;
	}

	@Nullable InetSocketAddress address() {
		DisposableServer listener = this.listener;
		return (listener != null) ? address(listener) : null;
	}

	/**
	 * Return whether the port is open, which something else than a stop may have closed.
	 */
	boolean isListening() {
		DisposableServer listener = this.listener;
		return listener != null && !this.stopping && listener.channel().isActive();
	}

	// Starting

	void start() {
		DisposableServer listener;
		try {
			listener = bind();
			this.listener = listener;
			Thread thread = new Thread(this::awaitAndStop, "callosum-server");
			// Keeps the JVM alive, which the daemon threads of the event loops do not
			thread.setDaemon(false);
			thread.start();
		}
		catch (Throwable ex) {
			// Also a checked exception, which a customizer in another language may throw
			RuntimeException failure = (ex instanceof RuntimeException runtimeException) ? runtimeException
					: new IllegalStateException("The server could not be started", ex);
			this.bindFailure = failure;
			this.stopping = true;
			if (this.listener != null) {
				close(this.listener.channel());
			}
			disposeLoops(LOOP_TIMEOUT);
			end();
			if (ex instanceof Error error) {
				throw error;
			}
			throw failure;
		}
		this.bound.countDown();
		logger.info("Callosum server started on " + NetUtil.toSocketAddressString(address(listener)) + " ("
				+ transport(listener.channel()) + ((this.settings.sslProviders != null) ? ", TLS" : "")
				+ ((this.settings.maxConnections != null) ? ", at most " + this.settings.maxConnections + " connections"
						: "")
				+ ")");
		this.events.publishAndReport(new ServerStartedEvent(this.server), null);
		this.started.countDown();
		if (!this.stopping) {
			// Connections that have arrived meanwhile wait in the backlog. On the event
			// loop, because bind() returns before it has run doOnBound
			Channel channel = listener.channel();
			channel.eventLoop().execute(() -> channel.config().setAutoRead(true));
		}
	}

	private DisposableServer bind() {
		InetSocketAddress address = (this.settings.host != null)
				? InetSocketAddress.createUnresolved(this.settings.host, this.settings.port)
				: new InetSocketAddress(this.settings.port);
		TcpServer tcpServer = TcpServer.create()
			.bindAddress(() -> address)
			.option(ChannelOption.SO_BACKLOG, this.settings.backlog)
			// Netty has set it when the channel is created, Reactor Netty would again
			.childOption(ChannelOption.TCP_NODELAY, null);
		if (this.settings.keepAlive != null) {
			tcpServer = this.settings.keepAlive.applyTo(tcpServer,
					this.loops.onChannelClass(SocketChannel.class, this.loops.onServer(this.settings.nativeTransport)));
		}
		Function<@Nullable String, SslProvider> sslProviders = this.settings.sslProviders;
		if (sslProviders != null) {
			// No time-outs of Netty's: it has one for the client's first message and
			// one for the rest, which add up
			tcpServer = tcpServer
				.secure((
						spec) -> spec.sslContext(sslProviders.apply(null).getSslContext())
							.handshakeTimeoutMillis(0)
							.setSniAsyncMappings((name, promise) -> promise
								.setSuccess(SslProvider.addHandlerConfigurator(sslProviders.apply(name),
										(handler) -> handler.setHandshakeTimeoutMillis(0)))));
		}
		for (CallosumTcpServerCustomizer customizer : this.settings.customizers) {
			tcpServer = customizer.customize(tcpServer);
		}
		DisposableServer listener;
		try {
			listener = tcpServer.runOn(this.loops, this.settings.nativeTransport)
				// With it, Reactor Netty never notices that a peer has closed
				.childOption(ChannelOption.ALLOW_HALF_CLOSURE, false)
				.doOnChannelInit((observer, channel, remoteAddress) -> accepted(channel))
				.doOnBound((bound) -> {
					// Here, on its event loop, the channel has not begun to accept
					bound.channel().config().setAutoRead(false);
					bound.channel().pipeline().addFirst(new AcceptFailureHandler());
				})
				.bindNow(BIND_TIMEOUT);
		}
		catch (RuntimeException ex) {
			throw ServerBindException.of(address, ex);
		}
		if (!(listener.channel().localAddress() instanceof InetSocketAddress)) {
			close(listener.channel());
			throw ServerBindException.of(address, new IllegalStateException(
					"a customizer binds to " + listener.channel().localAddress() + ", which is no internet address"));
		}
		return listener;
	}

	private static InetSocketAddress address(DisposableServer listener) {
		return (InetSocketAddress) listener.channel().localAddress();
	}

	/**
	 * Wait until the server is bound, which another thread is about to do.
	 */
	void awaitBound(boolean inUserCode) {
		if (!inUserCode) {
			await(this.bound, BIND_TIMEOUT);
		}
		RuntimeException bindFailure = this.bindFailure;
		if (bindFailure != null) {
			throw bindFailure;
		}
	}

	// Connections

	/**
	 * Called on the event loop of a new channel, before anything has happened on it.
	 */
	void accepted(Channel channel) {
		this.server.metrics().accepted();
		SocketAddress remoteAddress = channel.remoteAddress();
		RefusalReason refusal = this.limits.admit(remoteAddress);
		if (refusal != null) {
			// Not through the pipeline: not a byte is to be sent
			channel.unsafe().close(channel.unsafe().voidPromise());
			this.server.metrics().refused(refusal);
			return;
		}
		ConnectionLease lease = new ConnectionLease(this, channel, remoteAddress, this.server.nextConnectionId());
		this.open.add(lease);
		channel.closeFuture().addListener((closed) -> lease.closed());
		// Named as one of Reactor Netty's own: addHandlerFirst() adds codecs behind
		// those, and before this one they would miss what was read ahead
		channel.pipeline().addBefore(NettyPipeline.ReactiveBridge, NettyPipeline.LEFT + "callosum", lease.readAhead());
		if (this.settings.idleTimeout != null || this.settings.writeTimeout != null) {
			channel.pipeline()
				.addFirst("callosum.timeout",
						new TimeoutHandler(lease, this.settings.idleTimeout, this.settings.writeTimeout));
		}
		if (this.settings.sslProviders != null) {
			lease.awaitHandshake(this.settings.sslHandshakeTimeout);
		}
		if (this.closingNew) {
			lease.close(Reason.SERVER_STOPPED);
		}
	}

	/**
	 * A lease has something to do again, although its channel may be closed.
	 */
	void add(ConnectionLease lease) {
		this.open.add(lease);
	}

	/**
	 * Nothing is left of a connection.
	 */
	void remove(ConnectionLease lease) {
		this.open.remove(lease);
		if (this.stopping && this.open.isEmpty()) {
			synchronized (this.monitor) {
				this.monitor.notifyAll();
			}
		}
	}

	void answerOverdue() {
		this.overdueAnswers.incrementAndGet();
		metrics().slotRequestOverdue();
	}

	void overdueAnswerArrived() {
		this.overdueAnswers.decrementAndGet();
		metrics().overdueSlotRequestAnswered();
	}

	boolean hasTooManyOverdueAnswers() {
		return this.overdueAnswers.get() > MAX_OVERDUE_ANSWERS;
	}

	// Stopping

	/**
	 * Begin to stop, or make haste if that has begun.
	 */
	void stop(Duration timeout) {
		long deadline = System.nanoTime() + nanos(timeout);
		synchronized (this.monitor) {
			if (!this.stopping || deadline - this.drainDeadline < 0) {
				this.drainDeadline = deadline;
			}
			this.stopping = true;
			this.monitor.notifyAll();
		}
	}

	void awaitEnd() {
		await(this.ended, null);
	}

	/**
	 * The life of the thread that the server has: it waits for a stop, and carries it
	 * out.
	 */
	private void awaitAndStop() {
		waitUntil(() -> this.stopping, null);
		await(this.started, LISTENER_TIMEOUT);
		try {
			closeEverything();
		}
		catch (Throwable ex) {
			// Also an Error: without this thread, whoever waits for the end does for ever
			logger.error("The Callosum server could not be stopped in good order", ex);
		}
		this.over = true;
		try {
			logger.info("Callosum server stopped");
			publishInTime(new ServerStoppedEvent(this.server));
		}
		finally {
			end();
		}
	}

	private void closeEverything() {
		DisposableServer listener = this.listener;
		if (listener != null) {
			close(listener.channel());
		}
		publishInTime(new ServerStoppingEvent(this.server));
		long passing = System.nanoTime();
		passThroughLoops();
		long listenerTimeout = LISTENER_TIMEOUT.toNanos() - (System.nanoTime() - passing);
		if (this.drainDeadline - System.nanoTime() > 0) {
			logger.info("Callosum server drains " + this.open.size() + " connections");
			drainConnections();
			if (!waitUntil(this.open::isEmpty, () -> this.drainDeadline)) {
				logger.info("Callosum server closes " + this.open.size() + " connections that are not drained in time");
			}
		}
		closeConnections();
		long deadline = System.nanoTime() + listenerTimeout;
		boolean inTime = waitUntil(this::isDone, () -> deadline);
		if (!inTime) {
			logger.warn("The Callosum server stops although listeners of " + this.open.size()
					+ " connections have not returned within " + LISTENER_TIMEOUT.toSeconds() + " s");
		}
		// An event loop ends when its listener returns, which may be never
		disposeLoops(inTime ? LOOP_TIMEOUT : HELD_LOOP_TIMEOUT);
	}

	void drainConnections() {
		this.closingNew = true;
		this.open.forEach(ConnectionLease::drain);
	}

	void closeConnections() {
		this.closingNew = true;
		this.open.forEach((lease) -> lease.close(Reason.SERVER_STOPPED));
	}

	/**
	 * Return whether nothing is left of any connection.
	 */
	boolean isDone() {
		return this.open.isEmpty() && !this.events.hasPendingErrors();
	}

	void end() {
		this.over = true;
		this.bound.countDown();
		this.server.ended(this);
		this.ended.countDown();
	}

	/**
	 * Close the port, and wait until it refuses connections.
	 */
	private void close(Channel channel) {
		channel.close().awaitUninterruptibly(LOOP_TIMEOUT.toMillis());
		// NIO keeps the port open until the selector has let go of the channel: when the
		// loop has been through another select
		long deadline = System.nanoTime() + LOOP_TIMEOUT.toNanos();
		while (channel.isRegistered() && !channel.eventLoop().isShuttingDown() && System.nanoTime() - deadline < 0) {
			pass(List.of(channel.eventLoop()), 1);
		}
		pass(List.of(channel.eventLoop()), 1);
		// It may have ended without closing the port
		if (channel.eventLoop().isShuttingDown()
				&& channel.eventLoop().terminationFuture().awaitUninterruptibly(LOOP_TIMEOUT.toMillis())) {
			ConnectionLease.closeSocket(channel);
		}
	}

	/**
	 * Let each loop run what it has been given so far: channels that have been accepted
	 * may still be waiting to be registered.
	 */
	private void passThroughLoops() {
		List<EventExecutor> executors = new ArrayList<>();
		this.loops.onServer(this.settings.nativeTransport).forEach(executors::add);
		pass(executors, 0);
	}

	private static void pass(List<? extends EventExecutor> executors, int delayMillis) {
		List<Future<?>> passed = new ArrayList<>();
		for (EventExecutor executor : executors) {
			try {
				passed.add(executor.schedule(() -> {
				}, delayMillis, TimeUnit.MILLISECONDS));
			}
			catch (RejectedExecutionException ex) {
				logger.trace("The event loop has ended, and closed its channels", ex);
			}
		}
		long deadline = System.nanoTime() + LOOP_TIMEOUT.toNanos();
		for (Future<?> future : passed) {
			future.awaitUninterruptibly(Math.max(1, TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime())));
		}
	}

	private void disposeLoops(Duration timeout) {
		if (this.loops == this.settings.loopResources) {
			return;
		}
		try {
			this.loops.disposeLater(Duration.ZERO, timeout).block(timeout);
		}
		catch (RuntimeException ex) {
			logger.warn("The event loops of the Callosum server have not ended: " + ex.getMessage());
		}
	}

	/**
	 * Publish an event on a thread of its own, so that a listener that never returns does
	 * not keep the server from stopping.
	 */
	private void publishInTime(CallosumServerEvent event) {
		CountDownLatch published = new CountDownLatch(1);
		Thread thread = new Thread(() -> {
			try {
				this.events.publishAndReport(event, null);
			}
			finally {
				published.countDown();
			}
		}, "callosum-server-events");
		thread.setDaemon(true);
		try {
			thread.start();
		}
		catch (OutOfMemoryError ex) {
			// No thread is to be had: the stop goes on all the same
			thread.run();
		}
		if (!await(published, LISTENER_TIMEOUT)) {
			logger.warn("A listener of " + event.getClass().getSimpleName() + " has not returned within "
					+ LISTENER_TIMEOUT.toSeconds() + " s");
		}
	}

	private boolean waitUntil(BooleanSupplier condition, @Nullable LongSupplier deadline) {
		boolean interrupted = false;
		try {
			synchronized (this.monitor) {
				while (!condition.getAsBoolean()) {
					long nanos = (deadline != null) ? deadline.getAsLong() - System.nanoTime() : Long.MAX_VALUE;
					if (nanos <= 0) {
						return false;
					}
					try {
						// Who waits without a deadline is notified
						TimeUnit.NANOSECONDS.timedWait(this.monitor,
								(deadline != null) ? Math.min(nanos, POLL_NANOS) : nanos);
					}
					catch (InterruptedException ex) {
						interrupted = true;
					}
				}
				return true;
			}
		}
		finally {
			if (interrupted) {
				Thread.currentThread().interrupt();
			}
		}
	}

	/**
	 * Wait for a latch, also on a thread that is interrupted: who stops the server relies
	 * on its end, and all that a stop waits for has a time-out of its own.
	 */
	private static boolean await(CountDownLatch latch, @Nullable Duration timeout) {
		long deadline = System.nanoTime() + ((timeout != null) ? timeout.toNanos() : Long.MAX_VALUE / 2);
		boolean interrupted = false;
		try {
			while (true) {
				try {
					return latch.await(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
				}
				catch (InterruptedException ex) {
					interrupted = true;
				}
			}
		}
		finally {
			if (interrupted) {
				Thread.currentThread().interrupt();
			}
		}
	}

	/**
	 * Durations that never end are cut to half the range of nanoTime, whose differences
	 * are compared.
	 * @param duration a duration, or {@code null} for 0
	 */
	static long nanos(@Nullable Duration duration) {
		if (duration == null) {
			return 0;
		}
		Duration longest = Duration.ofNanos(Long.MAX_VALUE / 2);
		return ((duration.compareTo(longest) < 0) ? duration : longest).toNanos();
	}

	private static String transport(Channel channel) {
		String name = channel.getClass().getSimpleName();
		return name.startsWith("Nio") ? "NIO" : name.replace("ServerSocketChannel", "").toLowerCase(Locale.ROOT);
	}

	/**
	 * Tells of what Reactor Netty keeps to itself: accepting fails, mostly because there
	 * are no more file descriptors. It tries again after a second.
	 */
	private final class AcceptFailureHandler extends ChannelInboundHandlerAdapter {

		@Override
		public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
			ServerRun.this.events.report(ErrorKind.ACCEPT, cause, null);
			ctx.fireExceptionCaught(cause);
		}

	}

}
