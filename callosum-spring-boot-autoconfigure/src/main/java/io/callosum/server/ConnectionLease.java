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

import java.io.IOException;
import java.net.SocketAddress;
import java.nio.channels.ClosedChannelException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.AtomicReferenceFieldUpdater;

import javax.net.ssl.SSLException;

import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.ChannelPromise;
import io.netty.channel.nio.NioIoHandle;
import io.netty.channel.socket.DuplexChannel;
import io.netty.channel.unix.UnixChannel;
import io.netty.handler.codec.DecoderException;
import io.netty.handler.ssl.SslClosedEngineException;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeTimeoutException;
import io.netty.util.concurrent.ScheduledFuture;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Operators;
import reactor.netty.channel.AbortedException;
import reactor.netty.channel.ChannelOperations;

import io.callosum.server.SlotFreeEvent.Reason;
import io.callosum.server.SlotRequestEvent.Answer;

/**
 * The life of one connection. The lease owns the slot of its connection from before the
 * allocator is asked until the slot is back, with one atomic state, so that a slot is
 * freed exactly once whoever is first: the answer, the time-out or the end of the
 * connection.
 * <p>
 * Methods marked <em>serial</em> run in the {@link SerialExecutor} of the connection: one
 * after another, where its listeners run.
 */
final class ConnectionLease {

	private static final Log logger = LogFactory.getLog(ConnectionLease.class);

	private static final AtomicReferenceFieldUpdater<ConnectionLease, State> STATE = AtomicReferenceFieldUpdater
		.newUpdater(ConnectionLease.class, State.class, "state");

	private static final AtomicReferenceFieldUpdater<ConnectionLease, Progress> ANSWER = AtomicReferenceFieldUpdater
		.newUpdater(ConnectionLease.class, Progress.class, "answer");

	private static final AtomicReferenceFieldUpdater<ConnectionLease, Reason> REASON = AtomicReferenceFieldUpdater
		.newUpdater(ConnectionLease.class, Reason.class, "reason");

	private static final AtomicIntegerFieldUpdater<ConnectionLease> REFUSAL_TOLD = AtomicIntegerFieldUpdater
		.newUpdater(ConnectionLease.class, "refusalTold");

	/**
	 * How long what a peer still sends is discarded once its answer is complete: closing
	 * a socket with unread bytes resets it, and the peer may lose the answer.
	 */
	private static final Duration LINGER = Duration.ofSeconds(1);

	/**
	 * The same while the server drains, when the peer has been quiet for a while.
	 */
	private static final Duration LINGER_WHILE_DRAINING = Duration.ofMillis(250);

	private final ServerRun run;

	private final Channel channel;

	private final String id;

	private final Instant acceptedAt = Instant.now();

	private final long acceptedNanos;

	/**
	 * The address that the limits count, {@code null} if the peer was gone already.
	 */
	private final @Nullable SocketAddress admittedAddress;

	private final SerialExecutor serial;

	private final ReadAheadHandler readAhead;

	private volatile State state = State.REQUESTED;

	private volatile Progress answer = Progress.PENDING;

	/**
	 * Who or what ended the connection, {@code null} while it lives.
	 */
	private volatile @Nullable Reason reason;

	/**
	 * How many bytes have been written without a failure: the slot line, or none yet.
	 * Event loop.
	 */
	private int bytesKnownToBeWritten;

	private @Nullable ChannelOperations<?, ?> operations;

	private @Nullable SlotRequest request;

	private volatile @Nullable LeasedConnection connection;

	private volatile @Nullable ScheduledFuture<?> timeout;

	private long deadline;

	/**
	 * Whether the slot is one that {@link SlotAllocator#allocate} returned.
	 */
	private boolean allocated;

	/**
	 * 1 when it was told, or is about to be, why the connection is refused.
	 */
	private volatile int refusalTold;

	/**
	 * Whether the connection is refused for want of a slot. Serial.
	 */
	private boolean noSlotAvailable;

