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
 * The time after a peer has left during which the owner of the bytes may complete its
 * work. The owner receives the rest of what the peer has sent, and what it writes is
 * dropped. The completion ends when the handler does, or some time after the last byte
 * was delivered.
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
	 * @param timeout how long the owner may take after everything has been delivered to
	 * it
	 * @param delivering returns whether the owner of the bytes is still receiving; called
	 * on the event loop, or after it
	 * @param timedOut called on the event loop when the timeout expires, or {@code null}
	 * if nothing waits for the owner and it is enough to end the writes that are dropped
	 */
	Completion(Channel channel, Duration timeout, BooleanSupplier delivering, @Nullable Runnable timedOut) {
		assert Channels.isOnLoopOrAfter(channel);
		this.channel = channel;
		this.timeout = timeout;
		this.delivering = delivering;
		this.timedOut = timedOut;
	}

	/**
	 * Start the timeout anew, unless the completion is over. If the owner is still
	 * receiving bytes when the timeout expires, it starts again. Event loop, or after it.
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
	 * End the completion: what the peer has sent is no longer processed. Any thread.
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
	 * A write is dropped. If nothing waits for the owner, the time for this is limited
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
	 * Continue with writes that are dropped, but not at once: an endless series of writes
	 * would hold the event loop forever.
	 * @param channel the channel
	 * @param task continues with the writes
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
	 * Return whether blocking writes are dropped. Only those of a handler are: it is
	 * unknown whether other threads ever end.
	 */
	boolean dropsBlockingWrites() {
		return !this.isOver && this.timedOut != null;
	}

	/**
	 * Run a task at the end of the completion, or at once if it has already ended.
	 * @return cancels the task when it is disposed
	 */
	Disposable whenOver(Runnable task) {
		Disposable subscription = this.over.asMono().subscribe((nothing) -> {
		}, (error) -> {
		}, task);
		ensureTimer();
		return subscription;
	}

}
