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
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;

import io.netty.channel.EventLoop;
import io.netty.util.concurrent.ScheduledFuture;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Operators;

import io.callosum.transport.Channels;

/**
 * Runs the {@link ConnectionInitializer} of a connection, for a limited time. Signals
 * after the end are ignored: if an initializer closes its lease and then fails, that is
 * not reported as a dropped error.
 */
final class Initialization implements CoreSubscriber<Void> {

	private final TcpConnection connection;

	private final EventLoop eventLoop;

	private final PoolMember member;

	private final Operators.DeferredSubscription subscription = new Operators.DeferredSubscription();

	private final AtomicBoolean ended = new AtomicBoolean();

	private @Nullable ScheduledFuture<?> timeout;

	Initialization(TcpConnection connection, PoolMember member) {
		this.connection = connection;
		this.eventLoop = connection.channel().eventLoop();
		this.member = member;
	}

	/**
	 * Start the initializer. Event loop.
	 * @param initializer the initializer
	 * @param lease the first lease of the connection
	 * @param timeout how long the initializer may take
	 */
	void start(ConnectionInitializer initializer, TcpLease lease, Duration timeout) {
		assert this.eventLoop.inEventLoop();
		this.timeout = this.eventLoop
			.schedule(
					() -> this.connection.close(CloseReason.INITIALIZER_FAILED,
							new TimeoutException(
									"The initializer did not complete within " + timeout.toMillis() + " ms")),
					Channels.nanos(timeout), TimeUnit.NANOSECONDS);
		this.subscription.request(Long.MAX_VALUE);
		Flux.defer(() -> initializer.initialize(lease)).subscribe(this);
	}

	/**
	 * Cancel the initializer, unless it has ended.
	 */
	void cancel() {
		if (end()) {
			this.subscription.cancel();
		}
	}

	@Override
	public void onSubscribe(Subscription subscription) {
		this.subscription.set(subscription);
	}

	@Override
	public void onNext(Void nothing) {
	}

	@Override
	public void onComplete() {
		if (end()) {
			Channels.run(this.connection.channel(), () -> this.connection.initialized(this.member));
		}
	}

	@Override
	public void onError(Throwable error) {
		if (end()) {
			this.connection.close(CloseReason.INITIALIZER_FAILED, error);
		}
	}

	/**
	 * End the initialization, and return whether this call was the first to end it.
	 */
	private boolean end() {
		if (!this.ended.compareAndSet(false, true)) {
			return false;
		}
		ScheduledFuture<?> timeout = this.timeout;
		if (timeout != null) {
			timeout.cancel(false);
		}
		return true;
	}

}