	/**
	 * Whether an answer has come and its slot, if it has one, is not held or free yet. A
	 * stop waits for that.
	 */
	private volatile boolean answering;

	/**
	 * Whether the channel is closed. Serial.
	 */
	private boolean gone;

	/**
	 * Whether the limits still count this connection. Serial.
	 */
	private boolean counted = true;

	private volatile @Nullable HandlerSubscriber handling;

	/**
	 * Leases that wait for the slot of this one. Guarded by this, see {@link SlotTable}.
	 */
	private @Nullable List<ConnectionLease> successors;

	ConnectionLease(ServerRun run, Channel channel, @Nullable SocketAddress admittedAddress, String id) {
		this.run = run;
		this.admittedAddress = admittedAddress;
		this.channel = channel;
		this.id = id;
		this.acceptedNanos = nanoTime();
		this.serial = new SerialExecutor(run.events(), channel.eventLoop());
		this.readAhead = new ReadAheadHandler(this);
	}

	Instant acceptedAt() {
		return this.acceptedAt;
	}

	private Duration sinceAccepted() {
		return Duration.ofNanos(nanoTime() - this.acceptedNanos);
	}

	/**
	 * Return the time of the clock that runs the timers of this connection.
	 */
	private long nanoTime() {
		return this.channel.eventLoop().ticker().nanoTime();
	}

	ReadAheadHandler readAhead() {
		return this.readAhead;
	}

	Channel channel() {
		return this.channel;
	}

	ServerRun run() {
		return this.run;
	}

	/**
	 * Return the connection as the application sees it. There is one as soon as a slot
	 * was assigned.
	 * @return the connection
	 */
	LeasedConnection connection() {
		LeasedConnection connection = this.connection;
		if (connection == null) {
			throw new IllegalStateException("The connection has no slot");
		}
		return connection;
	}

	// Asking for a slot

	/**
	 * Limit the time until {@link #begin()}. Called on the event loop.
	 */
	void awaitHandshake(Duration handshakeTimeout) {
		this.timeout = this.channel.eventLoop()
			.schedule(
					() -> handshakeFailed(new SslHandshakeTimeoutException(
							"The client did not complete it within " + handshakeTimeout.toMillis() + " ms")),
					ServerRun.nanos(handshakeTimeout), TimeUnit.NANOSECONDS);
	}

	/**
	 * Begin: the connection is ready, its handshake done. Called on the event loop.
	 */
	void begin() {
		SocketAddress remoteAddress = this.channel.remoteAddress();
		SocketAddress localAddress = this.channel.localAddress();
		if (remoteAddress == null || localAddress == null) {
			// The system has forgotten the peer already
			this.channel.close();
			return;
		}
		cancelTimeout();
		this.timeout = null;
		this.operations = ChannelOperations.get(this.channel);
		this.request = new SlotRequest(this.id, remoteAddress, localAddress);
		this.deadline = nanoTime() + ServerRun.nanos(this.run.settings().slotTimeout);
		if (!this.run.events().isOnEventLoop()) {
			scheduleTimeout();
		}
		this.serial.execute(this::requestSlot);
	}

	private void requestSlot() {
		if (this.state != State.REQUESTED) {
			answerArrived();
			return;
		}
		if (this.run.hasTooManyOverdueAnswers()) {
			answerArrived();
			refuse(new IllegalStateException("More than " + ServerRun.MAX_OVERDUE_ANSWERS
					+ " slot requests are overdue: whoever answers them does not keep up"));
			return;
		}
		SlotRequestEvent event = new SlotRequestEvent(this.run.server(), request());
		Throwable error = this.run.events().publish(event);
		Answer answer = event.endPublication();
		if (error != null) {
			this.run.metrics().listenerFailed();
			if (answer instanceof Answer.Assigned assigned) {
				refuse(error);
				assigned(assigned.slot(), false);
			}
			else {
				answerArrived();
				refuse(error);
			}
		}
		else if (answer instanceof Answer.Assigned assigned) {
			assigned(assigned.slot(), false);
		}
		else if (answer instanceof Answer.Rejected rejected) {
			answerArrived();
			refuse(rejected.cause());
		}
		else if (answer instanceof Answer.Deferred deferred) {
			scheduleTimeout();
			subscribe(deferred.slot());
		}
		else {
			allocate();
		}
	}

