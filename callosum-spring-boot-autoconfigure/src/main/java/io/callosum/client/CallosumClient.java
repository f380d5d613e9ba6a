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

import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Function;
import java.util.function.Supplier;

import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.netty.resources.LoopResources;
import reactor.netty.tcp.SslProvider;

import org.springframework.context.ApplicationEventPublisher;
import org.springframework.util.Assert;

import io.callosum.transport.KeepAlive;

/**
 * A pool of connections to the servers of a service, which keeps those with the lowest
 * slots and keeps looking for lower ones.
 * <p>
 * A client can be started and stopped any number of times. All methods may be called from
 * any thread.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public class CallosumClient {

	private final ClientSettings settings;

	private final List<CallosumClientInterceptor> interceptors = new CopyOnWriteArrayList<>();

	private final ClientRuns runs;

	/**
	 * Create a client.
	 * @param settings the settings
	 * @param transportFactory opens the network
	 */
	CallosumClient(ClientSettings settings, ClientTransport.Factory transportFactory) {
		this.settings = settings;
		this.runs = new ClientRuns(settings, transportFactory);
	}

	/**
	 * Create a builder of a client.
	 * @return a builder with the defaults
	 */
	public static Builder builder() {
		return new Builder();
	}

	/**
	 * Return the name of the client.
	 * @return the name
	 */
	public String name() {
		return this.settings.name();
	}

	/**
	 * Start the client: it begins to dial. Does not wait for a connection. Does nothing
	 * if the client is running. A stop in progress still waits for its leases.
	 */
	public void start() {
		this.runs.start(this);
	}

	/**
	 * Stop the client at once: pending acquires fail, and all connections are closed,
	 * leased ones too.
	 */
	public void stop() {
		stop(Duration.ZERO);
	}

	/**
	 * Stop the client: pending acquires fail and idle connections are closed at once, and
	 * leases have until the timeout to end. Returns when all connections are closed. On
	 * an event loop or in a listener, this method only initiates the stop.
	 * @param timeout how long leases may last; then their connections are closed
	 */
	public void stop(Duration timeout) {
		Assert.notNull(timeout, "'timeout' must not be null");
		Assert.isTrue(!timeout.isNegative(), "'timeout' must not be negative");
		this.runs.stop(timeout);
	}

	/**
	 * Return whether the client is running.
	 * @return {@code true} from the start until all connections are closed
	 */
	public boolean isRunning() {
		return this.runs.current() != null;
	}

	/**
	 * Lease a connection, within the acquire timeout.
	 * @return the lease
	 * @see #acquire(Duration)
	 */
	public Mono<CallosumLease> acquire() {
		return acquire(this.settings.acquireTimeout());
	}

	/**
	 * Lease a connection. The subscriber must end a lease that has reached it; if it
	 * cancels before that, the connection stays in the pool. Pass the timeout here: a
	 * timeout further down the chain may drop a lease that arrives at the same moment.
	 * {@link #exchange}, {@link #use} and {@link #execute} cannot lose a lease.
	 * @param timeout the maximum total time to wait, in the queue and for a new
	 * connection; 0 to not wait
	 * @return the lease; fails with {@link LeaseUnavailableException} if there is none
	 */
	public Mono<CallosumLease> acquire(Duration timeout) {
		Assert.notNull(timeout, "'timeout' must not be null");
		Assert.isTrue(!timeout.isNegative(), "'timeout' must not be negative");
		return new AcquireMono(this, timeout);
	}

	/**
	 * Lease a connection for one answer. If the function's {@code Mono} completes, the
	 * lease is released, and then the answer is emitted, so nothing that the caller does
	 * with the answer holds the connection. If it fails or is cancelled, the lease is
	 * discarded. Nothing is retried.
	 * <p>
	 * If the connection ends before there is an answer, the exchange fails with
	 * {@link ConnectionLostException}, even if the function fails with another error.
	 * <p>
	 * Apply a timeout inside the function: if it elapses after something was sent and
	 * before the first byte of the answer, it counts against the server, so a server that
	 * no longer answers is ejected. A timeout on the returned {@code Mono} only cancels.
	 * @param <T> the type of the answer
	 * @param exchange the function that uses the lease and must not keep it
	 * @return the answer, or empty if the function's {@code Mono} is
	 */
	public <T> Mono<T> exchange(Function<? super CallosumLease, ? extends Mono<? extends T>> exchange) {
		Assert.notNull(exchange, "'exchange' must not be null");
		Mono<T> decorated = new ExchangeMono<>(this, exchange);
		for (CallosumClientInterceptor interceptor : this.interceptors) {
			decorated = interceptor.exchange(this, decorated);
		}
		return decorated;
	}

	/**
	 * Lease a connection for a stream. If the function's publisher completes, the lease
	 * is released before the completion is signaled. If it fails or is cancelled, for
	 * example by an operator such as {@code take}, the lease is discarded. Timeouts are
	 * handled as in {@link #exchange}.
	 * @param <T> the type of the elements
	 * @param use the function that uses the lease and must not keep it
	 * @return the stream
	 */
	public <T> Flux<T> use(Function<? super CallosumLease, ? extends Publisher<? extends T>> use) {
		Assert.notNull(use, "'use' must not be null");
		Flux<T> decorated = new UseFlux<>(this, use);
		for (CallosumClientInterceptor interceptor : this.interceptors) {
			decorated = interceptor.use(this, decorated);
		}
		return decorated;
	}

	/**
	 * Lease a connection for blocking code, on a platform or a virtual thread. If the
	 * callback returns, the lease is released; if it throws, the lease is discarded. A
	 * timeout that it throws counts as in {@link #exchange}. Nothing is retried.
	 * <p>
	 * If the connection ends before there is a result, that is, before the callback
	 * returns something other than {@code null}, this method throws
	 * {@link ConnectionLostException}, even if the callback throws something else and
	 * {@code E} does not include this checked exception.
	 * @param <T> the type of the result
	 * @param <E> the type of the checked exception
	 * @param callback the callback that uses the lease and must not keep it
	 * @return the result
	 * @throws E if the callback fails
	 * @throws LeaseUnavailableException if there is no connection within the acquire
	 * timeout
	 * @throws IllegalStateException if the current thread must not block, or is
	 * interrupted while it waits
	 */
	public <T extends @Nullable Object, E extends Exception> T execute(LeaseCallback<T, E> callback) throws E {
		Assert.notNull(callback, "'callback' must not be null");
		Assert.state(!Schedulers.isInNonBlockingThread(),
				"CallosumClient.execute() blocks and must not be called on an event loop or another thread that"
						+ " must not block; use exchange() there");
		CallosumClientInterceptor.Execution<T, E> decorated = () -> new BlockingAcquire(this,
				this.settings.acquireTimeout())
			.execute(callback);
		for (CallosumClientInterceptor interceptor : this.interceptors) {
			decorated = interceptor.execute(this, decorated);
		}
		return decorated.execute();
	}

	/**
	 * Return a snapshot of the current state of the client.
	 * @return a snapshot
	 */
	public ClientSnapshot snapshot() {
		ClientRun run = run();
		return (run != null) ? run.pool().snapshot() : new ClientSnapshot(name(), ClientSnapshot.State.STOPPED,
				this.settings.poolSize(), 0, List.of(), List.of());
	}

	ClientSettings settings() {
		return this.settings;
	}

	/**
	 * Return the current run, which may be stopping, or {@code null} if there is none.
	 */
	@Nullable ClientRun run() {
		return this.runs.current();
	}

	/**
	 * Add a metrics recorder to the existing ones. If the client is running, the recorder
	 * is used from now on.
	 * @param recorder the recorder
	 */
	public void addMetricsRecorder(CallosumClientMetricsRecorder recorder) {
		Assert.notNull(recorder, "'recorder' must not be null");
		this.settings.metricsRecorder().add(recorder);
	}

	/**
	 * Add an interceptor. It decorates all calls made from now on, and wraps the
	 * interceptors that were added before it.
	 * @param interceptor the interceptor
	 */
	public void addInterceptor(CallosumClientInterceptor interceptor) {
		Assert.notNull(interceptor, "'interceptor' must not be null");
		this.interceptors.add(interceptor);
	}

	@Override
	public String toString() {
		return "CallosumClient[name=" + name() + "]";
	}

	/**
	 * Builds a {@link CallosumClient}. A builder may be used several times; changing it
	 * does not affect clients that it has built. Not thread-safe.
	 */
	public static final class Builder {

		private static final Duration SHORTEST_INTERVAL = Duration.ofMillis(10);

		private final ClientSettings.Draft draft = new ClientSettings.Draft();

		private Builder() {
		}

		/**
		 * Set the name of the client, which appears in messages, meters and the snapshot.
		 * @param name the name; the default is {@code default}
		 * @return this builder
		 */
		public Builder name(String name) {
			Assert.hasText(name, "'name' must not be empty");
			this.draft.name = name;
			return this;
		}

		/**
		 * Set where to look for servers. Replaces what was set before.
		 * @param servers one or more addresses
		 * @return this builder
		 */
		public Builder servers(ServerAddress... servers) {
			Assert.notEmpty(servers, "'servers' must not be empty");
			Assert.noNullElements(servers, "'servers' must not contain null");
			this.draft.servers = Mono.just(List.of(servers));
			return this;
		}

		/**
		 * Set where to look for servers. Replaces what was set before.
		 * @param servers emits a complete list on each change; subscribed to on each
		 * start. After an empty list, an error or completion, the last list is kept
		 * @return this builder
		 */
		public Builder servers(Publisher<? extends Collection<ServerAddress>> servers) {
			Assert.notNull(servers, "'servers' must not be null");
			this.draft.servers = servers;
			return this;
		}

		/**
		 * Set how many connections the pool has.
		 * @param poolSize the number, 1 or more; the default is 10
		 * @return this builder
		 */
		public Builder poolSize(int poolSize) {
			Assert.isTrue(poolSize > 0, "'poolSize' must be 1 or more");
			this.draft.poolSize = poolSize;
			return this;
		}

		/**
		 * Set how many connections are dialled concurrently while the pool is not full.
		 * @param fillConcurrency the number, 1 or more; the default is 4
		 * @return this builder
		 */
		public Builder fillConcurrency(int fillConcurrency) {
			Assert.isTrue(fillConcurrency > 0, "'fillConcurrency' must be 1 or more");
			this.draft.fillConcurrency = fillConcurrency;
			return this;
		}

		/**
		 * Set how often the client looks for a lower slot. Each interval varies at random
		 * by up to 20 percent.
		 * @param rovingInterval the interval, 10 milliseconds or more; the default is 5
		 * seconds
		 * @return this builder
		 */
		public Builder rovingInterval(Duration rovingInterval) {
			Assert.notNull(rovingInterval, "'rovingInterval' must not be null");
			Assert.isTrue(rovingInterval.compareTo(SHORTEST_INTERVAL) >= 0,
					"'rovingInterval' must be 10 milliseconds or more");
			this.draft.rovingInterval = rovingInterval;
			return this;
		}

		/**
		 * Set whether the client prefers to spread its connections over as many servers
		 * as possible.
		 * @param spread whether to spread; the default is {@code true}
		 * @return this builder
		 */
		public Builder spread(boolean spread) {
			this.draft.spread = spread;
			return this;
		}

		/**
		 * Set how long connecting may take, including TLS.
		 * @param connectTimeout the timeout, more than 0; the default is 2 seconds
		 * @return this builder
		 */
		public Builder connectTimeout(Duration connectTimeout) {
			this.draft.connectTimeout = ClientSettings.positive("connectTimeout", connectTimeout);
			return this;
		}

		/**
		 * Set how long a server may take to send its slot line, once connected.
		 * @param slotTimeout the timeout, more than 0; the default is 2 seconds
		 * @return this builder
		 */
		public Builder slotTimeout(Duration slotTimeout) {
			this.draft.slotTimeout = ClientSettings.positive("slotTimeout", slotTimeout);
			return this;
		}

		/**
		 * Set the maximum time that an acquire waits for a connection.
		 * @param acquireTimeout the timeout, more than 0; the default is 5 seconds
		 * @return this builder
		 */
		public Builder acquireTimeout(Duration acquireTimeout) {
			this.draft.acquireTimeout = ClientSettings.positive("acquireTimeout", acquireTimeout);
			return this;
		}

		/**
		 * Set the maximum number of acquires that wait. Further acquires fail at once.
		 * @param maxPendingAcquires the number, or 0 to never wait; the default is 1000
		 * @return this builder
		 */
		public Builder maxPendingAcquires(int maxPendingAcquires) {
			Assert.isTrue(maxPendingAcquires >= 0, "'maxPendingAcquires' must be 0 or more");
			this.draft.maxPendingAcquires = maxPendingAcquires;
			return this;
		}

		/**
		 * Set which idle connection is leased.
		 * @param leasePolicy the policy; the default is {@link LeasePolicy#LOWEST_SLOT}
		 * @return this builder
		 */
		public Builder leasePolicy(LeasePolicy leasePolicy) {
			Assert.notNull(leasePolicy, "'leasePolicy' must not be null");
			this.draft.leasePolicy = leasePolicy;
			return this;
		}

		/**
		 * Set when a server that accepts connections but fails afterwards is ejected: its
		 * connections are closed, and no new ones are opened for a while. The default is
		 * 3 failures, 1 second, 120 seconds and 50 percent.
		 * @param failures the number of consecutive failures that eject a server, 1 or
		 * more
		 * @param minTime the duration of the first ejection, more than 0; each further
		 * one lasts 1.6 times as long
		 * @param maxTime the maximum duration, at least {@code minTime}
		 * @param maxPercent the maximum percentage of servers that are ejected at the
		 * same time, 1 to 100; the last available server is never ejected
		 * @return this builder
		 */
		public Builder ejection(int failures, Duration minTime, Duration maxTime, int maxPercent) {
			this.draft.ejection = new ClientSettings.Ejection(failures, minTime, maxTime, maxPercent);
			return this;
		}

		/**
		 * Never eject a server.
		 * @return this builder
		 */
		public Builder noEjection() {
			this.draft.ejection = null;
			return this;
		}

		/**
		 * Set the maximum age of a connection, reduced at random by up to 10 percent. The
		 * replacement is dialled first, and a lease is not cut short.
		 * @param maxAge the age, more than 0, or {@code null} for no limit, which is the
		 * default
		 * @return this builder
		 */
		public Builder maxAge(@Nullable Duration maxAge) {
			this.draft.maxAge = (maxAge != null) ? ClientSettings.positive("maxAge", maxAge) : null;
			return this;
		}

		/**
		 * Set how long a lease may be held before it is logged, with the stack trace of
		 * its acquire.
		 * @param leakDetectionThreshold the threshold, more than 0, or {@code null} for
		 * none, which is the default
		 * @return this builder
		 */
		public Builder leakDetectionThreshold(@Nullable Duration leakDetectionThreshold) {
			this.draft.leakDetectionThreshold = (leakDetectionThreshold != null)
					? ClientSettings.positive("leakDetectionThreshold", leakDetectionThreshold) : null;
			return this;
		}

		/**
		 * Use TLS. The slot line comes after the handshake, and the name by which the
		 * server was found is verified unless the {@code SslProvider} says otherwise.
		 * @param sslProvider called for each dial, on an event loop; must not block.
		 * {@code null} for no TLS, which is the default
		 * @return this builder
		 */
		public Builder sslProvider(@Nullable Supplier<SslProvider> sslProvider) {
			this.draft.sslProvider = sslProvider;
			return this;
		}

		/**
		 * Set the initializer of new connections.
		 * @param initializer the initializer
		 * @return this builder
		 */
		public Builder initializer(ConnectionInitializer initializer) {
			Assert.notNull(initializer, "'initializer' must not be null");
			this.draft.initializer = initializer;
			return this;
		}

		/**
		 * Add a customizer of the Reactor Netty client. Customizers are called in the
		 * order in which they were added.
		 * @param customizer the customizer
		 * @return this builder
		 */
		public Builder customizer(CallosumTcpClientCustomizer customizer) {
			Assert.notNull(customizer, "'customizer' must not be null");
			this.draft.customizers.add(customizer);
			return this;
		}

		/**
		 * Set the event publisher.
		 * @param eventPublisher the publisher, such as an application context or a lambda
		 * @return this builder
		 */
		public Builder eventPublisher(ApplicationEventPublisher eventPublisher) {
			Assert.notNull(eventPublisher, "'eventPublisher' must not be null");
			this.draft.eventPublisher = eventPublisher;
			return this;
		}

		/**
		 * Set the metrics recorder.
		 * @param metricsRecorder the recorder
		 * @return this builder
		 */
		public Builder metricsRecorder(CallosumClientMetricsRecorder metricsRecorder) {
			Assert.notNull(metricsRecorder, "'metricsRecorder' must not be null");
			this.draft.metricsRecorder = metricsRecorder;
			return this;
		}

		/**
		 * Set whether to use a native transport, such as epoll, if one is available.
		 * @param nativeTransport {@code false} for NIO; the default is {@code true}
		 * @return this builder
		 */
		public Builder nativeTransport(boolean nativeTransport) {
			this.draft.nativeTransport = nativeTransport;
			return this;
		}

		/**
		 * Set the event loops to use. The client does not dispose them.
		 * @param loopResources the event loops
		 * @return this builder
		 */
		public Builder loopResources(LoopResources loopResources) {
			Assert.notNull(loopResources, "'loopResources' must not be null");
			this.draft.loopResources = loopResources;
			return this;
		}

		/**
		 * Set TCP keep-alive, which detects that a server has vanished while a connection
		 * is idle. The default is 60 seconds, 10 seconds and 3.
		 * @param idle how long a connection is idle before the first probe, 1 second to 9
		 * hours
		 * @param interval the time between two probes, 1 second to 9 hours
		 * @param count the number of unanswered probes before the connection is closed, 1
		 * to 127
		 * @return this builder
		 */
		public Builder keepAlive(Duration idle, Duration interval, int count) {
			this.draft.keepAlive = new KeepAlive(idle, interval, count);
			return this;
		}

		/**
		 * Disable TCP keep-alive.
		 * @return this builder
		 */
		public Builder noKeepAlive() {
			this.draft.keepAlive = null;
			return this;
		}

		/**
		 * Set when a host name is resolved again: after the time to live of the DNS
		 * answer, but not before the minimum and not after the maximum.
		 * @param min the minimum, more than 0; the default is 5 seconds
		 * @param max the maximum, at least the minimum; the default is 30 seconds
		 * @return this builder
		 */
		public Builder dnsTimeToLive(Duration min, Duration max) {
			ClientSettings.positive("min", min);
			ClientSettings.positive("max", max);
			Assert.isTrue(max.compareTo(min) >= 0, "'max' must not be less than 'min'");
			this.draft.minTimeToLive = min;
			this.draft.maxTimeToLive = max;
			return this;
		}

		/**
		 * Build a client. It is not started.
		 * @return a new client
		 * @throws IllegalStateException if no servers have been set
		 */
		public CallosumClient build() {
			return new CallosumClient(settings(), TcpTransport::open);
		}

		ClientSettings settings() {
			return this.draft.toSettings();
		}

	}

}
