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
import java.util.Objects;
import java.util.concurrent.CountDownLatch;

import org.jspecify.annotations.Nullable;

/**
 * Leases a connection on a thread that may block.
 */
final class BlockingAcquire extends Waiter {

	private final CallosumClient client;

	private final Duration timeout;

	private final @Nullable LeakTrace trace;

	private final CountDownLatch done = new CountDownLatch(1);

	private volatile @Nullable Member member;

	private volatile @Nullable LeaseUnavailableException failure;

	BlockingAcquire(CallosumClient client, Duration timeout) {
		this.client = client;
		this.timeout = timeout;
		this.trace = LeakTrace.create(client.settings());
	}

	<T extends @Nullable Object, E extends Exception> T execute(LeaseCallback<T, E> callback) throws E {
		ClientRun run = this.client.run();
		if (run == null) {
			throw AcquireFailures.notStarted(this.client.settings());
		}
		run.pool().acquire(this, PoolSettings.nanos(this.timeout));
		Member member = await(run);
		PooledLease lease = member.connection.lease();
		if (this.trace != null) {
			this.trace.begin(run, member);
		}
		return execute(callback, lease, member.connection);
	}

	private Member await(ClientRun run) {
		try {
			this.done.await();
		}
		catch (InterruptedException ex) {
			if (!run.pool().cancel(this)) {
				awaitOutcome();
				Member member = this.member;
				if (member != null) {
					run.pool().unused(member);
				}
			}
			Thread.currentThread().interrupt();
			throw new IllegalStateException("Interrupted while waiting for a connection", ex);
		}
		LeaseUnavailableException failure = this.failure;
		if (failure != null) {
			// With the stack trace of this thread
			throw new LeaseUnavailableException(failure.getReason(), failure.getMessage(), failure.getCause());
		}
		return Objects.requireNonNull(this.member);
	}

	/**
	 * Wait for the outcome that another thread is about to report.
	 */
	private void awaitOutcome() {
		while (this.done.getCount() > 0) {
			Thread.onSpinWait();
		}
	}

	private static <T extends @Nullable Object, E extends Exception> T execute(LeaseCallback<T, E> callback,
			PooledLease lease, PooledConnection connection) throws E {
		T result;
		try {
			result = callback.doWithLease(lease);
		}
		catch (Throwable ex) {
			ConnectionLostException lost = LeaseSubscription.lost(lease, connection, ex);
			LeaseSubscription.discard(lease, ex);
			if (lost != null && lost != ex) {
				lost.addSuppressed(ex);
				throw BlockingAcquire.<E>unchecked(lost);
			}
			throw ex;
		}
		ConnectionLostException lost = (result == null) ? lease.lost() : null;
		lease.release();
		if (lost != null) {
			throw BlockingAcquire.<E>unchecked(lost);
		}
		return result;
	}

	/**
	 * Cast an exception that the callback does not declare, so that it can be thrown.
	 */
	@SuppressWarnings("unchecked")
	private static <E extends Exception> E unchecked(ConnectionLostException exception) {
		return (E) exception;
	}

	@Override
	void acquired(Member member) {
		this.member = member;
		this.done.countDown();
	}

	@Override
	void failed(LeaseUnavailableException failure) {
		this.failure = failure;
		this.done.countDown();
	}

}