	private void subscribe(Publisher<Integer> slot) {
		AnswerSubscriber subscriber = new AnswerSubscriber();
		Throwable error = this.run.events().call(() -> slot.subscribe(subscriber));
		if (error != null) {
			subscriber.onError(error);
		}
	}

	private void allocate() {
		SlotAllocator allocator = this.run.server().slotAllocator();
		int[] slot = new int[1];
		Throwable error = this.run.events().call(() -> slot[0] = allocator.allocate(request()));
		if (error != null) {
			answerArrived();
			refuse(error);
		}
		else {
			assigned(slot[0], true);
		}
	}

	/**
	 * Take the slot that was assigned. Serial.
	 */
	private void assigned(int slot, boolean allocated) {
		answerArrived();
		if (slot < 0) {
			refuse(new IllegalStateException("The slot assigned is negative: " + slot));
			return;
		}
		this.allocated = allocated;
		this.connection = new LeasedConnection(this, request(), slot);
		switch (this.run.server().slots().hold(slot, this)) {
			case HELD -> held();
			case WAITING -> {
				this.answering = true;
				scheduleTimeout();
			}
			case TAKEN -> taken(slot);
		}
	}

	/**
	 * The {@link SlotFreeEvent} of the slot's last holder has been published.
	 * @param slot the slot
	 * @param held whether this lease holds the slot now
	 */
	void waited(int slot, boolean held) {
		this.serial.executeLater(() -> {
			if (held) {
				held();
			}
			else {
				taken(slot);
			}
		});
	}

	private void taken(int slot) {
		this.connection = null;
		ConnectionLease holder = this.run.server().slots().holder(slot);
		refuse(new IllegalStateException("Slot " + slot + " was assigned, but "
				+ ((holder != null) ? "connection " + holder.id : "another") + " holds it"));
	}

	/**
	 * The slot is held. Serial.
	 */
	private void held() {
		this.answering = false;
		if (nanoTime() - this.deadline > 0) {
			timedOut();
		}
		cancelTimeout();
		if (STATE.compareAndSet(this, State.REQUESTED, State.HELD)) {
			onEventLoopOrClose(this::writeSlotLine, Reason.CONNECTION_FAILED);
			this.run.metrics().slotAssigned();
		}
		else {
			free();
		}
	}

	/**
	 * Refuse the connection. Serial.
	 */
	private void refuse(Throwable error) {
		Throwable cause = ServerEvents.unwrap(error);
		boolean refused = abandon(Reason.REFUSED);
		cancelTimeout();
		if (refused && cause instanceof NoSlotAvailableException) {
			this.noSlotAvailable = true;
		}
		boolean toBeTold = !(cause instanceof NoSlotAvailableException)
				&& (refused || this.reason != Reason.SERVER_STOPPED);
		if (toBeTold && REFUSAL_TOLD.compareAndSet(this, 0, 1)) {
			this.run.events().report(ErrorKind.SLOT_REQUEST, cause, this.id);
		}
		this.answering = false;
		settle();
	}

	/**
	 * Give up the request, unless a slot is held already: from now on, a slot that is
	 * assigned is freed at once. Any thread.
	 */
	private boolean abandon(Reason reason) {
		if (!STATE.compareAndSet(this, State.REQUESTED, State.ABANDONED)) {
			return false;
		}
		close(reason);
		return true;
	}

