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

import java.lang.reflect.UndeclaredThrowableException;
import java.time.Duration;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.ObjIntConsumer;

import io.netty.channel.EventLoop;
import org.jspecify.annotations.Nullable;
import reactor.core.Exceptions;
import reactor.core.scheduler.Schedulers;

import org.springframework.core.task.SimpleAsyncTaskExecutor;

/**
 * Runs code of the application on the threads intended for it, and contains everything
 * that it throws.
 */
public final class UserCode {

	private static final long SLOW_NANOS = Duration.ofMillis(100).toNanos();

	private final @Nullable Executor executor;

	/**
	 * Whether the executor may block its caller, which an event loop must not be.
	 */
	private final boolean executorBlocks;

	/**
	 * Runs tasks that the executor rejects, or that an event loop cannot run because it
	 * has ended.
	 */
	private final ThreadPoolExecutor ownThread;

	private final ObjIntConsumer<Throwable> rejected;

	/**
	 * Whether the current thread is running code of the application.
	 */
	private final ThreadLocal<Boolean> inUserCode = ThreadLocal.withInitial(() -> Boolean.FALSE);

	/**
	 * Create a new instance.
	 * @param executor runs the code, or {@code null} for the event loops
	 * @param threadName the name of the thread that runs what the executor rejects
	 */
	public UserCode(@Nullable Executor executor, String threadName) {
		this(executor, threadName, (cause, waiting) -> {
		});
	}

	/**
	 * Create a new instance.
	 * @param executor runs the code, or {@code null} for the event loops
	 * @param threadName the name of the thread that runs what the executor rejects
	 * @param rejected called on any thread when the executor has rejected a task, with
	 * the cause and the number of tasks that wait for the thread
	 */
	public UserCode(@Nullable Executor executor, String threadName, ObjIntConsumer<Throwable> rejected) {
		this.executor = executor;
		this.rejected = rejected;
		this.executorBlocks = executor instanceof SimpleAsyncTaskExecutor async && async.isThrottleActive();
		this.ownThread = new ThreadPoolExecutor(1, 1, 50, TimeUnit.MILLISECONDS, new LinkedBlockingQueue<>(),
				(task) -> {
					Thread thread = new Thread(task, threadName);
					thread.setDaemon(true);
					return thread;
				});
		this.ownThread.allowCoreThreadTimeOut(true);
	}

	/**
	 * Set whether to keep the thread that runs what the executor rejects: the executor
	 * may reject tasks because no thread can be created, and then it is too late to
	 * create another one.
	 * @param keep whether to keep the thread from now on, even while it is idle
	 */
	public void keepThread(boolean keep) {
		if (this.executor != null) {
			this.ownThread.allowCoreThreadTimeOut(!keep);
			if (keep) {
				this.ownThread.prestartCoreThread();
			}
		}
	}

	/**
	 * Return whether code of the application runs on the event loops.
	 * @return {@code false} if there is an executor for it
	 */
	public boolean isOnEventLoop() {
		return this.executor == null;
	}

	/**
	 * Return whether code of the application may run on the current thread.
	 * @return {@code false} on an event loop if there is an executor
	 */
	public boolean mayRunHere() {
		return this.executor == null || !Schedulers.isInNonBlockingThread();
	}

	/**
	 * Run a task where the application's code for a connection runs. The task is never
	 * lost: if it cannot run there, it runs on this object's own thread.
	 * @param eventLoop the event loop of the connection
	 * @param task the task, which may run a second time when the loop ends, and must then
	 * have nothing left to do
	 */
	void execute(EventLoop eventLoop, Runnable task) {
		if (this.executor != null) {
			handOver(this.executor, task);
		}
		else {
			executeOrElseOwn(eventLoop, task);
			if (eventLoop.isShutdown()) {
				// Netty silently drops a task that it is given just as the loop ends
				eventLoop.terminationFuture().addListener((terminated) -> this.ownThread.execute(task));
			}
		}
	}

