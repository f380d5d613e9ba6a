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

import java.time.Duration;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

import io.netty.channel.Channel;
import io.netty.util.concurrent.Future;
import org.jspecify.annotations.Nullable;
import reactor.core.Disposable;
import reactor.core.publisher.Sinks;

import io.callosum.transport.Channels;
import io.callosum.transport.Disconnects;

/**
 * The time after a peer has left in which the owner of the bytes may complete its work:
 * it is given the rest of what the peer has sent, and what it writes is dropped. It ends
 * when the handler does, or some time after the last byte was delivered.
 */
final class Completion {

	private static final long PAUSE_MILLIS = 1;

	private final Channel channel;

	private final Duration timeout;

	private final BooleanSupplier delivering;

	private final @Nullable Runnable timedOut;

	private final Sinks.Empty<Void> over = Sinks.empty();

	private volatile boolean isOver;

	private volatile boolean droppingWrites;

	private @Nullable Future<?> timer;

	/**
	 * Create a new instance. Event loop, or after it.
	 * @param channel the channel, which is closed
	 * @param timeout how long the owner may take once it has been given everything
	 * @param delivering whether the owner of the bytes is still receiving, asked on the
	 * event loop, or after it
	 * @param timedOut called on the event loop when that is over; {@code null} where
	 * nobody waits for the owner, and it is enough to end the writes that are dropped
	 */
	Completion(Channel channel, Duration timeout, BooleanSupplier delivering, @Nullable Runnable timedOut) {
		assert Channels.isOnLoopOrAfter(channel);
		this.channel = channel;
		this.timeout = timeout;
		this.delivering = delivering;
		this.timedOut = timedOut;
	}

	/**
	 * Measure the time from now on, unless it is over. If the owner still receives bytes
	 * at the end, it is measured anew. Event loop, or after it.
	 */
	void startTimer() {
		assert Channels.isOnLoopOrAfter(this.channel);
		stopTimer();
		if (this.isOver || this.channel.eventLoop().isShuttingDown()
				|| (this.timedOut == null && !this.droppingWrites && this.over.currentSubscriberCount() == 0)) {
			return;
		}
		this.timer = this.channel.eventLoop().schedule(() -> {
			this.timer = null;
			if (this.delivering.getAsBoolean()) {
				startTimer();
			}
			else if (this.timedOut != null) {
				this.timedOut.run();
			}
			else {
				end();
			}
		}, Channels.nanos(this.timeout), TimeUnit.NANOSECONDS);
	}

	private void stopTimer() {
		Future<?> timer = this.timer;
		if (timer != null) {
			timer.cancel(false);
			this.timer = null;
		}
	}

	/**
	 * Nobody works any more on what the peer has sent. Any thread.
	 */
	void end() {
		this.isOver = true;
		this.over.tryEmitEmpty();
		Channels.run(this.channel, this::stopTimer);
	}

	boolean isOver() {
		return this.isOver;
	}

	/**
	 * A write is dropped. Where nobody waits for the owner, the time of that is limited
	 * too. Any thread.
	 */
	void writeDropped() {
		if (!this.droppingWrites) {
			this.droppingWrites = true;
			ensureTimer();
		}
	}

	private void ensureTimer() {
		Channels.run(this.channel, () -> {
			if (this.timer == null) {
				startTimer();
			}
		});
	}

	/**
	 * Return whether a write has failed because the connection is gone, so that there may
	 * be a completion.
	 */
	static boolean mayFollow(Throwable error) {
		return Disconnects.isPeerGone(error) || Disconnects.isUseAfterClose(error);
	}

	/**
	 * Go on with writes that are dropped, but not at once: writes without an end would
	 * hold the event loop for ever.
	 * @param channel the channel
	 * @param task what goes on
	 * @param ended called instead if the event loop has ended
	 */
	static void pause(Channel channel, Runnable task, Runnable ended) {
		try {
			channel.eventLoop().schedule(task, PAUSE_MILLIS, TimeUnit.MILLISECONDS);
		}
		catch (RejectedExecutionException ex) {
			ended.run();
		}
	}

	/**
	 * Return whether blocking writes are dropped, which only a handler may expect: of
	 * other threads nobody knows whether they ever end.
	 */
	boolean dropsBlockingWrites() {
		return !this.isOver && this.timedOut != null;
	}

	/**
	 * Run a task at the end, at once if that has come.
	 * @return disposes of the task
	 */
	Disposable whenOver(Runnable task) {
		Disposable subscription = this.over.asMono().subscribe((nothing) -> {
		}, (error) -> {
		}, task);
		ensureTimer();
		return subscription;
	}

}