	private void scheduleTimeout() {
		if (this.timeout == null) {
			long delay = this.deadline - nanoTime();
			try {
				this.timeout = this.channel.eventLoop().schedule(this::timedOut, delay, TimeUnit.NANOSECONDS);
			}
			catch (RejectedExecutionException ex) {
				logger.trace("The event loop has ended", ex);
			}
		}
	}

	private void cancelTimeout() {
		ScheduledFuture<?> timeout = this.timeout;
		if (timeout != null) {
			timeout.cancel(false);
		}
	}

	private void timedOut() {
		boolean abandoned = abandon(Reason.SLOT_TIMEOUT);
		// Before anybody hears of it: the answer may come in consequence
		if (ANSWER.compareAndSet(this, Progress.PENDING, Progress.OVERDUE)) {
			this.run.answerOverdue();
		}
		if (abandoned && REFUSAL_TOLD.compareAndSet(this, 0, 1)) {
			Duration slotTimeout = this.run.settings().slotTimeout;
			this.run.events()
				.report(ErrorKind.SLOT_TIMEOUT,
						new TimeoutException("No slot was assigned within " + slotTimeout.toMillis() + " ms"), this.id);
		}
	}

	private void answerArrived() {
		if (ANSWER.getAndSet(this, Progress.ARRIVED) == Progress.OVERDUE) {
			this.run.overdueAnswerArrived();
		}
	}

	// Living with it

	/**
	 * Write the slot line. Event loop: handed over from another thread, it could be
	 * overtaken by what the application writes on the event loop meanwhile.
	 */
	private void writeSlotLine() {
		LeasedConnection connection = connection();
		String slotLine = connection.slot() + "\r\n";
		ChannelFuture written;
		try {
			written = this.readAhead.writeAndFlush(ByteBufUtil.writeAscii(this.channel.alloc(), slotLine));
		}
		catch (Throwable ex) {
			// There is no memory for it
			written = this.channel.newFailedFuture(ex);
		}
		connection.slotLineIssued();
		written.addListener((ChannelFuture write) -> {
			if (write.isSuccess()) {
				this.bytesKnownToBeWritten = slotLine.length();
				this.serial.execute(this::connected);
			}
			else {
				failing(write.cause());
				this.channel.close();
			}
		});
	}

	/**
	 * The slot line has been written. Serial.
	 */
	private void connected() {
		if (this.state != State.HELD) {
			return;
		}
		this.run.metrics().slotLineWritten(sinceAccepted());
		LeasedConnection connection = connection();
		ConnectionHandler handler = this.run.settings().connectionHandler;
		connection.beginListeners(handler == null);
		this.run.events().publishAndReport(new ConnectionEvent(this.run.server(), connection), this.id);
		boolean unclaimed = connection.endListeners();
		if (handler != null && this.reason == null && !this.run.isStopping()) {
			connection.beginHandler();
			handle(handler, connection);
		}
		else if (unclaimed) {
			this.readAhead.discard();
		}
	}

	private void handle(ConnectionHandler handler, CallosumConnection connection) {
		HandlerSubscriber subscriber = new HandlerSubscriber();
		this.handling = subscriber;
		Throwable error = this.run.events().call(() -> {
			Publisher<Void> publisher = handler.handle(connection);
			if (publisher == null) {
				throw new IllegalStateException(handler.getClass().getName() + " returned null");
			}
			publisher.subscribe(subscriber);
		});
		if (error != null) {
			subscriber.onError(error);
		}
	}

	// Ending it

	/**
	 * Close the connection at once. Any thread.
	 * @param reason why, if nothing else has ended it yet
	 */
	void close(Reason reason) {
		REASON.compareAndSet(this, null, reason);
		// Netty drops without a word what it is given just as it ends
		if (!onEventLoop(this::closeChannel) || this.channel.eventLoop().isShutdown()) {
			afterEventLoop(() -> {
				closeSocket(this.channel);
				closed();
			});
		}
	}

	private void closeChannel() {
		if (hasQueuedBytes()) {
			// Not through the pipeline: a TLS handler would wait for its peer to read
			this.channel.unsafe().close(this.channel.unsafe().voidPromise());
		}
		else {
			this.channel.close();
		}
	}

