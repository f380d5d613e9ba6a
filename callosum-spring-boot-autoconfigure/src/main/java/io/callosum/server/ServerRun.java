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
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;

import io.netty.util.NetUtil;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import org.jspecify.annotations.Nullable;

import io.callosum.server.OpenConnections.Phase;
import io.callosum.transport.Channels;

/**
 * A {@link CallosumServer} from its start to its end, and the thread that stops it. Used
 * once.
 */
final class ServerRun {

	private static final Log logger = LogFactory.getLog(CallosumServer.class);

	/**
	 * How long a stop waits for listeners, and for event loops that they hold.
	 */
	private static final Duration LISTENER_TIMEOUT = Duration.ofSeconds(10);

	private static final long POLL_NANOS = TimeUnit.MILLISECONDS.toNanos(50);

	private static final Duration HELD_LOOP_TIMEOUT = Duration.ofMillis(500);

	private final CallosumServer server;

	private final ServerSettings settings;

	private final ServerEvents events;

	private final ServerLoops loops;

	private final OpenConnections connections;

	private final CountDownLatch bound = new CountDownLatch(1);

	private final CountDownLatch started = new CountDownLatch(1);

	private final CountDownLatch ended = new CountDownLatch(1);

	private final Object monitor = new Object();

	/**
	 * {@code null} before the port is bound: there may be no event loops yet.
	 */
	private volatile @Nullable EventLoopLag eventLoopLag;

	private volatile @Nullable ServerPort port;

	private volatile @Nullable RuntimeException bindFailure;

	/**
	 * When to stop draining, in terms of {@link System#nanoTime()}. Written under the
	 * monitor.
	 */
	private volatile long drainDeadline;

	/**
	 * Whether the run is over and only {@link ServerStoppedEvent} is still to be
	 * published.
	 */
	private volatile boolean over;

	ServerRun(CallosumServer server) {
		this.server = server;
		this.settings = server.settings();
		this.events = server.events();
		this.loops = new ServerLoops(this.settings);
		this.connections = new OpenConnections(server, this::notifyStop);
	}

	OpenConnections connections() {
		return this.connections;
	}

	Duration eventLoopLag() {
		EventLoopLag eventLoopLag = this.eventLoopLag;
		return (eventLoopLag != null) ? eventLoopLag.read() : Duration.ZERO;
	}

	boolean isStopping() {
		return this.connections.isStopping();
	}

	boolean hasEnded() {
		return this.over;
	}

	@Nullable InetSocketAddress address() {
		ServerPort port = this.port;
		return (port != null) ? port.address() : null;
	}

	/**
	 * Return whether the port is open. Something other than a stop may have closed it.
	 */
	boolean isListening() {
		ServerPort port = this.port;
		return port != null && !isStopping() && port.isOpen();
	}

	// Starting

	void start() {
		ServerPort port;
		try {
			port = ServerPort.bind(this.settings, this.loops, this.connections::accepted,
					(cause) -> this.events.report(ErrorKind.ACCEPT, cause, null));
			this.port = port;
			this.eventLoopLag = new EventLoopLag(this.loops.executors());
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
			this.connections.stopping();
			if (this.port != null) {
				this.port.close();
			}
			this.loops.dispose(ServerLoops.TIMEOUT);
			end();
			if (ex instanceof Error error) {
				throw error;
			}
			throw failure;
		}
		this.bound.countDown();
		DirectMemory.verifyLimit(logger, this.settings.idleTimeout);
		logger.info("Callosum server started on " + NetUtil.toSocketAddressString(port.address()) + " ("
				+ port.transport() + PortProtection.describe(port.sslProvider(), this.settings.maxConnections,
						this.settings.maxConnectionsPerAddress, this.settings.allowedAddresses)
				+ ")");
		this.events.publishAndReport(new ServerStartedEvent(this.server), null);
		this.started.countDown();
		if (!isStopping()) {
			port.accept();
		}
	}

	/**
	 * Wait until another thread has bound the server.
	 */
	void awaitBound(boolean inUserCode) {
		if (!inUserCode) {
			await(this.bound, ServerPort.BIND_TIMEOUT);
		}
		RuntimeException bindFailure = this.bindFailure;
		if (bindFailure != null) {
			throw bindFailure;
		}
	}

	// Stopping

	/**
	 * Begin to stop, or shorten the drain if the stop has already begun.
	 */
	void stop(Duration timeout) {
		long deadline = System.nanoTime() + Channels.nanos(timeout);
		synchronized (this.monitor) {
			if (!isStopping() || deadline - this.drainDeadline < 0) {
				this.drainDeadline = deadline;
			}
			this.connections.stopping();
			this.monitor.notifyAll();
		}
	}

	private void notifyStop() {
		synchronized (this.monitor) {
			this.monitor.notifyAll();
		}
	}

	void awaitEnd() {
		await(this.ended, null);
	}

	/**
	 * Wait for a stop, and carry it out. Run by the thread of the server.
	 */
	private void awaitAndStop() {
		waitUntil(this::isStopping, null);
		await(this.started, LISTENER_TIMEOUT);
		try {
			closeEverything();
		}
		catch (Throwable ex) {
			// Also an Error: without this thread, callers that wait for the end would
			// wait forever
			logger.error("The Callosum server did not stop cleanly", ex);
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
		ServerPort port = this.port;
		if (port != null) {
			port.close();
		}
		publishInTime(new ServerStoppingEvent(this.server));
		long passing = System.nanoTime();
		this.loops.passThrough();
		long listenerTimeout = LISTENER_TIMEOUT.toNanos() - (System.nanoTime() - passing);
		int open = this.connections.size();
		if (this.connections.progressStop(this.drainDeadline - System.nanoTime() > 0) == Phase.DRAINING) {
			logger.info("Draining " + open + " connections");
			if (!waitUntil(this.connections::isEmpty, () -> this.drainDeadline)) {
				logger.warn("Closing " + this.connections.size() + " of " + open
						+ " connections that did not drain in time; their answers are cut off");
			}
			this.connections.progressStop(false);
		}
		long deadline = System.nanoTime() + listenerTimeout;
		boolean inTime = waitUntil(() -> this.connections.progressStop(false) == Phase.CLOSED, () -> deadline);
		if (!inTime) {
			logger.warn("Stopping the Callosum server although listeners of " + this.connections.size()
					+ " connections have not returned within " + LISTENER_TIMEOUT.toSeconds() + " s");
		}
		// An event loop ends when its listener returns, which may be never
		this.loops.dispose(inTime ? ServerLoops.TIMEOUT : HELD_LOOP_TIMEOUT);
	}

	void end() {
		this.over = true;
		this.bound.countDown();
		this.server.ended(this);
		this.ended.countDown();
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
			// No thread can be created, but the stop must go on
			thread.run();
		}
		if (!await(published, LISTENER_TIMEOUT)) {
			logger.warn("A listener of " + event.getClass().getSimpleName() + " has not returned within "
					+ LISTENER_TIMEOUT.toSeconds() + " s");
		}
	}

	/**
	 * Wait for the end of a run.
	 * @param monitor the monitor that the caller holds
	 */
	static void awaitChange(Object monitor) {
		try {
			monitor.wait();
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
			throw new IllegalStateException("Interrupted while waiting for the server to stop", ex);
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
						// Without a deadline, a notification ends the wait
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
	 * Wait for a latch, even on a thread that is interrupted: callers of a stop rely on
	 * its end, and everything that a stop waits for has a timeout of its own.
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

}
