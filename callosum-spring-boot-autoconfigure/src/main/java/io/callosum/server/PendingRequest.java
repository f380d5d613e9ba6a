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
import java.util.Objects;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;
import java.util.concurrent.atomic.AtomicReferenceFieldUpdater;

import io.netty.handler.ssl.SslHandshakeTimeoutException;
import io.netty.util.concurrent.ScheduledFuture;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;

import io.callosum.server.SlotRequestEvent.Answer;
import io.callosum.transport.Channels;
import io.callosum.transport.UserCode;

/**
 * Requests the slot of a connection until the slot is held, or the connection is refused
 * or given up. After that, it only waits for an answer that has not arrived yet: a slot
 * that is assigned too late is freed at once.
 * <p>
 * The outcome is decided by a single race, of {@link #settle} against {@link #giveUp}. As
 * the subscriber to a publisher of the answer, it takes the first element and never
 * cancels: a cancelled answer could be a slot that is never freed.
 */
final class PendingRequest implements CoreSubscriber<Integer> {

	private static final Log logger = LogFactory.getLog(PendingRequest.class);

	private static final AtomicReferenceFieldUpdater<PendingRequest, Outcome> OUTCOME = AtomicReferenceFieldUpdater
		.newUpdater(PendingRequest.class, Outcome.class, "outcome");

	private static final AtomicReferenceFieldUpdater<PendingRequest, Progress> PROGRESS = AtomicReferenceFieldUpdater
		.newUpdater(PendingRequest.class, Progress.class, "progress");

	private static final AtomicIntegerFieldUpdater<PendingRequest> REFUSAL_REPORTED = AtomicIntegerFieldUpdater
		.newUpdater(PendingRequest.class, "refusalReported");

	private static final AtomicIntegerFieldUpdater<PendingRequest> EMITTED = AtomicIntegerFieldUpdater
		.newUpdater(PendingRequest.class, "emitted");

	private final OpenConnections open;

	private final ServerConnection connection;

	private volatile Outcome outcome = Outcome.OPEN;

	private volatile Progress progress = Progress.PENDING;

	/**
	 * The request, {@code null} before the connection is ready. Written on the event
	 * loop.
	 */
	private @Nullable SlotRequest request;

	/**
	 * The timer of the handshake, then that of the slot.
	 */
	private volatile @Nullable ScheduledFuture<?> timer;

	private long deadline;

	/**
	 * 1 when the reason for the refusal has been reported, or is about to be.
	 */
	private volatile int refusalReported;

	/**
	 * 1 when the publisher of the answer has emitted it.
	 */
	private volatile int emitted;

	/**
	 * Why the connection is refused, if not for a failure. Written before
	 * {@link #refusalReason} is called.
	 */
	private @Nullable RefusalReason refusal;

	/**
	 * Whether an answer has arrived and its slot, if any, is not yet held or freed. A
	 * stop waits for that.
	 */
	private volatile boolean answering;

	PendingRequest(OpenConnections open, ServerConnection connection) {
		this.open = open;
		this.connection = connection;
	}

	private CallosumServer server() {
		return this.open.server();
	}

	// Asking

	/**
	 * Limit the time to {@link #begin}, which is called when the TLS handshake is
	 * complete. Event loop.
	 */
	void awaitHandshake(Duration timeout) {
		assert Channels.isOnLoopOrAfter(this.connection.channel());
		this.timer = this.connection.channel()
			.eventLoop()
			.schedule(
					() -> this.connection.handshakeFailed(new SslHandshakeTimeoutException(
							"The client did not complete it within " + timeout.toMillis() + " ms")),
					Channels.nanos(timeout), TimeUnit.NANOSECONDS);
	}

	/**
	 * Ask for a slot. Event loop.
	 */
	void begin(SlotRequest request) {
		assert Channels.isOnLoopOrAfter(this.connection.channel());
		cancelTimer();
		this.timer = null;
		this.request = request;
		if (!this.open.limits().admitSlotRequest()) {
			this.refusal = RefusalReason.MAX_PENDING_SLOT_REQUESTS;
			giveUp(EndReason.REFUSED);
			return;
		}
		server().settings().metricsRecorder.slotRequested();
		this.deadline = this.connection.nanoTime() + Channels.nanos(server().settings().slotTimeout);
		if (!server().userCode().isOnEventLoop()) {
			startTimer();
		}
		this.connection.serial().execute(() -> ask(request));
	}

