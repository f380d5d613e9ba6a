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

import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;

import io.callosum.client.CallosumClientMetricsRecorder.AcquireOutcome;
import io.callosum.client.CallosumClientMetricsRecorder.LeaseOutcome;
import org.jspecify.annotations.Nullable;

/**
 * The pool of a client from start to stop: its connections and its waiters. Its
 * {@link Rover} decides which connections it has. Knows neither the network nor threads.
 * <p>
 * One lock guards all state. Actions such as dialling, closing or delivering a lease are
 * collected under the lock and run by the same thread after it has unlocked, so only the
 * pool's own code runs under the lock. A lock is used instead of a drain loop: acquire
 * and release change a few fields, and with a lock each caller does that itself and
 * returns with the result, while in a loop one caller works for all others and its own
 * work waits behind theirs. The lock is not fair, which costs nothing, because waiters
 * are served in the order of their queue.
 */
final class ConnectionPool {

	/**
	 * How many deliveries of leases may be nested before another thread continues,
	 * because each subscriber may release at once.
	 */
	private static final int MAX_DEPTH = 16;

	private static final ThreadLocal<int[]> depth = ThreadLocal.withInitial(() -> new int[1]);

	private final PoolSettings settings;

	private final Timers timers;

	private final PoolObserver observer;

	private final Notifications notifications;

	private final PoolLock lock;

	private final Members members;

	private final Waiters waiters = new Waiters();

	private final Rover rover;

	private final AcquireFailures failures;

	private ClientSnapshot.State state = ClientSnapshot.State.STOPPED;

	/**
	 * Whether the pool has been started, or stopped before a start.
	 */
	private boolean begun;

	ConnectionPool(PoolSettings settings, Dialler dialler, Timers timers, RandomGenerator random,
			PoolObserver observer) {
		this.settings = settings;
		this.timers = timers;
		this.observer = observer;
		this.notifications = new Notifications(observer);
		this.lock = new PoolLock(this.notifications);
		this.members = new Members(this.lock);
		this.rover = new Rover(this, settings, this.lock, this.members, dialler, timers, random, observer);
		this.failures = new AcquireFailures(settings, this.members, this.waiters, this.rover);
	}

	/**
	 * Start the pool, unless it has been stopped.
	 */
	void start() {
		this.lock.lock();
		try {
			if (!this.begun) {
				this.begun = true;
				this.state = ClientSnapshot.State.RUNNING;
				this.rover.start();
			}
		}
		finally {
			this.lock.unlock();
		}
	}

	/**
	 * Set a new list of servers. An empty list is ignored.
	 */
	void servers(ServerList list) {
		this.lock.lock();
		try {
			this.rover.servers(list);
		}
		finally {
			this.lock.unlock();
		}
	}

	/**
	 * Stop the pool: waiters fail, idle connections are closed, and pending dials are
	 * abandoned. Ends with {@link PoolObserver#terminated()}.
	 * @param atOnce whether to close leased connections too; if not, they are closed when
	 * their leases end, and this method may be called again
	 */
	void stop(boolean atOnce) {
		List<Waiter> waiters = new ArrayList<>();
		LeaseUnavailableException failure = null;
		this.lock.lock();
		try {
			if (this.state == ClientSnapshot.State.RUNNING || !this.begun) {
				this.begun = true;
				this.state = ClientSnapshot.State.STOPPING;
				Waiter waiter;
				while ((waiter = this.waiters.poll()) != null) {
					waiters.add(waiter);
				}
				this.rover.stop();
				this.members.retireIf((member) -> true, CloseReason.STOPPED);
				failure = this.failures.notRunning();
			}
			for (Member member : this.members.leaving()) {
				if (member.state == Member.State.INITIALIZING || (atOnce && member.isLeased())) {
					this.lock.afterwards(() -> member.connection.close(CloseReason.STOPPED));
				}
			}
			terminateIfEmpty();
		}
		finally {
			this.lock.unlock();
		}
		if (failure != null) {
			for (Waiter waiter : waiters) {
				fail(waiter, failure);
			}
		}
	}

	private void terminateIfEmpty() {
		if (this.state == ClientSnapshot.State.STOPPING && this.members.isEmpty()) {
			this.state = ClientSnapshot.State.STOPPED;
			this.lock.tell(PoolObserver::terminated);
		}
	}

	/**
	 * Return whether the current thread is notifying the observer, so that no other
	 * notification is delivered before it returns.
	 */
	boolean isNotifying() {
		return this.notifications.isDraining();
	}

