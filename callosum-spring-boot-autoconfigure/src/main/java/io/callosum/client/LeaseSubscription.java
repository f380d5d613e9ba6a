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

import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;

import org.jspecify.annotations.Nullable;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Operators;
import reactor.netty.channel.AbortedException;

/**
 * A subscription that acquires a lease on the first request. If it is cancelled before
 * the lease has been acquired, no lease is handed out.
 *
 * @param <T> what is emitted
 */
abstract class LeaseSubscription<T> extends Waiter implements Subscription {

	@SuppressWarnings("rawtypes")
	private static final AtomicIntegerFieldUpdater<LeaseSubscription> PHASE = AtomicIntegerFieldUpdater
		.newUpdater(LeaseSubscription.class, "phase");

	private static final int NEW = 0;

	private static final int ACQUIRING = 1;

	private static final int LEASED = 2;

	private static final int ENDED = 3;

	final CoreSubscriber<? super T> actual;

	private final CallosumClient client;

	private final Duration timeout;

	private final @Nullable LeakTrace trace;

	private volatile int phase;

	/**
	 * Written before the phase leaves {@link #NEW}.
	 */
	private @Nullable ClientRun run;

	LeaseSubscription(CallosumClient client, Duration timeout, CoreSubscriber<? super T> actual) {
		this.client = client;
		this.timeout = timeout;
		this.actual = actual;
		this.trace = LeakTrace.create(client.settings());
	}

	@Override
	public void request(long n) {
		if (!Operators.validate(n)) {
			return;
		}
		requested(n);
		if (this.phase == NEW) {
			ClientRun run = this.client.run();
			this.run = run;
			if (!PHASE.compareAndSet(this, NEW, ACQUIRING)) {
				return;
			}
			if (run != null) {
				run.pool().acquire(this, PoolSettings.nanos(this.timeout));
			}
			else {
				failed(AcquireFailures.notStarted(this.client.settings()));
			}
		}
	}

	/**
	 * Something was requested.
	 */
	void requested(long n) {
	}

	@Override
	public void cancel() {
		int before = PHASE.getAndSet(this, ENDED);
		if (before == ACQUIRING) {
			ClientRun run = this.run;
			if (run != null) {
				run.pool().cancel(this);
			}
		}
		else if (before == LEASED) {
			cancelled();
		}
	}

	/**
	 * Cancelled while the lease is held.
	 */
	void cancelled() {
	}

	@Override
	final void acquired(Member member) {
		ClientRun run = Objects.requireNonNull(this.run);
		if (!PHASE.compareAndSet(this, ACQUIRING, LEASED)) {
			run.pool().unused(member);
			return;
		}
		PooledLease lease = member.connection.lease();
		if (this.trace != null) {
			this.trace.begin(run, member);
		}
		leased(lease, member);
	}

	/**
	 * The lease has been acquired. The subscription may already be cancelled.
	 */
	abstract void leased(PooledLease lease, Member member);

	/**
	 * Claim the right to end the lease and to signal the end.
	 * @return {@code false} if it was claimed before, for example by a cancel
	 */
	final boolean finish() {
		return PHASE.getAndSet(this, ENDED) != ENDED;
	}

	final Timers timers() {
		return Objects.requireNonNull(this.run).timers();
	}

	final boolean isOver() {
		return this.phase == ENDED;
	}

	@Override
	final void failed(LeaseUnavailableException failure) {
		if (finish()) {
			this.actual.onError(failure);
		}
	}

	/**
	 * Discard a lease whose borrower has failed. A timeout counts against the server if
	 * something was sent and no byte of an answer was received. Other failures need not
	 * be the server's fault: a call to another service may time out too.
	 */
	static void discard(PooledLease lease, Throwable error) {
		lease.discard((isTimeout(error) && lease.isUnanswered()) ? error : null);
	}

	private static boolean isTimeout(Throwable error) {
		return error instanceof TimeoutException || error instanceof SocketTimeoutException
				|| error instanceof io.netty.handler.timeout.TimeoutException;
	}

	/**
	 * Return how the connection was lost, or {@code null} if it was not lost before there
	 * was a result.
	 * @param error the error, possibly a consequence of the loss
	 */
	static @Nullable ConnectionLostException lost(PooledLease lease, PooledConnection connection,
			@Nullable Throwable error) {
		ConnectionLostException lost = lease.lost();
		if (lost == null && error != null) {
			if (error instanceof ConnectionLostException ex) {
				return ex;
			}
			if (AbortedException.isConnectionReset(error)) {
				lost = new ConnectionLostException("The connection was lost", !connection.hasAnswered(), error);
			}
		}
		return lost;
	}

}