	private void ask(SlotRequest request) {
		assert this.connection.serial().isRunning();
		if (this.outcome != Outcome.OPEN) {
			answerArrived();
			return;
		}
		SlotRequestEvent event = new SlotRequestEvent(server(), request);
		Throwable error = server().events().publish(event, this.connection.id());
		Answer answer = event.endPublication();
		if (error != null) {
			server().settings().metricsRecorder.listenerFailed();
			if (answer instanceof Answer.Assigned assigned) {
				refuse(error);
				assigned(request, assigned.slot(), false);
			}
			else {
				answerArrived();
				refuse(error);
			}
		}
		else if (answer instanceof Answer.Assigned assigned) {
			assigned(request, assigned.slot(), false);
		}
		else if (answer instanceof Answer.Rejected rejected) {
			answerArrived();
			refuse(rejected.cause());
		}
		else if (answer instanceof Answer.Deferred deferred) {
			startTimer();
			subscribe(deferred.slot());
		}
		else {
			allocate(request);
		}
	}

	private void subscribe(Publisher<Integer> slot) {
		Throwable error = server().userCode().call(this.connection.id(), () -> slot.subscribe(this));
		if (error != null) {
			onError(error);
		}
	}

	private void allocate(SlotRequest request) {
		SlotAllocator allocator = server().settings().slotAllocator;
		int[] slot = new int[1];
		Throwable error = server().userCode().call(request.connectionId(), () -> slot[0] = allocator.allocate(request));
		if (error != null) {
			answerArrived();
			refuse(error);
		}
		else {
			assigned(request, slot[0], true);
		}
	}

	// The publisher of an answer, on any thread

	@Override
	public void onSubscribe(Subscription subscription) {
		// Only the answer, because a source may take a slot for each element
		subscription.request(1);
	}

	@Override
	public void onNext(Integer slot) {
		Objects.requireNonNull(slot, "slot");
		SlotRequest request = this.request;
		if (request != null && EMITTED.compareAndSet(this, 0, 1)) {
			handle(() -> assigned(request, slot, false));
		}
	}

	@Override
	public void onError(Throwable error) {
		if (EMITTED.compareAndSet(this, 0, 1)) {
			handle(() -> {
				answerArrived();
				refuse(error);
			});
		}
	}

	@Override
	public void onComplete() {
		onError(new IllegalStateException("The publisher of the slot completed without a slot"));
	}

	private void handle(Runnable answer) {
		this.answering = true;
		this.open.answering(this.connection);
		this.connection.serial().execute(answer);
	}

	// The answer

	/**
	 * Take the slot that was assigned. Serial.
	 */
	private void assigned(SlotRequest request, int slot, boolean allocated) {
		assert this.connection.serial().isRunning();
		answerArrived();
		if (slot < 0) {
			refuse(new IllegalStateException("The assigned slot is negative: " + slot));
			return;
		}
		SlotLease lease = new SlotLease(
				new LeasedConnection(this.connection, request, slot, this.open.weight().announce(slot)), allocated);
		switch (server().slots().hold(lease, (held) -> waited(lease, held))) {
			case HELD -> settle(lease);
			case WAITING -> {
				this.answering = true;
				startTimer();
			}
			case TAKEN -> taken(slot);
		}
	}

	/**
	 * The {@link SlotFreeEvent} of the slot's previous holder has been published.
	 */
	private void waited(SlotLease lease, boolean held) {
		this.connection.serial().executeLater(() -> {
			if (held) {
				settle(lease);
			}
			else {
				taken(lease.slot());
			}
		});
	}

	private void taken(int slot) {
		CallosumConnection holder = server().slots().holder(slot);
		refuse(new IllegalStateException("Slot " + slot + " was assigned, but "
				+ ((holder != null) ? "connection " + holder.id() : "another connection") + " holds it"));
	}

	/**
	 * The slot is held. It now belongs to the connection, or is freed at once if the
	 * request has been given up. Serial.
	 */
	private void settle(SlotLease lease) {
		assert this.connection.serial().isRunning();
		this.answering = false;
		if (this.connection.nanoTime() - this.deadline > 0) {
			timedOut();
		}
		cancelTimer();
		if (OUTCOME.compareAndSet(this, Outcome.OPEN, Outcome.HELD)) {
			this.connection.slotHeld(lease);
		}
		else {
			this.connection.free(lease);
		}
	}

