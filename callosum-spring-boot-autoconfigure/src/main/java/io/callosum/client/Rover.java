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

import java.io.IOException;
import java.util.random.RandomGenerator;

import io.callosum.client.CallosumClientMetricsRecorder.DialOutcome;
import io.callosum.client.PendingDial.Purpose;
import org.jspecify.annotations.Nullable;

/**
 * Decides when a pool dials which server; {@link Selection} decides whether the
 * connection is kept. Guarded by the pool's lock, which {@link #connected} and
 * {@link #failed} acquire themselves; all other methods are called with the lock held.
 */
final class Rover {

	private final PoolSettings settings;

	private final Rules rules;

	private final PoolLock lock;

	private final ConnectionPool pool;

	private final RandomGenerator random;

	private final PoolObserver observer;

	private final Timers clock;

	private final PoolTimers timers;

	private final Members members;

	private final Servers servers;

	private final Selection selection;

	private final PendingDials dials;

	private boolean running;

	/**
	 * Whether the pool has ever been full.
	 */
	private boolean filled;

	/**
	 * How many timers of {@link PoolTimer.Kind#SETTLE} are scheduled.
	 */
	private int settling;

	/**
	 * When the timer of {@link PoolTimer.Kind#FILL} elapses, if it is scheduled.
	 */
	private @Nullable Long fillAt;

	/**
	 * Why the last attempt to get a connection that serves leases failed, or {@code null}
	 * if it succeeded.
	 */
	private @Nullable Throwable lastFailure;

	Rover(ConnectionPool pool, PoolSettings settings, PoolLock lock, Members members, Dialler dialler, Timers timers,
			RandomGenerator random, PoolObserver observer) {
		this.pool = pool;
		this.settings = settings;
		this.rules = settings.rules();
		this.lock = lock;
		this.members = members;
		this.dials = new PendingDials(lock, dialler);
		this.clock = timers;
		this.timers = new PoolTimers(lock, timers, this::elapsed);
		this.random = random;
		this.observer = observer;
		this.servers = new Servers(settings, random);
		this.selection = new Selection(settings, members, this.servers);
	}

	void start() {
		assert this.lock.isHeld();
		this.running = true;
		this.timers.schedule(PoolTimer.Kind.ROVE, null, null,
				(long) (this.settings.rovingNanos() * this.random.nextDouble()));
	}

	/**
	 * Stop dialling, and abandon pending dials.
	 */
	void stop() {
		assert this.lock.isHeld();
		this.running = false;
		this.timers.cancelIf((timer) -> true);
		this.dials.abandonIf((dial) -> true);
	}

	Servers servers() {
		return this.servers;
	}

	@Nullable Throwable lastFailure() {
		return this.lastFailure;
	}

	/**
	 * Return how many timers and dials there are.
	 */
	int pending() {
		return this.timers.size() + this.dials.size();
	}

	/**
	 * Set a new list of servers. An empty list is ignored.
	 */
	void servers(ServerList list) {
		assert this.lock.isHeld();
		ServerList previous = this.servers.list();
		if (!this.running || list == previous || list.size() == 0) {
			return;
		}
		this.servers.list(list);
		this.members.retireIf((member) -> !member.server.listed, CloseReason.SERVER_REMOVED);
		this.dials.abandonIf((dial) -> !dial.server.listed);
		this.timers.cancelIf((timer) -> timer.server != null && !timer.server.listed);
		if (previous.size() > 0 && this.rules.joining()) {
			join(previous, list);
		}
		fill(now());
	}

	private void join(ServerList previous, ServerList list) {
		double share = this.rules.joinFactor() * this.settings.poolSize() / list.size();
		for (int i = 0; i < list.size(); i++) {
			if (!previous.contains(list.get(i))) {
				int times = (int) share + ((this.random.nextDouble() < share - (int) share) ? 1 : 0);
				for (int n = 0; n < times; n++) {
					this.timers.schedule(PoolTimer.Kind.JOIN, this.servers.get(list.get(i)), null,
							(long) (this.rules.joinNanos() * this.random.nextDouble()));
					for (int m = 0; m < this.rules.settleFactor(); m++) {
						settle((long) (this.rules.joinNanos() * (1 + 2 * this.random.nextDouble())));
					}
				}
			}
		}
	}

	// What connections report

	/**
	 * A connection is ready.
	 */
	void initialized(Member member) {
		assert this.lock.isHeld();
		this.lastFailure = null;
		if (this.settings.maxAgeNanos() > 0) {
			this.timers.schedule(PoolTimer.Kind.AGE, member.server, member,
					(long) (this.settings.maxAgeNanos() * (1 - this.random.nextDouble() / 10)));
		}
	}