	/**
	 * Close the socket of a channel whose event loop has ended, perhaps without closing
	 * it.
	 */
	static void closeSocket(Channel channel) {
		try {
			if (channel instanceof UnixChannel unixChannel) {
				unixChannel.fd().close();
			}
			else if (channel.unsafe() instanceof NioIoHandle handle) {
				handle.selectableChannel().close();
			}
		}
		catch (IOException ex) {
			logger.debug("A socket could not be closed", ex);
		}
	}

	/**
	 * Return whether bytes wait to be written. Event loop.
	 */
	boolean hasQueuedBytes() {
		ChannelOutboundBuffer queued = this.channel.unsafe().outboundBuffer();
		return queued != null && queued.totalPendingWriteBytes() > 0;
	}

	/**
	 * The connection fails, and is about to be closed for it. Event loop.
	 */
	void failing(Throwable cause) {
		if (!(cause instanceof ClosedChannelException)) {
			REASON.compareAndSet(this, null, isPeerGone(cause) ? Reason.PEER_RESET : Reason.CONNECTION_FAILED);
		}
	}

	/**
	 * The application closes the channel, by Reactor Netty or a codec. Event loop.
	 */
	void closing() {
		REASON.compareAndSet(this, null, Reason.APPLICATION_CLOSED);
	}

	/**
	 * Return whether something has ended the connection, or is about to. An error of a
	 * handler may as well be about another connection, such as one to a database.
	 */
	boolean isEnding() {
		return this.reason != null || !this.channel.isActive();
	}

	/**
	 * The connection has failed before it was ready. Event loop.
	 */
	void handshakeFailed(Throwable error) {
		Throwable cause = (error instanceof DecoderException && error.getCause() != null) ? error.getCause() : error;
		boolean peerGone = isPeerGone(cause);
		// Netty tells of a failure as an event and as an exception
		boolean first = REASON.compareAndSet(this, null, peerGone ? Reason.PEER_RESET : Reason.CONNECTION_FAILED);
		if (first && !peerGone) {
			this.run.events().report(ErrorKind.HANDSHAKE, cause, this.id);
		}
		// When Netty has sent the alert that tells the peer
		this.channel.eventLoop().execute(() -> close(Reason.CONNECTION_FAILED));
	}

	/**
	 * Return whether an error only says that the connection is no more.
	 */
	private static boolean isPeerGone(Throwable error) {
		if (error instanceof ClosedChannelException || error instanceof AbortedException
				|| error instanceof SslClosedEngineException) {
			return true;
		}
		String message = error.getMessage();
		// The transports and the JDK agree on no more than these words of the system
		return error instanceof IOException && !(error instanceof SSLException) && message != null
				&& (message.contains("Connection reset") || message.contains("Broken pipe")
						|| message.contains("timed out") || message.contains("No route"));
	}

	/**
	 * Return whether an error comes from the use of a connection that is closed.
	 */
	private static boolean isUseAfterClose(Throwable error) {
		String message = error.getMessage();
		// From the stand-in that Reactor Netty has for a channel that is closed
		return (error instanceof IllegalStateException && "channel not registered to an event loop".equals(message))
				// From a write that has begun on another thread just before the end
				|| (error instanceof NullPointerException && "reactiveBridge is not installed".equals(message));
	}

	/**
	 * End the connection in good order: flush, shut the output, discard what still comes
	 * in for a while, close. Any thread.
	 */
	private void finish(Reason reason) {
		if (!REASON.compareAndSet(this, null, reason)) {
			return;
		}
		onEventLoopOrClose(() -> {
			this.readAhead.discard();
			this.readAhead.flush().addListener((flush) -> {
				SslHandler sslHandler = this.channel.pipeline().get(SslHandler.class);
				if (!flush.isSuccess()) {
					this.channel.close();
				}
				else if (sslHandler != null) {
					sslHandler.closeOutbound().addListener((closeNotify) -> shutdownOutput());
				}
				else {
					shutdownOutput();
				}
			});
		}, reason);
	}