	// Leases

	/**
	 * Lease a connection, now or later.
	 * @param waiter called once with the result, possibly within this call, unless it is
	 * cancelled
	 * @param timeoutNanos the maximum time to wait, or 0 to not wait
	 */
	void acquire(Waiter waiter, long timeoutNanos) {
		Member member = null;
		LeaseUnavailableException failure = null;
		long now = now();
		waiter.startedAt = now;
		this.lock.lock();
		try {
			if (waiter.hasEnded()) {
				return;
			}
			if (this.state != ClientSnapshot.State.RUNNING) {
				failure = this.failures.notRunning();
			}
			else {
				member = (this.settings.leasePolicy() == LeasePolicy.LOWEST_SLOT) ? this.members.lowestIdle()
						: this.members.cheapestIdle(this.rover.servers().remembered(), now);
				if (member != null) {
					member.leasedAt = now;
					this.members.state(member, Member.State.LEASED);
				}
				else if (timeoutNanos <= 0) {
					failure = this.failures.timeout(0);
				}
				else if (this.waiters.size() >= this.settings.maxPendingAcquires()) {
					failure = this.failures.tooManyPending();
				}
				else {
					this.waiters.add(waiter);
				}
			}
		}
		finally {
			this.lock.unlock();
		}
		if (member != null) {
			deliver(member, waiter);
		}
		else if (failure != null) {
			fail(waiter, failure);
		}
		else {
			waiter.timer(this.timers.schedule(() -> timedOut(waiter, timeoutNanos), timeoutNanos));
		}
	}

	private void deliver(Member member, Waiter waiter) {
		if (waiter.end()) {
			this.observer.acquireEnded(member.leasedAt - waiter.startedAt, AcquireOutcome.ACQUIRED);
			waiter.acquired(member);
		}
		else {
			free(member, false);
		}
	}

	/**
	 * Deliver a lease to an acquire that has waited, on the current thread unless too
	 * many deliveries are nested.
	 */
	private void deliverLate(Member member, Waiter waiter) {
		int[] depth = ConnectionPool.depth.get();
		if (depth[0] == MAX_DEPTH) {
			this.timers.schedule(() -> deliver(member, waiter), 0);
			return;
		}
		depth[0]++;
		try {
			deliver(member, waiter);
		}
		finally {
			depth[0]--;
		}
	}

	/**
	 * Cancel an acquire.
	 * @return {@code false} if it has already ended: its result has been or is being
	 * delivered
	 */
	boolean cancel(Waiter waiter) {
		if (!waiter.end()) {
			return false;
		}
		this.lock.lock();
		try {
			this.waiters.remove(waiter);
		}
		finally {
			this.lock.unlock();
		}
		this.observer.acquireEnded(now() - waiter.startedAt, AcquireOutcome.CANCELLED);
		return true;
	}

	private void timedOut(Waiter waiter, long timeoutNanos) {
		if (waiter.end()) {
			LeaseUnavailableException failure;
			this.lock.lock();
			try {
				this.waiters.remove(waiter);
				failure = this.failures.timeout(timeoutNanos);
			}
			finally {
				this.lock.unlock();
			}
			this.observer.acquireEnded(now() - waiter.startedAt, AcquireOutcome.TIMEOUT);
			waiter.failed(failure);
		}
	}

	private void fail(Waiter waiter, LeaseUnavailableException failure) {
		if (waiter.end()) {
			this.observer.acquireEnded(now() - waiter.startedAt, switch (failure.getReason()) {
				case TIMEOUT, NO_SERVER -> AcquireOutcome.TIMEOUT;
				case TOO_MANY_PENDING -> AcquireOutcome.REJECTED;
				case NOT_RUNNING -> AcquireOutcome.STOPPED;
			});
			waiter.failed(failure);
		}
	}

	// What connections report

	void initialized(Member member) {
		Waiter waiter = null;
		long now = now();
		this.lock.lock();
		try {
			if (member.state == Member.State.INITIALIZING) {
				if (member.retiring == null) {
					this.lock.tell((observer) -> observer.connectionReady(member));
					this.rover.initialized(member);
				}
				waiter = next(member, now);
			}
		}
		finally {
			this.lock.unlock();
		}
		if (waiter != null) {
			deliverLate(member, waiter);
		}
	}

	/**
	 * A connection was handed out to a caller that no longer wants it.
	 */
	void unused(Member member) {
		free(member, false);
	}

	void released(Member member) {
		free(member, true);
	}