	/**
	 * Refuse the connection. Serial.
	 */
	private void refuse(Throwable error) {
		assert this.connection.serial().isRunning();
		Throwable cause = UserCode.unwrap(error);
		boolean refused = giveUp(EndReason.REFUSED);
		cancelTimer();
		if (refused && cause instanceof NoSlotAvailableException) {
			this.refusal = RefusalReason.NO_SLOT_AVAILABLE;
		}
		boolean reported = !(cause instanceof NoSlotAvailableException)
				&& (refused || this.connection.reason() != EndReason.SERVER_STOPPED);
		if (reported && REFUSAL_REPORTED.compareAndSet(this, 0, 1)) {
			server().events().report(ErrorKind.SLOT_REQUEST, cause, this.connection.id());
		}
		this.answering = false;
		this.connection.leave();
	}

	/**
	 * Give up the request and close the connection, unless the slot is already held or
	 * the request has already been given up. From now on, a slot that is assigned is
	 * freed at once. Any thread.
	 */
	boolean giveUp(EndReason reason) {
		if (!giveUp()) {
			return false;
		}
		this.connection.close(reason);
		return true;
	}

	/**
	 * Give up the request of a connection that is already closed.
	 */
	boolean giveUp() {
		return OUTCOME.compareAndSet(this, Outcome.OPEN, Outcome.GIVEN_UP);
	}

	/**
	 * The channel is closed. The timer of the slot keeps running: an answer that does not
	 * arrive in time is overdue even if its connection is gone. Event loop, or after it.
	 */
	void channelClosed() {
		assert Channels.isOnLoopOrAfter(this.connection.channel());
		if (this.request == null) {
			cancelTimer();
		}
	}

	boolean isAnswering() {
		return this.answering;
	}

	/**
	 * Return why the connection did not get a slot. Serial.
	 * @param reason what ended the connection
	 */
	RefusalReason refusalReason(@Nullable EndReason reason) {
		assert this.connection.serial().isRunning();
		if (reason == EndReason.REFUSED) {
			return (this.refusal != null) ? this.refusal : RefusalReason.SLOT_REQUEST_FAILED;
		}
		if (reason == EndReason.SLOT_TIMEOUT) {
			return RefusalReason.SLOT_TIMEOUT;
		}
		if (reason == EndReason.SERVER_STOPPED) {
			return RefusalReason.SERVER_STOPPED;
		}
		if (reason == EndReason.OUT_OF_MEMORY) {
			return RefusalReason.OUT_OF_MEMORY;
		}
		boolean failed = reason == EndReason.CONNECTION_FAILED || reason == EndReason.IDLE_TIMEOUT;
		return (this.request == null && failed) ? RefusalReason.HANDSHAKE_FAILED : RefusalReason.CONNECTION_GONE;
	}

	// The timeout

	private void startTimer() {
		if (this.timer == null) {
			long delay = this.deadline - this.connection.nanoTime();
			try {
				this.timer = this.connection.channel()
					.eventLoop()
					.schedule(this::timedOut, delay, TimeUnit.NANOSECONDS);
			}
			catch (RejectedExecutionException ex) {
				logger.trace("The event loop has ended", ex);
			}
		}
	}

	private void cancelTimer() {
		ScheduledFuture<?> timer = this.timer;
		if (timer != null) {
			timer.cancel(false);
		}
	}

	private void timedOut() {
		// First, because the close or the error may cause the answer to arrive
		if (PROGRESS.compareAndSet(this, Progress.PENDING, Progress.OVERDUE)) {
			server().settings().metricsRecorder.slotRequestOverdue();
		}
		boolean givenUp = giveUp(EndReason.SLOT_TIMEOUT);
		if (givenUp && REFUSAL_REPORTED.compareAndSet(this, 0, 1)) {
			Duration slotTimeout = server().settings().slotTimeout;
			server().events()
				.report(ErrorKind.SLOT_TIMEOUT,
						new TimeoutException("No slot was assigned within " + slotTimeout.toMillis() + " ms"),
						this.connection.id());
		}
	}

	private void answerArrived() {
		Progress last = PROGRESS.getAndSet(this, Progress.ARRIVED);
		if (last == Progress.ARRIVED) {
			return;
		}
		this.open.limits().slotRequestAnswered();
		server().settings().metricsRecorder.slotRequestAnswered();
		if (last == Progress.OVERDUE) {
			server().settings().metricsRecorder.overdueSlotRequestAnswered();
		}
	}

	private enum Outcome {

		/**
		 * No slot is held yet.
		 */
		OPEN,

		/**
		 * The connection has its slot.
		 */
		HELD,

		/**
		 * The connection gets no slot: it was refused, timed out, or closed.
		 */
		GIVEN_UP

	}

	/**
	 * The progress of the answer.
	 */
	private enum Progress {

		PENDING, OVERDUE, ARRIVED

	}

}