	private void shutdownOutput() {
		if (this.channel instanceof DuplexChannel duplexChannel) {
			duplexChannel.shutdownOutput();
		}
		Duration linger = this.run.isStopping() ? LINGER_WHILE_DRAINING : LINGER;
		this.channel.eventLoop().schedule(() -> this.channel.close(), linger.toMillis(), TimeUnit.MILLISECONDS);
	}

	/**
	 * The channel is closed. Event loop, or another thread when that has ended.
	 */
	void closed() {
		if (this.reason == null) {
			REASON.compareAndSet(this, null, hasWriteFailed() ? Reason.PEER_RESET : Reason.PEER_CLOSED);
		}
		if (this.request == null) {
			cancelTimeout();
		}
		this.readAhead.gather();
		this.serial.execute(this::ended);
	}

	/**
	 * Return whether a failed write has closed the channel: the pipeline is not told, but
	 * the failure of any later write has the cause.
	 */
	private boolean hasWriteFailed() {
		if (this.readAhead.bytesSent() == this.bytesKnownToBeWritten) {
			// The usual case, which does not need an exception to be made
			return false;
		}
		ChannelPromise promise = this.channel.newPromise();
		this.channel.unsafe().write(Unpooled.EMPTY_BUFFER, promise);
		Throwable failure = promise.cause();
		return failure != null && failure.getCause() instanceof IOException;
	}

	private void ended() {
		if (this.gone) {
			return;
		}
		this.gone = true;
		HandlerSubscriber handling = this.handling;
		if (handling != null) {
			handling.cancel();
		}
		if (STATE.compareAndSet(this, State.HELD, State.FREEING)) {
			free();
			this.run.metrics().slotFreed(sinceAccepted(), (this.reason != null) ? this.reason : Reason.PEER_CLOSED);
		}
		else {
			STATE.compareAndSet(this, State.REQUESTED, State.ABANDONED);
			settle();
			this.run.metrics().refused(refusalReason());
		}
		this.readAhead.release();
	}

	private RefusalReason refusalReason() {
		Reason reason = this.reason;
		if (reason == Reason.REFUSED) {
			return this.noSlotAvailable ? RefusalReason.NO_SLOT_AVAILABLE : RefusalReason.SLOT_REQUEST_FAILED;
		}
		if (reason == Reason.SLOT_TIMEOUT) {
			return RefusalReason.SLOT_TIMEOUT;
		}
		if (reason == Reason.SERVER_STOPPED) {
			return RefusalReason.SERVER_STOPPED;
		}
		boolean failed = reason == Reason.CONNECTION_FAILED || reason == Reason.IDLE_TIMEOUT;
		return (this.request == null && failed) ? RefusalReason.HANDSHAKE_FAILED : RefusalReason.CONNECTION_GONE;
	}

	/**
	 * Free the slot: first the event, then everything else. Serial.
	 */
	private void free() {
		this.state = State.FREEING;
		LeasedConnection connection = connection();
		Reason reason = this.reason;
		this.run.events()
			.publishAndReport(new SlotFreeEvent(this.run.server(), connection,
					(reason != null) ? reason : Reason.CONNECTION_FAILED), this.id);
		this.run.server().slots().free(connection.slot(), this);
		if (this.allocated) {
			Throwable error = this.run.events()
				.call(() -> this.run.server().slotAllocator().release(connection.slot()));
			if (error != null) {
				this.run.events().report(ErrorKind.RELEASE, error, this.id);
			}
		}
		this.state = State.ENDED;
		settle();
	}

	private void settle() {
		if (this.gone && this.counted) {
			this.counted = false;
			this.run.limits().release(this.admittedAddress);
		}
		if (this.state == State.ENDED) {
			this.run.server().slots().leave(connection().slot(), this);
		}
		if (this.gone && !this.answering) {
			this.run.remove(this);
			if (this.answering) {
				this.run.add(this);
			}
		}
	}