	/**
	 * A connection is free.
	 * @param used whether its lease reached the borrower
	 */
	private void free(Member member, boolean used) {
		long now = now();
		long leasedAt;
		LeaseWatch watch;
		Waiter waiter;
		this.lock.lock();
		try {
			if (!member.isLeased()) {
				return;
			}
			leasedAt = member.leasedAt;
			watch = member.watch;
			member.watch = null;
			if (used) {
				member.served = true;
				this.rover.servers().served(member.server);
				if (this.settings.leasePolicy() == LeasePolicy.BALANCED) {
					member.server.observeLatency(now - leasedAt, now);
				}
			}
			waiter = next(member, now);
		}
		finally {
			this.lock.unlock();
		}
		if (used) {
			leaseEnded(now - leasedAt, LeaseOutcome.RELEASED, watch);
		}
		if (waiter != null) {
			deliverLate(member, waiter);
		}
	}

	/**
	 * Decide what happens to a free connection: it is closed if it is retiring, leased to
	 * the waiter that has waited longest if there is one, and idle otherwise.
	 * @return the waiter that gets it, or {@code null}
	 */
	private @Nullable Waiter next(Member member, long now) {
		CloseReason retiring = member.retiring;
		if (retiring != null) {
			this.members.close(member, retiring);
			return null;
		}
		Waiter waiter = this.waiters.poll();
		if (waiter != null) {
			member.leasedAt = now;
		}
		this.members.state(member, (waiter != null) ? Member.State.LEASED : Member.State.IDLE);
		return waiter;
	}

	void discarded(Member member, @Nullable Throwable cause) {
		boolean answered = member.connection.hasAnswered();
		long now = now();
		LeaseWatch watch;
		this.lock.lock();
		try {
			if (!member.isLeased()) {
				return;
			}
			watch = member.watch;
			member.watch = null;
			this.members.leave(member);
			this.members.state(member, Member.State.CLOSING);
			this.rover.ended(member, answered, false, cause != null, cause);
			this.rover.fill();
		}
		finally {
			this.lock.unlock();
		}
		leaseEnded(now - member.leasedAt, LeaseOutcome.DISCARDED, watch);
	}

	void closed(Member member, CloseReason reason, @Nullable Throwable cause) {
		boolean answered = member.connection.hasAnswered();
		long now = now();
		boolean leased;
		LeaseWatch watch;
		this.lock.lock();
		try {
			Member.State before = member.state;
			if (before == Member.State.CLOSED) {
				return;
			}
			leased = member.isLeased();
			watch = member.watch;
			member.watch = null;
			this.members.closed(member);
			if (before != Member.State.CLOSING && reason != CloseReason.STOPPED) {
				boolean peer = reason == CloseReason.PEER_CLOSED || reason == CloseReason.PEER_RESET;
				boolean failure = reason == CloseReason.UNSOLICITED || reason == CloseReason.INITIALIZER_FAILED
						|| (peer && leased && !answered);
				this.rover.ended(member, answered, peer, failure, cause);
			}
			this.lock.tell((observer) -> observer.connectionClosed(member, reason));
			this.rover.closed(member);
			this.rover.fill();
			terminateIfEmpty();
		}
		finally {
			this.lock.unlock();
		}
		if (leased) {
			leaseEnded(now - member.leasedAt, LeaseOutcome.LOST, watch);
		}
	}

	private void leaseEnded(long nanos, LeaseOutcome outcome, @Nullable LeaseWatch watch) {
		this.observer.leaseEnded(nanos, outcome);
		if (watch != null) {
			watch.ended();
		}
	}

	/**
	 * Watch the current lease of a connection.
	 */
	void watch(Member member, LeaseWatch watch) {
		this.lock.lock();
		try {
			if (member.isLeased()) {
				member.watch = watch;
				return;
			}
		}
		finally {
			this.lock.unlock();
		}
		watch.ended();
	}

	// What others see

	ClientSnapshot snapshot() {
		return this.lock.get(() -> new ClientSnapshot(this.settings.name(), this.state, this.settings.poolSize(),
				this.waiters.size(), this.members.snapshot(), this.rover.servers().snapshot(this.members)));
	}

	/**
	 * Return how many timers and dials there are, for tests.
	 */
	int pending() {
		return this.lock.get(this.rover::pending);
	}

	/**
	 * Return how many connections are open, for tests.
	 */
	int open() {
		return this.lock.get(() -> this.members.size() + this.members.leaving().size());
	}

	private long now() {
		return this.timers.nanoTime();
	}

}
