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

import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;

import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelPromise;
import io.netty.channel.DefaultChannelPromise;
import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.util.concurrent.AbstractScheduledEventExecutor;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.ImmediateEventExecutor;
import io.netty.util.concurrent.Ticker;

import org.springframework.util.Assert;

/**
 * An event loop without a thread: it runs a task when told to, and its time is that of a
 * ticker. Unlike Netty's embedded event loop, it knows when it is not running, so that
 * tasks from other threads wait, and its timers outlive the channels.
 */
final class SimulatedLoop extends AbstractScheduledEventExecutor implements EventLoop {

	/**
	 * The loop that this thread is currently running.
	 */
	private static final ThreadLocal<SimulatedLoop> current = new ThreadLocal<>();

	private final Queue<Runnable> tasks = new ArrayDeque<>();

	private final Ticker ticker;

	/**
	 * Whether a task of this loop is running. It may be waiting for others.
	 */
	private boolean busy;

	private boolean ended;

	SimulatedLoop(Ticker ticker) {
		this.ticker = ticker;
	}

	static SimulatedLoop current() {
		return current.get();
	}

	/**
	 * Run code as if on a loop, or as if on any other thread if that is {@code null}.
	 */
	static void runAs(SimulatedLoop loop, Runnable code) {
		SimulatedLoop outer = current.get();
		boolean wasBusy = loop != null && loop.busy;
		current.set(loop);
		if (loop != null) {
			loop.busy = true;
		}
		try {
			code.run();
		}
		finally {
			if (loop != null) {
				loop.busy = wasBusy;
			}
			current.set(outer);
		}
	}

	boolean isBusy() {
		return this.busy;
	}

	/**
	 * Return whether this loop waits for something to do.
	 */
	boolean isIdle() {
		return !this.busy && !this.ended && !hasWork();
	}

	boolean hasWork() {
		return !this.busy && !this.ended && (!this.tasks.isEmpty() || hasScheduledTasks());
	}

	void runOne() {
		runAs(this, () -> {
			Runnable task = this.tasks.poll();
			if (task == null) {
				task = pollScheduledTask(this.ticker.nanoTime());
			}
			if (task != null) {
				task.run();
			}
		});
	}

	/**
	 * End like a loop whose channels are closed: its timers never fire.
	 */
	void end() {
		runAs(this, this::cancelScheduledTasks);
		this.ended = true;
	}

	@Override
	public void execute(Runnable task) {
		if (this.ended) {
			throw new RejectedExecutionException("event executor terminated");
		}
		this.tasks.add(task);
	}

	@Override
	public Ticker ticker() {
		return this.ticker;
	}

	@Override
	public boolean inEventLoop() {
		return current.get() == this;
	}

	@Override
	public boolean inEventLoop(Thread thread) {
		return thread == Thread.currentThread() && inEventLoop();
	}

	@Override
	public EventLoopGroup parent() {
		return (EventLoopGroup) super.parent();
	}

	@Override
	public EventLoop next() {
		return this;
	}

	@Override
	public ChannelFuture register(Channel channel) {
		return register(new DefaultChannelPromise(channel, this));
	}

	@Override
	public ChannelFuture register(ChannelPromise promise) {
		promise.channel().unsafe().register(this, promise);
		return promise;
	}

	@Override
	@Deprecated
	public ChannelFuture register(Channel channel, ChannelPromise promise) {
		return register(promise);
	}

	@Override
	public boolean isShuttingDown() {
		return this.ended;
	}

	@Override
	public boolean isShutdown() {
		return this.ended;
	}

	@Override
	public boolean isTerminated() {
		return this.ended;
	}

	@Override
	public boolean awaitTermination(long timeout, TimeUnit unit) {
		return this.ended;
	}

	@Override
	@Deprecated
	public void shutdown() {
		throw new UnsupportedOperationException();
	}

	@Override
	public Future<?> shutdownGracefully(long quietPeriod, long timeout, TimeUnit unit) {
		throw new UnsupportedOperationException();
	}

	@Override
	public Future<?> terminationFuture() {
		Assert.state(this.ended, "The loop has not ended");
		return ImmediateEventExecutor.INSTANCE.newSucceededFuture(null);
	}

}