	// Draining

	/**
	 * End the connection as soon as its peer has been quiet for a while. Any thread.
	 */
	void drain() {
		if (!abandon(Reason.SERVER_STOPPED)) {
			onEventLoopOrClose(() -> {
				this.readAhead.isQuiet();
				scheduleDraining(this::drainWhenQuiet);
			}, Reason.SERVER_STOPPED);
		}
	}

	private void scheduleDraining(Runnable task) {
		this.channel.eventLoop()
			.schedule(task, ServerRun.nanos(this.run.settings().shutdownQuietPeriod), TimeUnit.NANOSECONDS);
	}

	private void drainWhenQuiet() {
		LeasedConnection connection = this.connection;
		if (!this.channel.isActive() || connection == null) {
			return;
		}
		if (!this.readAhead.isQuiet()) {
			scheduleDraining(this::drainWhenQuiet);
			return;
		}
		boolean discarding = this.readAhead.isDiscarding() && !connection.isClaimed();
		boolean completed = connection.completeInbound();
		if (this.handling == null) {
			if (discarding) {
				flushAndClose();
			}
			else {
				scheduleDraining(this::drainFurther);
			}
		}
		else if (!completed) {
			// The handler may claim its bytes yet, and wait for their end then
			scheduleDraining(this::drainWhenQuiet);
		}
	}

	/**
	 * Another quiet period has passed for those who may not have done with the bytes:
	 * there is no telling when they have.
	 */
	private void drainFurther() {
		if (this.handling != null) {
			// Called just before the stop
			drainWhenQuiet();
			return;
		}
		// A listener may have claimed them only now
		connection().completeInbound();
		flushAndClose();
	}

	private void flushAndClose() {
		if (REASON.compareAndSet(this, null, Reason.SERVER_STOPPED)) {
			this.readAhead.flush().addListener((flush) -> this.channel.close());
		}
	}

	// Waiting for the slot of another lease, see SlotTable

	boolean isBeingFreed() {
		return this.state == State.FREEING;
	}

	/**
	 * The slot may have its next holder.
	 */
	void freed() {
		this.state = State.FREED;
	}

	boolean isFreed() {
		return this.state == State.FREED || this.state == State.ENDED;
	}

	void addSuccessor(ConnectionLease lease) {
		if (this.successors == null) {
			this.successors = new ArrayList<>(1);
		}
		this.successors.add(lease);
	}

	List<ConnectionLease> removeSuccessors() {
		List<ConnectionLease> successors = this.successors;
		this.successors = null;
		return (successors != null) ? successors : List.of();
	}

	/**
	 * Run a task on the event loop, at once if this is it.
	 * @return {@code false} if the loop has ended
	 */
	boolean onEventLoop(Runnable task) {
		if (this.channel.eventLoop().inEventLoop()) {
			task.run();
			return true;
		}
		try {
			this.channel.eventLoop().execute(task);
			return true;
		}
		catch (RejectedExecutionException ex) {
			logger.trace("The event loop has ended", ex);
			return false;
		}
	}

	/**
	 * The same, but where the loop has ended, close the connection instead.
	 */
	private void onEventLoopOrClose(Runnable task, Reason reason) {
		if (!onEventLoop(task)) {
			close(reason);
		}
	}

	/**
	 * The same, but where the loop has ended, run the task on a thread of Netty's.
	 */
	void onEventLoopOrAfter(Runnable task) {
		if (!onEventLoop(task)) {
			afterEventLoop(task);
		}
	}

	/**
	 * Run a task when the event loop has ended. All such tasks run on the same thread,
	 * and alone use what was the loop's.
	 */
	private void afterEventLoop(Runnable task) {
		this.channel.eventLoop().terminationFuture().addListener((terminated) -> task.run());
	}

	private enum State {