	/**
	 * A connection has ended, but not by a decision of the pool.
	 * @param member the connection
	 * @param answered whether a byte was received during the last lease
	 * @param peer whether the server ended it
	 * @param failure whether it counts toward an ejection
	 * @param cause what failed
	 */
	void ended(Member member, boolean answered, boolean peer, boolean failure, @Nullable Throwable cause) {
		assert this.lock.isHeld();
		PoolServer server = member.server;
		if (!server.listed || !this.running) {
			return;
		}
		long now = now();
		if (failure) {
			server.lastFailure = (cause != null) ? cause.toString() : "The connection ended without an answer";
		}
		if (!member.served && !answered) {
			this.servers.leaveAlone(server, now);
			if (failure || peer) {
				this.lastFailure = (cause != null) ? cause
						: new IOException(server + " closed a connection before it had answered");
			}
		}
		if (failure && this.servers.failed(server, now)) {
			eject(server);
		}
		if (peer) {
			returnTo(server, now);
		}
	}

	/**
	 * A connection is closed. If it had a place in the pool, that is free now.
	 */
	void closed(Member member) {
		assert this.lock.isHeld();
		if (this.settings.maxAgeNanos() > 0) {
			this.timers.cancelIf((timer) -> timer.member == member);
		}
		forgetIfUnused(member.server, now());
	}

	private void forgetIfUnused(PoolServer server, long now) {
		if (server.listed && !this.members.use(server) && !this.timers.isScheduled((timer) -> timer.server == server)) {
			this.servers.forget(server, now);
		}
	}

	// What dials report

	@Nullable PoolMember connected(PendingDial dial, PooledConnection connection, int slot) {
		Member member = new Member(this.pool, dial.server, connection, slot);
		boolean kept;
		long now = now();
		this.lock.lock();
		try {
			if (!this.dials.end(dial)) {
				return null;
			}
			kept = connected(dial, member, now);
		}
		finally {
			this.lock.unlock();
		}
		this.observer.dialEnded(now - dial.startedAt, kept ? DialOutcome.KEPT : DialOutcome.TURNED_DOWN);
		return kept ? member : null;
	}

	private boolean connected(PendingDial dial, Member member, long now) {
		PoolServer server = dial.server;
		assert server.listed && !server.ejected;
		boolean follow = server.returning || switch (dial.purpose) {
			case RETURN, JOIN, FOLLOW -> true;
			case FILL, ROVE, AGE -> false;
		};
		if (server.unreachable) {
			this.lock.tell((observer) -> observer.serverRestored(server.address));
		}
		if (server.returning) {
			this.timers.cancelIf((timer) -> timer.kind == PoolTimer.Kind.RETURN && timer.server == server);
		}
		this.servers.reached(server);
		boolean kept = this.selection.keep(member, dial.replaces);
		if (kept && follow) {
			follow(server);
		}
		if (kept && dial.purpose == Purpose.FILL && this.filled && this.random.nextBoolean()) {
			// Not every time, to stay below 1.5 dials per interval in a rolling restart
			settle(followDelay());
		}
		this.filled |= this.members.size() >= this.settings.poolSize();
		if (!kept) {
			if (this.servers.available() == this.servers.list().size() && !this.members.isInitializing()) {
				// Nothing fails any more
				this.lastFailure = null;
			}
			forgetIfUnused(server, now);
		}
		fill(now);
		return kept;
	}

	void failed(PendingDial dial, Dial.Failure failure, Throwable cause) {
		long now = now();
		this.lock.lock();
		try {
			if (!this.dials.end(dial)) {
				return;
			}
			failed(dial, failure, cause, now);
		}
		finally {
			this.lock.unlock();
		}
		this.observer.dialEnded(now - dial.startedAt, DialOutcome.FAILED);
	}

	private void failed(PendingDial dial, Dial.Failure failure, Throwable cause, long now) {
		PoolServer server = dial.server;
		server.lastFailure = cause.toString();
		this.lastFailure = cause;
		if (!server.unreachable) {
			server.unreachable = true;
			this.lock.tell((observer) -> observer.serverUnreachable(server.address));
		}
		this.servers.leaveAlone(server, now);
		if (failure == Dial.Failure.NO_SLOT && this.servers.failed(server, now)) {
			eject(server);
		}
		returnTo(server, now);
		Member aged = dial.replaces;
		if (aged != null && this.members.contains(aged)) {
			ageLater(aged);
		}
		fill(now);
	}

	// The rules

	/**
	 * Dial if the pool is not full.
	 */
	void fill() {
		fill(now());
	}

	private void fill(long now) {
		assert this.lock.isHeld();
		if (!this.running) {
			return;
		}
		int missing = this.settings.poolSize() - this.members.size();
		for (int filling = this.dials.count(Purpose.FILL); filling < Math.min(missing,
				this.settings.fillConcurrency()); filling++) {
			PoolServer server = this.servers.fewestConnections(this.members, now);
			if (server == null) {
				fillLater(now);
				return;
			}
			dial(server, Purpose.FILL, null, now);
		}
	}

	private void fillLater(long now) {
		long delay = this.servers.nextDialIn(now);
		if (delay >= 0 && (this.fillAt == null || now + delay - this.fillAt < 0)) {
			this.timers.cancelIf((timer) -> timer.kind == PoolTimer.Kind.FILL);
			this.timers.schedule(PoolTimer.Kind.FILL, null, null, delay);
			this.fillAt = now + delay;
		}
	}

