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

import java.nio.channels.ClosedChannelException;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicReferenceFieldUpdater;
import java.util.function.Supplier;

import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.handler.codec.DecoderException;
import org.jspecify.annotations.Nullable;

import io.callosum.transport.ChannelOwner;
import io.callosum.transport.Channels;
import io.callosum.transport.Disconnects;
import io.callosum.transport.ReadAheadHandler;

/**
 * The channel of a connection, and the reason for its end. The first reason wins.
 */
abstract class EndingChannel implements ChannelOwner, ChannelFutureListener {

	private static final AtomicReferenceFieldUpdater<EndingChannel, EndReason> REASON = AtomicReferenceFieldUpdater
		.newUpdater(EndingChannel.class, EndReason.class, "reason");

	private final Channel channel;

	/**
	 * What ended the connection, {@code null} while it is open.
	 */
	private volatile @Nullable EndReason reason;

	private volatile boolean closedByApplication;

	private final ReadAheadHandler readAhead;

	EndingChannel(Channel channel) {
		this.channel = channel;
		this.readAhead = new ReadAheadHandler(this);
	}

	@Override
	public Channel channel() {
		return this.channel;
	}

	public ReadAheadHandler readAhead() {
		return this.readAhead;
	}

	/**
	 * Return the time of the clock that runs the timers of this connection.
	 */
	long nanoTime() {
		return this.channel.eventLoop().ticker().nanoTime();
	}

	@Nullable EndReason reason() {
		return this.reason;
	}

	EndReason reasonOr(EndReason unknown) {
		EndReason reason = this.reason;
		return (reason != null) ? reason : unknown;
	}

	/**
	 * Record what ends the connection. Any thread.
	 * @return whether this is the first reason
	 */
	boolean endBecauseOf(EndReason reason) {
		return REASON.compareAndSet(this, null, reason);
	}

	/**
	 * Close the connection at once. Any thread.
	 * @param reason the reason, if nothing else has ended it yet
	 */
	void close(EndReason reason) {
		endBecauseOf(reason);
		Channels.close(this.channel, this::closed);
	}

	/**
	 * End the connection in good order: flush, shut down the output, discard further
	 * input for a while, close. Any thread.
	 * @param reason the reason, unless something else has already ended it
	 * @param linger returns how long to discard input at most
	 */
	void finish(EndReason reason, Supplier<Duration> linger) {
		if (endBecauseOf(reason)) {
			Channels.runOrElse(this.channel, () -> {
				this.readAhead.discard();
				Channels.closeInGoodOrder(this.channel, this.readAhead.flush(), linger);
			}, () -> close(reason));
		}
	}

	public void flushAndClose() {
		if (endBecauseOf(EndReason.SERVER_STOPPED)) {
			this.readAhead.flush().addListener((flush) -> this.channel.close());
		}
	}

	@Override
	public void operationComplete(ChannelFuture closed) {
		closed();
	}

	private void closed() {
		assert Channels.isOnLoopOrAfter(this.channel);
		if (this.reason == null) {
			endBecauseOf(this.readAhead.hasWriteFailed() ? EndReason.PEER_RESET : EndReason.PEER_CLOSED);
		}
		closed(reasonOr(EndReason.PEER_CLOSED));
	}

	/**
	 * The channel is closed. Called once or twice. Event loop, or after it.
	 * @param reason why
	 */
	abstract void closed(EndReason reason);

	/**
	 * Report an error of this connection.
	 */
	abstract void report(ErrorKind kind, Throwable error);

	public void closeByApplication() {
		this.closedByApplication = true;
		close(EndReason.APPLICATION_CLOSED);
	}

	/**
	 * Return whether the application has closed the connection, even if something else
	 * had ended it before.
	 */
	boolean isClosedByApplication() {
		return this.closedByApplication;
	}

	@Override
	public void failing(Throwable cause) {
		assert Channels.isOnLoopOrAfter(this.channel);
		if (cause instanceof OutOfMemoryError && endBecauseOf(EndReason.OUT_OF_MEMORY)) {
			report(ErrorKind.MEMORY, cause);
		}
		if (!(cause instanceof ClosedChannelException)) {
			endBecauseOf(Disconnects.isPeerGone(cause) ? EndReason.PEER_RESET : EndReason.CONNECTION_FAILED);
		}
	}

	@Override
	public void handshakeFailed(Throwable error) {
		assert Channels.isOnLoopOrAfter(this.channel);
		Throwable cause = (error instanceof DecoderException && error.getCause() != null) ? error.getCause() : error;
		if (cause instanceof OutOfMemoryError) {
			failing(cause);
		}
		boolean peerGone = Disconnects.isPeerGone(cause);
		// Netty reports a failure both as an event and as an exception
		boolean first = endBecauseOf(peerGone ? EndReason.PEER_RESET : EndReason.CONNECTION_FAILED);
		if (first && !peerGone && !Disconnects.isIllegalServerName(cause)) {
			report(ErrorKind.HANDSHAKE, cause);
		}
		// Later, when Netty has sent the TLS alert
		this.channel.eventLoop().execute(() -> close(EndReason.CONNECTION_FAILED));
	}

	@Override
	public void closing() {
		assert Channels.isOnLoopOrAfter(this.channel);
		endBecauseOf(EndReason.APPLICATION_CLOSED);
	}

	@Override
	public void peerClosed() {
		// Reactor Netty would close it too, but gracefully: it would wait for the peer to
		// read, and log that it does not
		close(EndReason.PEER_CLOSED);
	}

	@Override
	public void idleTimedOut() {
		close(EndReason.IDLE_TIMEOUT);
	}

	@Override
	public void writeTimedOut() {
		close(EndReason.WRITE_TIMEOUT);
	}

	@Override
	public boolean isEnding() {
		return this.reason != null || !this.channel.isActive();
	}

}