		/**
		 * No slot is held yet.
		 */
		REQUESTED,

		/**
		 * No slot will be kept: refused, too late, or closed before.
		 */
		ABANDONED,

		/**
		 * The connection holds a slot.
		 */
		HELD,

		/**
		 * The connection is gone, the event that says so is being published.
		 */
		FREEING,

		/**
		 * The slot may have its next holder, and is about to be released.
		 */
		FREED,

		/**
		 * The slot is back.
		 */
		ENDED

	}

	/**
	 * Where the answer to the slot request is.
	 */
	private enum Progress {

		PENDING, OVERDUE, ARRIVED

	}

	/**
	 * Takes the first element as the answer, and never cancels: a cancelled answer could
	 * be a slot that nobody frees.
	 */
	private final class AnswerSubscriber implements CoreSubscriber<Integer> {

		private final AtomicBoolean answered = new AtomicBoolean();

		@Override
		public void onSubscribe(Subscription subscription) {
			// No more than the answer: a source may take a slot for each element
			subscription.request(1);
		}

		@Override
		public void onNext(Integer slot) {
			Objects.requireNonNull(slot, "slot");
			if (this.answered.compareAndSet(false, true)) {
				deal(() -> assigned(slot, false));
			}
		}

		@Override
		public void onError(Throwable error) {
			if (this.answered.compareAndSet(false, true)) {
				deal(() -> {
					answerArrived();
					refuse(error);
				});
			}
		}

		@Override
		public void onComplete() {
			onError(new IllegalStateException("The publisher of the slot completed without a slot"));
		}

		private void deal(Runnable answer) {
			ConnectionLease.this.answering = true;
			ConnectionLease.this.run.add(ConnectionLease.this);
			ConnectionLease.this.serial.execute(answer);
		}

	}

	/**
	 * Waits for the end of the handler's publisher.
	 */
	private final class HandlerSubscriber implements CoreSubscriber<Void> {

		private final AtomicReference<@Nullable Subscription> subscription = new AtomicReference<>();

		private final AtomicBoolean ended = new AtomicBoolean();

		@Override
		public void onSubscribe(Subscription subscription) {
			if (this.subscription.compareAndSet(null, subscription)) {
				subscription.request(Long.MAX_VALUE);
			}
			else {
				subscription.cancel();
			}
		}

		@Override
		public void onNext(Void ignored) {
		}

		@Override
		public void onError(Throwable error) {
			if (!this.ended.compareAndSet(false, true)) {
				return;
			}
			Throwable cause = ServerEvents.unwrap(error);
			// What has ended the connection closes it, and knows why
			if (!isEnding() || !(isPeerGone(cause) || isUseAfterClose(cause))) {
				close(Reason.HANDLER_FAILED);
				ConnectionLease.this.run.events().report(ErrorKind.HANDLER, cause, ConnectionLease.this.id);
			}
		}

		@Override
		public void onComplete() {
			if (this.ended.compareAndSet(false, true)) {
				finish(Reason.HANDLER_COMPLETED);
			}
		}

		void cancel() {
			Subscription subscription = this.subscription.getAndSet(Operators.cancelledSubscription());
			if (this.ended.compareAndSet(false, true) && subscription != null) {
				Throwable error = ConnectionLease.this.run.events().call(subscription::cancel);
				if (error != null) {
					ConnectionLease.this.run.events().report(ErrorKind.HANDLER, error, ConnectionLease.this.id);
				}
			}
		}

	}

	/**
	 * Return the connection as Reactor Netty sees it.
	 * @return the connection
	 */
	ChannelOperations<?, ?> operations() {
		ChannelOperations<?, ?> operations = this.operations;
		if (operations == null) {
			throw new IllegalStateException("The connection is not ready");
		}
		return operations;
	}

	private SlotRequest request() {
		SlotRequest request = this.request;
		if (request == null) {
			throw new IllegalStateException("The connection is not ready");
		}
		return request;
	}

}
