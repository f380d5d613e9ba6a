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

import java.lang.reflect.UndeclaredThrowableException;
import java.time.Duration;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;

import io.netty.channel.EventLoop;
import io.netty.handler.codec.DecoderException;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import org.jspecify.annotations.Nullable;
import reactor.core.Exceptions;
import reactor.core.scheduler.Schedulers;

import org.springframework.context.ApplicationEventPublisher;
import org.springframework.core.task.SimpleAsyncTaskExecutor;
import org.springframework.util.StringUtils;

/**
 * The way from the server to the application: publishes events, calls user code and
 * reports errors, so that nothing that user code throws gets any further.
 */
final class ServerEvents {

	private static final Log logger = LogFactory.getLog(CallosumServer.class);

	private static final long SLOW_NANOS = Duration.ofMillis(100).toNanos();

	private static final int MAX_MESSAGE_LENGTH = 120;

	private static final Pattern CONTROL = Pattern.compile("\\p{Cntrl}");

	private final CallosumServer server;

	private final @Nullable ApplicationEventPublisher publisher;

	private final @Nullable Executor listenerExecutor;

	/**
	 * Whether the executor makes those wait who give it a task, and an event loop must
	 * not.
	 */
	private final boolean executorBlocks;

	/**
	 * Takes what an executor rejects or an event loop that has ended cannot run any more.
	 */
	private final ThreadPoolExecutor ownThread;

	/**
	 * Whether this thread runs user code on behalf of this server.
	 */
	private final ThreadLocal<Boolean> inUserCode = ThreadLocal.withInitial(() -> Boolean.FALSE);

	private final Map<ErrorKind, ThrottledLog> errorLogs = new EnumMap<>(ErrorKind.class);

	private final ThrottledLog errorListenerLog = new ThrottledLog(logger::error);

	private final ThrottledLog slowListenerLog = new ThrottledLog(logger::warn);

	/**
	 * Errors that have been handed to the executor and not yet been published.
	 */
	private final AtomicInteger pendingErrors = new AtomicInteger();

	ServerEvents(CallosumServer server, @Nullable ApplicationEventPublisher publisher,
			@Nullable Executor listenerExecutor) {
		this.server = server;
		this.publisher = publisher;
		this.listenerExecutor = listenerExecutor;
		this.executorBlocks = listenerExecutor instanceof SimpleAsyncTaskExecutor executor
				&& executor.isThrottleActive();
		this.ownThread = new ThreadPoolExecutor(1, 1, 50, TimeUnit.MILLISECONDS, new LinkedBlockingQueue<>(),
				(task) -> {
					Thread thread = new Thread(task, "callosum-events");
					thread.setDaemon(true);
					return thread;
				});
		this.ownThread.allowCoreThreadTimeOut(true);
		for (ErrorKind kind : ErrorKind.values()) {
			this.errorLogs.put(kind, new ThrottledLog(logger::warn));
		}
	}

	/**
	 * Keep the thread that takes what an executor rejects: it may do so because no thread
	 * can be created, and then it is too late for one more.
	 * @param keep whether to have the thread from now on, also while it has nothing to do
	 */
	void keepThread(boolean keep) {
		if (this.listenerExecutor != null) {
			this.ownThread.allowCoreThreadTimeOut(!keep);
			if (keep) {
				this.ownThread.prestartCoreThread();
			}
		}
	}

	/**
	 * Return whether listeners run on the event loops.
	 * @return {@code false} if they have an executor of their own
	 */
	boolean isOnEventLoop() {
		return this.listenerExecutor == null;
	}

	/**
	 * Run a task where the listeners of a connection run. The task is never lost: where
	 * it cannot run there it does on a thread of the server's own.
	 * @param eventLoop the event loop of the connection
	 * @param task the task, which may be run once more where the loop ends, and then has
	 * nothing left to do
	 */
	void execute(EventLoop eventLoop, Runnable task) {
		if (this.listenerExecutor != null) {
			handOver(this.listenerExecutor, task);
		}
		else {
			executeOrElseOwn(eventLoop, task);
			if (eventLoop.isShutdown()) {
				// Netty drops without a word what it is given just as it ends
				eventLoop.terminationFuture().addListener((terminated) -> this.ownThread.execute(task));
			}
		}
	}

	private void handOver(Executor listenerExecutor, Runnable task) {
		ListenerTask listenerTask = new ListenerTask(task);
		if (this.executorBlocks && Schedulers.isInNonBlockingThread()) {
			this.ownThread.execute(() -> executeOrElseOwn(listenerExecutor, listenerTask));
		}
		else {
			executeOrElseOwn(listenerExecutor, listenerTask);
		}
	}

	private void executeOrElseOwn(Executor executor, Runnable task) {
		try {
			executor.execute(task);
		}
		catch (Throwable ex) {
			// Also an Error: a thread that could not be created
			this.ownThread.execute(task);
		}
	}

