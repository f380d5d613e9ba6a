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
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import reactor.core.Disposable;
import reactor.core.Disposables;
import reactor.core.publisher.Flux;
import reactor.core.scheduler.Schedulers;

import org.springframework.context.ApplicationEventPublisher;

import io.callosum.client.CallosumClientMetricsRecorder.AcquireOutcome;
import io.callosum.client.CallosumClientMetricsRecorder.DialOutcome;
import io.callosum.client.CallosumClientMetricsRecorder.LeaseOutcome;
import io.callosum.transport.ThrottledLog;

/**
 * A run of a client, from start to stop: its pool, its network, and the delivery of its
 * events and metrics to the application.
 */
final class ClientRun implements PoolObserver {

	private static final Log logger = LogFactory.getLog(CallosumClient.class);

	/**
	 * How long a stop waits for connections to be closed, which takes no time unless
	 * application code blocks an event loop.
	 */
	private static final Duration PATIENCE = Duration.ofSeconds(10);

	private static final ThrottledLog listenerLog = new ThrottledLog(logger::error);

	private final CallosumClient client;

	private final ClientSettings settings;

	private final MetricsRecorders recorders;

	private final ClientTransport transport;

	private final Consumer<ClientRun> onEnd;

	private final ConnectionPool pool;

	private final Disposable.Swap servers = Disposables.swap();

	private final Disposable.Swap drain = Disposables.swap();

	private volatile boolean stopping;

	private final CountDownLatch terminated = new CountDownLatch(1);

	/**
	 * Create a run, and open the network.
	 */
	ClientRun(CallosumClient client, ClientSettings settings, ClientTransport transport, Consumer<ClientRun> onEnd) {
		this.client = client;
		this.settings = settings;
		this.recorders = settings.metricsRecorder();
		this.transport = transport;
		this.onEnd = onEnd;
		this.pool = new ConnectionPool(PoolSettings.of(settings), transport.dialler(), transport.timers(),
				new SplittableRandom(), this);
	}

	ConnectionPool pool() {
		return this.pool;
	}

	Timers timers() {
		return this.transport.timers();
	}

	boolean isStopping() {
		return this.stopping;
	}

	void start() {
		this.recorders.update(this.client);
		this.pool.start();
		this.servers.update(Flux.from(this.transport.servers())
			.subscribe((addresses) -> this.pool.servers(ServerList.of(addresses)), (error) -> logger
				.warn("The list of servers of the client '" + this.settings.name() + "' is no longer updated", error)));
	}

	/**
	 * Stop.
	 * @param timeout how long leases may last; then their connections are closed
	 */
	void stop(Duration timeout) {
		this.stopping = true;
		this.servers.dispose();
		this.pool.stop(timeout.isZero());
		if (!timeout.isZero()) {
			this.drain
				.replace(this.transport.timers().schedule(() -> this.pool.stop(true), PoolSettings.nanos(timeout)));
			if (this.terminated.getCount() == 0) {
				this.drain.dispose();
			}
		}
	}

	/**
	 * Wait for the end, unless the current thread must not wait.
	 * @param timeout the timeout that was passed to {@link #stop}
	 */
	void awaitTermination(Duration timeout) {
		if (Schedulers.isInNonBlockingThread() || this.pool.isNotifying()) {
			return;
		}
		try {
			Duration patience = timeout.plus(PATIENCE);
			if (!this.terminated.await(PoolSettings.nanos(patience), TimeUnit.NANOSECONDS)) {
				logger.warn("The client '" + this.settings.name() + "' could not close all connections within "
						+ patience.toMillis() + " ms");
			}
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
		}
	}

	@Override
	public void terminated() {
		this.drain.dispose();
		this.transport.close();
		this.onEnd.accept(this);
		this.recorders.update(this.client);
		this.terminated.countDown();
	}

	@Override
	public void acquireEnded(long nanos, AcquireOutcome outcome) {
		if (!this.recorders.isEmpty()) {
			this.recorders.acquireEnded(Duration.ofNanos(nanos), outcome);
		}
	}

	@Override
	public void leaseEnded(long nanos, LeaseOutcome outcome) {
		if (!this.recorders.isEmpty()) {
			this.recorders.leaseEnded(Duration.ofNanos(nanos), outcome);
		}
	}

	@Override
	public void dialEnded(long nanos, DialOutcome outcome) {
		if (!this.recorders.isEmpty()) {
			this.recorders.dialEnded(Duration.ofNanos(nanos), outcome);
		}
	}

	@Override
	public void connectionReady(Member member) {
		if (logger.isDebugEnabled()) {
			logger.debug("Connection " + member.id + " of the client '" + this.settings.name() + "' to " + member.server
					+ " is ready, slot " + member.slot);
		}
		publish(new ConnectionReadyEvent(this.client, member.id, member.slot, member.server.address));
	}

	@Override
	public void connectionClosed(Member member, CloseReason reason) {
		if (logger.isDebugEnabled()) {
			logger.debug("Connection " + member.id + " of the client '" + this.settings.name() + "' to " + member.server
					+ " is closed, slot " + member.slot + ", reason " + reason);
		}
		this.recorders.connectionClosed(reason);
		publish(new ConnectionClosedEvent(this.client, member.id, member.slot, member.server.address, reason));
	}

	@Override
	public void serverUnreachable(InetSocketAddress server) {
		publish(new ServerUnreachableEvent(this.client, server));
	}

	@Override
	public void serverEjected(InetSocketAddress server) {
		publish(new ServerEjectedEvent(this.client, server));
	}

	@Override
	public void serverRestored(InetSocketAddress server) {
		publish(new ServerRestoredEvent(this.client, server));
	}

	private void publish(CallosumClientEvent event) {
		ApplicationEventPublisher publisher = this.settings.eventPublisher();
		if (publisher == null) {
			return;
		}
		try {
			publisher.publishEvent(event);
		}
		catch (Throwable ex) {
			listenerLog.log("A listener of " + event.getClass().getSimpleName() + " failed", ex);
		}
	}

}
