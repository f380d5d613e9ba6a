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

package io.callosum.transport;

import java.time.Duration;
import java.util.concurrent.TimeUnit;

import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.ChannelPromise;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Ticker;
import org.jspecify.annotations.Nullable;

/**
 * Reports a connection that is idle or whose peer does not read. It is the first of all
 * handlers, so that it sees the bytes that are actually transferred.
 * <p>
 * Netty's {@link io.netty.handler.timeout.IdleStateHandler} is not used: its first event
 * is fired even while a large message makes progress, its events for writes and for both
 * directions hide progress from each other, and it mistakes a queue that only grows for
 * progress.
 */
public final class TimeoutHandler extends ChannelDuplexHandler {

	/**
	 * How often progress is checked per write timeout. A connection is reported at most
	 * one check late.
	 */
	private static final int CHECKS = 4;

	/**
	 * A check that finds a timeout is repeated after this time. When a process or an
	 * event loop has been held up, its timers run before it notices what peers have sent
	 * and read in the meantime; a task that the timers schedule runs after that.
	 */
	private static final long SECOND_LOOK_NANOS = TimeUnit.MILLISECONDS.toNanos(1);

	private final ChannelOwner owner;

	private final long idleNanos;

	private final long writeNanos;

	private final ChannelFutureListener writeListener = this::written;

	private final Ticker ticker;

	private long lastRead;

	/**
	 * When bytes were last written.
	 */
	private long lastWrite;

	/**
	 * How much of the first queued message had been written by then.
	 */
	private long progress;

	/**
	 * Since when queued bytes have been waiting without any being written.
	 */
	private long waitingSince;

	private boolean foundIdle;

	private boolean foundStuck;

	private @Nullable Future<?> idleCheck;

	private @Nullable Future<?> writeCheck;

	/**
	 * Create a new handler.
	 * @param owner notified when a timeout expires
	 * @param idleTimeout the timeout for both directions, or {@code null} for none
	 * @param writeTimeout the timeout for writes, or {@code null} for none
	 */
	public TimeoutHandler(ChannelOwner owner, @Nullable Duration idleTimeout, @Nullable Duration writeTimeout) {
		this.owner = owner;
		this.idleNanos = Channels.nanos(idleTimeout);
		this.writeNanos = Channels.nanos(writeTimeout);
		this.ticker = owner.channel().eventLoop().ticker();
		this.lastRead = this.ticker.nanoTime();
		this.lastWrite = this.lastRead;
	}

	@Override
	public void handlerAdded(ChannelHandlerContext ctx) {
		if (this.idleNanos > 0) {
			scheduleIdleCheck(ctx, this.idleNanos);
		}
	}

	@Override
	public void handlerRemoved(ChannelHandlerContext ctx) {
		cancel(this.idleCheck);
		cancel(this.writeCheck);
	}

	@Override
	public void channelRead(ChannelHandlerContext ctx, Object message) {
		this.lastRead = this.ticker.nanoTime();
		ctx.fireChannelRead(message);
	}

	@Override
	public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
		ctx.write(message, promise.unvoid().addListener(this.writeListener));
	}

	@Override
	public void flush(ChannelHandlerContext ctx) {
		boolean waited = isWaiting(ctx);
		ctx.flush();
		if (!isWaiting(ctx)) {
			return;
		}
		observeProgress(ctx);
		if (this.writeNanos > 0 && (!waited || this.writeCheck == null)) {
			this.waitingSince = this.ticker.nanoTime();
			if (this.writeCheck == null) {
				// Even if they were already waiting: a handler before this one may flush
				scheduleWriteCheck(ctx, this.writeNanos / CHECKS);
			}
		}
	}

	private void written(ChannelFuture write) {
		if (write.isSuccess()) {
			this.lastWrite = this.ticker.nanoTime();
			this.waitingSince = this.lastWrite;
			this.progress = 0;
		}
	}

	private void scheduleIdleCheck(ChannelHandlerContext ctx, long delay) {
		this.idleCheck = ctx.executor().schedule(() -> checkIdle(ctx), delay, TimeUnit.NANOSECONDS);
	}

	private void checkIdle(ChannelHandlerContext ctx) {
		observeProgress(ctx);
		long last = (this.lastRead - this.lastWrite > 0) ? this.lastRead : this.lastWrite;
		long left = this.idleNanos - (this.ticker.nanoTime() - last);
		if (left > 0) {
			this.foundIdle = false;
			scheduleIdleCheck(ctx, left);
		}
		else if (!this.foundIdle) {
			this.foundIdle = true;
			scheduleIdleCheck(ctx, SECOND_LOOK_NANOS);
		}
		else {
			this.owner.idleTimedOut();
		}
	}

	private void scheduleWriteCheck(ChannelHandlerContext ctx, long delay) {
		this.writeCheck = ctx.executor().schedule(() -> checkWrite(ctx), Math.max(1, delay), TimeUnit.NANOSECONDS);
	}

	private void checkWrite(ChannelHandlerContext ctx) {
		this.writeCheck = null;
		if (!isWaiting(ctx)) {
			this.foundStuck = false;
			return;
		}
		observeProgress(ctx);
		if (this.ticker.nanoTime() - this.waitingSince < this.writeNanos) {
			this.foundStuck = false;
			scheduleWriteCheck(ctx, this.writeNanos / CHECKS);
		}
		else if (!this.foundStuck) {
			this.foundStuck = true;
			scheduleWriteCheck(ctx, SECOND_LOOK_NANOS);
		}
		else {
			this.owner.writeTimedOut();
		}
	}

	private void observeProgress(ChannelHandlerContext ctx) {
		long progress = progress(ctx);
		if (progress != this.progress) {
			this.progress = progress;
			this.lastWrite = this.ticker.nanoTime();
			this.waitingSince = this.lastWrite;
		}
	}

	private static boolean isWaiting(ChannelHandlerContext ctx) {
		ChannelOutboundBuffer queue = ctx.channel().unsafe().outboundBuffer();
		return queue != null && !queue.isEmpty();
	}

	private static long progress(ChannelHandlerContext ctx) {
		ChannelOutboundBuffer queue = ctx.channel().unsafe().outboundBuffer();
		return (queue != null) ? queue.currentProgress() : 0;
	}

	private static void cancel(@Nullable Future<?> check) {
		if (check != null) {
			check.cancel(false);
		}
	}

}