	/**
	 * Publish an event.
	 * @param event the event
	 * @return what a listener threw, or {@code null} if all have returned
	 */
	@Nullable Throwable publish(CallosumServerEvent event) {
		ApplicationEventPublisher publisher = this.publisher;
		if (publisher == null) {
			return null;
		}
		long start = System.nanoTime();
		try {
			return call(() -> publisher.publishEvent(event));
		}
		finally {
			long nanos = System.nanoTime() - start;
			if (nanos > SLOW_NANOS && Schedulers.isInNonBlockingThread()) {
				this.slowListenerLog.log("The listeners of " + event.getClass().getSimpleName()
						+ " held an event loop for " + TimeUnit.NANOSECONDS.toMillis(nanos)
						+ " ms, and with it all its connections. If listeners have to block, let them run on an"
						+ " executor: callosum.server.listener-execution=task-executor", null);
			}
		}
	}

	/**
	 * Publish an event, and report what a listener throws.
	 * @param event the event
	 * @param connectionId the connection that the event is about, if any
	 */
	void publishAndReport(CallosumServerEvent event, @Nullable String connectionId) {
		Throwable error = publish(event);
		if (error != null) {
			report(ErrorKind.LISTENER, "A listener of " + event.getClass().getSimpleName() + " failed", error,
					connectionId);
		}
	}

	/**
	 * Call user code.
	 * @param code the code
	 * @return what it threw, unwrapped, or {@code null}
	 */
	@Nullable Throwable call(Runnable code) {
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
	 * Return whether the current thread must not wait for this server: it is an event
	 * loop, or runs user code that the server waits for.
	 * @return whether waiting could end in a deadlock
	 */
	boolean mustNotWait() {
		return isInUserCode() || Schedulers.isInNonBlockingThread();
	}

	boolean isInUserCode() {
		return this.inUserCode.get();
	}

	/**
	 * Log an error, as far as the rate allows, and publish it as
	 * {@link ServerErrorEvent}.
	 * @param kind what failed
	 * @param error the error
	 * @param connectionId the connection that it harmed, if any
	 */
	void report(ErrorKind kind, Throwable error, @Nullable String connectionId) {
		report(kind, kind.message, error, connectionId);
	}

	private void report(ErrorKind kind, String message, Throwable error, @Nullable String connectionId) {
		Throwable cause = unwrap(error);
		if (kind == ErrorKind.ACCEPT) {
			this.server.metrics().acceptFailed();
		}
		else if (kind == ErrorKind.LISTENER) {
			this.server.metrics().listenerFailed();
		}
		String prefix = message + ((connectionId != null) ? " (connection " + connectionId + "): " : ": ");
		ThrottledLog log = this.errorLogs.get(kind);
		if (log != null) {
			// A codec fails because of what a peer has sent
			if (kind.logsStackTrace && !(cause instanceof DecoderException)) {
				log.log(prefix + cause, cause);
			}
			else {
				// The message may hold what a peer has sent
				String description = StringUtils.truncate(cause.toString(), MAX_MESSAGE_LENGTH);
				log.log(prefix + CONTROL.matcher(description).replaceAll("?"), null);
			}
		}
		Executor executor = this.listenerExecutor;
		if (executor == null || !Schedulers.isInNonBlockingThread()) {
			publishError(cause, connectionId);
			return;
		}
		// A listener that may block everywhere else may block here too
		this.pendingErrors.incrementAndGet();
		handOver(executor, () -> {
			try {
				publishError(cause, connectionId);
			}
			finally {
				this.pendingErrors.decrementAndGet();
			}
		});
	}

	boolean hasPendingErrors() {
		return this.pendingErrors.get() > 0;
	}

	private void publishError(Throwable error, @Nullable String connectionId) {
		Throwable failure = publish(new ServerErrorEvent(this.server, error, connectionId));
		if (failure != null) {
			this.errorListenerLog.log("A listener of ServerErrorEvent failed", failure);
		}
	}

	static Throwable unwrap(Throwable error) {
		Throwable unwrapped = Exceptions.unwrap(error);
		while ((unwrapped instanceof UndeclaredThrowableException || unwrapped instanceof CompletionException
				|| unwrapped instanceof ExecutionException) && unwrapped.getCause() != null) {
			unwrapped = Exceptions.unwrap(unwrapped.getCause());
		}
		return unwrapped;
	}

	/**
	 * A task for the executor of the listeners. Runs once, also if the executor throws
	 * although it has taken the task, and on no event loop, also if the executor runs its
	 * tasks on the thread of the caller.
	 */
	private final class ListenerTask implements Runnable {

		private final Runnable task;

		private final AtomicBoolean begun = new AtomicBoolean();

		private ListenerTask(Runnable task) {
			this.task = task;
		}

		@Override
		public void run() {
			if (Schedulers.isInNonBlockingThread()) {
				ServerEvents.this.ownThread.execute(this);
			}
			else if (this.begun.compareAndSet(false, true)) {
				this.task.run();
			}
		}

	}

}