	/**
	 * Run a task on the executor, or immediately if there is none.
	 * @param task the task
	 */
	public void execute(Runnable task) {
		if (this.executor != null) {
			handOver(this.executor, task);
		}
		else {
			task.run();
		}
	}

	private void handOver(Executor executor, Runnable task) {
		ExecutorTask executorTask = new ExecutorTask(task);
		if (this.executorBlocks && Schedulers.isInNonBlockingThread()) {
			this.ownThread.execute(() -> executeOrElseOwn(executor, executorTask));
		}
		else {
			executeOrElseOwn(executor, executorTask);
		}
	}

	private void executeOrElseOwn(Executor executor, Runnable task) {
		try {
			executor.execute(task);
		}
		catch (Throwable ex) {
			// Also an Error, such as for a thread that could not be created
			this.ownThread.execute(task);
			this.rejected.accept(ex, this.ownThread.getQueue().size());
		}
	}

	/**
	 * Call code of the application on the current thread.
	 * @param code the code
	 * @return what it threw, unwrapped, or {@code null}
	 */
	public @Nullable Throwable call(Runnable code) {
		Boolean outer = this.inUserCode.get();
		this.inUserCode.set(Boolean.TRUE);
		try {
			code.run();
			return null;
		}
		catch (Throwable ex) {
			return unwrap(ex);
		}
		finally {
			// Not removed: creating it anew for each event would cost more than the rest
			this.inUserCode.set(outer);
		}
	}

	/**
	 * Call code of the application for a connection, with the connection's id in the
	 * logging context.
	 * @param connectionId the id of the connection, or {@code null} if there is none
	 * @param code the code
	 * @return what it threw, unwrapped, or {@code null}
	 */
	public @Nullable Throwable call(@Nullable String connectionId, Runnable code) {
		return call((connectionId != null) ? () -> LoggingContext.run(connectionId, code) : code);
	}

	/**
	 * Return how long code of the application has held the current thread, if that is an
	 * event loop and the time is long enough for a warning.
	 * @param start when the code started, as returned by {@link System#nanoTime()}
	 * @return the time in nanoseconds, or 0 if it is short or the thread is not an event
	 * loop
	 */
	public static long heldEventLoopSince(long start) {
		long nanos = System.nanoTime() - start;
		return (nanos > SLOW_NANOS && Schedulers.isInNonBlockingThread()) ? nanos : 0;
	}

	/**
	 * Return whether the current thread runs code of the application.
	 * @return {@code true} within {@link #call}
	 */
	public boolean isInUserCode() {
		return this.inUserCode.get();
	}

	/**
	 * Return whether the current thread must not wait, because it is an event loop or
	 * runs code that others wait for.
	 * @return {@code true} if waiting could end in a deadlock
	 */
	public boolean mustNotWait() {
		return isInUserCode() || Schedulers.isInNonBlockingThread();
	}

	/**
	 * Return an error without the wrappers that reflection and reactive operators put
	 * around it.
	 * @param error the error
	 * @return the error itself or one of its causes
	 */
	public static Throwable unwrap(Throwable error) {
		Throwable unwrapped = Exceptions.unwrap(error);
		while ((unwrapped instanceof UndeclaredThrowableException || unwrapped instanceof CompletionException
				|| unwrapped instanceof ExecutionException) && unwrapped.getCause() != null) {
			unwrapped = Exceptions.unwrap(unwrapped.getCause());
		}
		return unwrapped;
	}

	/**
	 * A task for the executor. It runs only once, even if the executor throws after
	 * accepting it, and never on an event loop, even if the executor runs its tasks on
	 * the thread of the caller.
	 */
	private final class ExecutorTask implements Runnable {

		private final Runnable task;

		private final AtomicBoolean begun = new AtomicBoolean();

		private ExecutorTask(Runnable task) {
			this.task = task;
		}

		@Override
		public void run() {
			if (Schedulers.isInNonBlockingThread()) {
				UserCode.this.ownThread.execute(this);
			}
			else if (this.begun.compareAndSet(false, true)) {
				this.task.run();
			}
		}

	}

}