	private void dial(PoolServer server, Purpose purpose, @Nullable Member replaces, long now) {
		assert server.mayBeDialled(now);
		this.dials.begin(new PendingDial(this, server, purpose, now, replaces));
	}

	/**
	 * Dial a server repeatedly until it sends a slot line.
	 */
	private void returnTo(PoolServer server, long now) {
		if (!this.rules.returning()) {
			return;
		}
		boolean due = server.returning
				&& this.timers.isScheduled((timer) -> timer.kind == PoolTimer.Kind.RETURN && timer.server == server);
		server.returning = true;
		if (!due && !server.ejected && !server.dialling) {
			long delay = (server.backoffs > 0 && server.notBefore - now > 0) ? server.notBefore - now
					: this.servers.jittered(this.rules.minBackoffNanos());
			this.timers.schedule(PoolTimer.Kind.RETURN, server, null, delay);
		}
	}

	/**
	 * Dial a server that has assigned a better slot again, up to this client's share of
	 * its connections: taking more from a server with many low slots would only move the
	 * imbalance, and the other clients want their share.
	 */
	private void follow(PoolServer server) {
		if (this.rules.following() && !server.following && this.members.count(server) < this.selection.share()) {
			server.following = true;
			this.timers.schedule(PoolTimer.Kind.FOLLOW, server, null, followDelay());
		}
	}

	private long followDelay() {
		return (long) (this.rules.followNanos() * (0.4 + 0.6 * this.random.nextDouble()));
	}

	/**
	 * Rove one extra time, because connections have moved: lost connections went to
	 * random servers, and those that a new server took came from wherever slots happened
	 * to be highest. At most twice for each connection of the pool, however often the
	 * list changes.
	 */
	private void settle(long delay) {
		if (this.rules.settling() && this.settling < 2 * this.settings.poolSize()) {
			this.settling++;
			this.timers.schedule(PoolTimer.Kind.SETTLE, null, null, delay);
		}
	}

	private void eject(PoolServer server) {
		this.timers.cancelIf((timer) -> timer.server == server && timer.kind != PoolTimer.Kind.AGE);
		server.following = false;
		this.timers.schedule(PoolTimer.Kind.RESTORE, server, null, this.servers.eject(server));
		this.lock.tell((observer) -> observer.serverEjected(server.address));
		this.members.retireIf((member) -> member.server == server, CloseReason.SERVER_EJECTED);
		this.dials.abandonIf((dial) -> dial.server == server);
	}

	private void restore(PoolServer server, long now) {
		this.servers.restore(server, now);
		if (!server.unreachable) {
			this.lock.tell((observer) -> observer.serverRestored(server.address));
		}
		if (server.returning) {
			returnTo(server, now);
		}
	}

	private void elapsed(PoolTimer timer) {
		long now = now();
		switch (timer.kind) {
			case ROVE -> {
				this.timers.schedule(PoolTimer.Kind.ROVE, null, null,
						this.servers.jittered(this.settings.rovingNanos()));
				rove(now);
			}
			case SETTLE -> {
				this.settling--;
				rove(now);
			}
			case FILL -> this.fillAt = null;
			case RETURN -> returnNow(timer.server(), now);
			case JOIN -> dialOrLater(PoolTimer.Kind.JOIN, timer.server(), Purpose.JOIN, now);
			case FOLLOW -> {
				timer.server().following = false;
				dialOrLater(PoolTimer.Kind.FOLLOW, timer.server(), Purpose.FOLLOW, now);
			}
			case RESTORE -> restore(timer.server(), now);
			case AGE -> age(timer.member(), now);
		}
		fill(now);
	}

	private void rove(long now) {
		PoolServer server = this.servers.random(now);
		if (server != null) {
			dial(server, Purpose.ROVE, null, now);
		}
	}

	private void returnNow(PoolServer server, long now) {
		if (server.mayBeDialled(now)) {
			dial(server, Purpose.RETURN, null, now);
		}
		else {
			// Later, or when the dial in flight fails
			returnTo(server, now);
		}
	}

	private void dialOrLater(PoolTimer.Kind kind, PoolServer server, Purpose purpose, long now) {
		if (server.mayBeDialled(now)) {
			dial(server, purpose, null, now);
		}
		else if (server.dialling) {
			server.following |= kind == PoolTimer.Kind.FOLLOW;
			this.timers.schedule(kind, server, null, this.servers.jittered(this.rules.followNanos()));
		}
	}

	private void age(Member member, long now) {
		if (!this.members.contains(member)) {
			return;
		}
		PoolServer server = member.server.mayBeDialled(now) ? member.server
				: this.servers.fewestConnections(this.members, now);
		if (server != null) {
			dial(server, Purpose.AGE, member, now);
		}
		else {
			ageLater(member);
		}
	}

	private void ageLater(Member member) {
		this.timers.schedule(PoolTimer.Kind.AGE, member.server, member,
				this.servers.jittered(this.rules.followNanos()));
	}

	private long now() {
		return this.clock.nanoTime();
	}

}
