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
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;

import io.netty.handler.codec.DecoderException;
import javax.net.ssl.SSLHandshakeException;

import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import org.jspecify.annotations.Nullable;

import org.springframework.context.ApplicationEventPublisher;
import org.springframework.util.StringUtils;

import io.callosum.transport.Disconnects;
import io.callosum.transport.ThrottledLog;
import io.callosum.transport.UserCode;

/**
 * Publishes events and reports errors to the application. Nothing that a listener throws
 * propagates any further.
 */
final class ServerEvents {

	private static final Log logger = LogFactory.getLog(CallosumServer.class);

	private static final int MAX_MESSAGE_LENGTH = 120;

	private static final long MAX_CLASS_LOADING_NANOS = Duration.ofSeconds(1).toNanos();

	private static final Pattern CONTROL = Pattern.compile("\\p{Cntrl}");

	private final CallosumServer server;

	private final @Nullable ApplicationEventPublisher publisher;

	private final UserCode userCode;

	private final ErrorLog errorLog = new ErrorLog(logger);

	private final ThrottledLog errorListenerLog = new ThrottledLog(logger::error);

	private final ThrottledLog slowListenerLog = new ThrottledLog(logger::warn);

	private final ThrottledLog slowHandlerLog = new ThrottledLog(logger::warn);

	/**
	 * When code of each kind held an event loop for the first time, which may have been
	 * because its classes were loaded.
	 */
	private final Map<String, Long> firstHeld = new ConcurrentHashMap<>();

	/**
	 * The number of errors that have been handed to the executor but not yet published.
	 */
	private final AtomicInteger pendingErrors = new AtomicInteger();

	ServerEvents(CallosumServer server, @Nullable ApplicationEventPublisher publisher, UserCode userCode) {
		this.server = server;
		this.publisher = publisher;
		this.userCode = userCode;
	}

	/**
	 * Publish an event.
	 * @param event the event
	 * @param connectionId the connection that the event is about, if any
	 * @return what a listener threw, or {@code null} if all have returned
	 */
	@Nullable Throwable publish(CallosumServerEvent event, @Nullable String connectionId) {
		if (logger.isTraceEnabled()) {
			logger.trace("Publishing " + printable(event.toString()));
		}
		ApplicationEventPublisher publisher = this.publisher;
		if (publisher == null) {
			return null;
		}
		long start = System.nanoTime();
		try {
			return this.userCode.call(connectionId, () -> publisher.publishEvent(event));
		}
		finally {
			long nanos = UserCode.heldEventLoopSince(start);
			if (nanos > 0) {
				heldEventLoop(event.getClass().getName(), nanos, this.slowListenerLog,
						"The listeners of " + event.getClass().getSimpleName(),
						"If listeners must block, run them on an"
								+ " executor: callosum.server.listener-execution=task-executor");
			}
		}
	}

	/**
	 * Warn that the owner of a connection's bytes has held an event loop.
	 * @param owner the connection handler or a listener
	 * @param receiving whether it did so when it received bytes
	 * @param nanos the time in nanoseconds
	 */
	void ownerHeldEventLoop(String owner, boolean receiving, long nanos) {
		heldEventLoop(owner + receiving, nanos, this.slowHandlerLog, owner,
				"Move what blocks to other threads, for example by subscribeOn(Schedulers.fromExecutor(...))");
	}

	private void heldEventLoop(String kind, long nanos, ThrottledLog log, String who, String remedy) {
		if (!mayHaveLoadedClasses(kind, nanos, System.nanoTime())) {
			log.log(who + " held an event loop for " + TimeUnit.NANOSECONDS.toMillis(nanos)
					+ " ms, which delayed all of its connections. " + remedy, null);
		}
	}

	/**
	 * Return whether code that held an event loop may have waited for classes to be
	 * loaded.
	 * @param kind the kind of code
	 * @param nanos the time in nanoseconds
	 * @param now when it released the event loop, in terms of {@link System#nanoTime()}
	 * @return {@code true} the first time, unless it took longer than class loading does
	 */
	boolean mayHaveLoadedClasses(String kind, long nanos, long now) {
		long first = this.firstHeld.computeIfAbsent(kind, (absent) -> now);
		// Code that began before that waited for the same classes on another event loop
		return nanos <= MAX_CLASS_LOADING_NANOS && now - nanos - first <= 0;
	}

	/**
	 * Publish an event, and report what a listener throws.
	 * @param event the event
	 * @param connectionId the connection that the event is about, if any
	 */
	void publishAndReport(CallosumServerEvent event, @Nullable String connectionId) {
		Throwable error = publish(event, connectionId);
		if (error != null) {
			report(ErrorKind.LISTENER, "A listener of " + event.getClass().getSimpleName() + " failed", error,
					connectionId);
		}
	}

	/**
	 * Log an error, if the log rate permits, and publish it as {@link ServerErrorEvent}.
	 * @param kind what failed
	 * @param error the error
	 * @param connectionId the connection that it affects, if any
	 */
	void report(ErrorKind kind, Throwable error, @Nullable String connectionId) {
		report(kind, kind.message, error, connectionId);
	}

	private void report(ErrorKind kind, String message, Throwable error, @Nullable String connectionId) {
		Throwable unwrapped = Disconnects.withoutBytesOfPeer(UserCode.unwrap(error));
		Throwable cause = (kind == ErrorKind.HANDSHAKE) ? printable(unwrapped) : unwrapped;
		if (kind == ErrorKind.ACCEPT) {
			this.server.settings().metricsRecorder.acceptFailed();
		}
		else if (kind == ErrorKind.LISTENER) {
			this.server.settings().metricsRecorder.listenerFailed();
		}
		String prefix = message + ((connectionId != null) ? " (connection " + connectionId + "): " : ": ");
		// A codec fails because of what a peer has sent
		if (kind.isOfApplication && !(cause instanceof DecoderException)) {
			this.errorLog.log(kind, prefix + cause, cause, true);
		}
		else {
			// The message may hold what a peer has sent
			this.errorLog.log(kind, prefix + printable(StringUtils.truncate(cause.toString(), MAX_MESSAGE_LENGTH)),
					cause, false);
		}
		if (this.userCode.mayRunHere()) {
			publishError(cause, connectionId);
			return;
		}
		// A listener that may block everywhere else may block here too
		this.pendingErrors.incrementAndGet();
		this.userCode.execute(() -> {
			try {
				publishError(cause, connectionId);
			}
			finally {
				this.pendingErrors.decrementAndGet();
			}
		});
	}

	/**
	 * Return an error that is safe to log: what a peer has sent in its handshake, such as
	 * its certificate, must not forge log lines.
	 */
	private static Throwable printable(Throwable error) {
		for (Throwable cause = error; cause != null; cause = cause.getCause()) {
			if (CONTROL.matcher(String.valueOf(cause.getMessage())).find()) {
				SSLHandshakeException printable = new SSLHandshakeException(
						printable(String.valueOf(error.getMessage())));
				printable.setStackTrace(error.getStackTrace());
				return printable;
			}
		}
		return error;
	}

	private static String printable(String message) {
		return CONTROL.matcher(message).replaceAll("?");
	}

	boolean hasPendingErrors() {
		return this.pendingErrors.get() > 0;
	}

	private void publishError(Throwable error, @Nullable String connectionId) {
		Throwable failure = publish(new ServerErrorEvent(this.server, error, connectionId), connectionId);
		if (failure != null) {
			this.errorListenerLog.log("A listener of ServerErrorEvent failed", failure);
		}
	}

}
