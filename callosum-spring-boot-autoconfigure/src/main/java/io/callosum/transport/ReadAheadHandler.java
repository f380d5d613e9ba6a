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

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.channel.RecvByteBufAllocator;
import io.netty.handler.ssl.SslCloseCompletionEvent;
import io.netty.util.ReferenceCountUtil;
import org.jspecify.annotations.Nullable;
import reactor.netty.Connection;
import reactor.netty.NettyPipeline;

/**
 * Keeps a read pending ahead of Reactor Netty, which reads only on demand: on NIO, a
 * connection without a pending read never notices that its peer has gone. What is read
 * before it is requested is held here, in order, and not further down the pipeline, so
 * that codecs that the application adds still receive every byte.
 * <p>
 * Used only on the event loop, or after it has ended, except where noted.
 */
public final class ReadAheadHandler extends TrafficHandler implements RecvByteBufAllocator {

	private @Nullable HeldMessages held;

	/**
	 * Whether downstream has requested a read and not received a message for it yet.
	 */
	private boolean wanted;

	private boolean passing;

	private boolean passed;

	private boolean discarding;

	private boolean released;

	private boolean active;

	/**
	 * Whether a read is pending, as far as this handler decides.
	 */
	private boolean reading;

	private @Nullable InboundRelay relay;

	private final CodecPresence codecPresence = new CodecPresence();

	private @Nullable Throwable failure;

	/**
	 * Whether the failure has been passed to the codecs.
	 */
	private boolean failureFired;

	/**
	 * The connection for code that adds codecs on other threads, {@code null} until it is
	 * needed. Writes are guarded by this.
	 */
	private volatile @Nullable CodecConnection codecs;

	/**
	 * Whether the channel is closed. Writes are guarded by this.
	 */
	private volatile boolean closed;

	/**
	 * Create a new handler.
	 * @param owner the owner of the channel
	 */
	public ReadAheadHandler(ChannelOwner owner) {
		super(owner);
	}

	/**
	 * The connection is ready; with TLS, its handshake is done.
	 */
	@Override
	public void channelActive(ChannelHandlerContext ctx) {
		this.active = true;
		ctx.fireChannelActive();
		this.owner.ready();
		this.reading = true;
		ctx.read();
	}

	@Override
	public void read(ChannelHandlerContext ctx) {
		this.wanted = true;
		pass(ctx);
	}

	@Override
	public void channelRead(ChannelHandlerContext ctx, Object message) {
		received(message);
		if (this.discarding) {
			ReferenceCountUtil.release(message);
		}
		else if (!isHolding() && isWanted(ctx)) {
			this.wanted = false;
			this.passed = true;
			this.codecPresence.deliver(ctx, message);
		}
		else if (this.released) {
			// TLS and codecs continue with the bytes that they have when the channel is
			// closed
			ReferenceCountUtil.release(message);
		}
		else {
			hold(ctx, message);
		}
	}

	private void hold(ChannelHandlerContext ctx, Object message) {
		if (this.held != null && this.held.isFull()) {
			ReferenceCountUtil.release(message);
			exceptionCaught(ctx, ReadAheadBudget.usedUp());
			return;
		}
		if (this.held == null) {
			this.held = new HeldMessages(this.owner.readAheadBudget());
		}
		if (message instanceof ByteBuf buffer) {
			this.held.addBytes(buffer);
		}
		else {
			this.held.add(message);
		}
	}

	private boolean isHolding() {
		return this.held != null && !this.held.isEmpty();
	}

	@Override
	public void channelReadComplete(ChannelHandlerContext ctx) {
		if (this.passed) {
			this.passed = false;
			ctx.fireChannelReadComplete();
		}
		readAhead(ctx);
	}

	@Override
	public void close(ChannelHandlerContext ctx, ChannelPromise promise) {
		this.owner.closing();
		ctx.close(promise);
	}

	@Override
	public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
		if (event instanceof SslCloseCompletionEvent close && close.isSuccess()) {
			this.owner.peerClosed();
		}
		ctx.fireUserEventTriggered(event);
	}

	@Override
	public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
		if (!this.active) {
			this.owner.handshakeFailed(cause);
			return;
		}
		this.owner.failing(cause);
		this.failure = cause;
		if (this.relay != null && isReceiving() && this.relay.gather()) {
			this.failureFired = true;
			ctx.fireExceptionCaught(cause);
		}
		ctx.close();
	}

	/**
	 * The pipeline is about to be emptied, and every codec that was added before is
	 * ready.
	 */
	@Override
	public void channelInactive(ChannelHandlerContext ctx) {
		if (this.relay != null) {
			this.relay.gatherRest();
			if (this.failure != null && !this.failureFired && isReceiving()) {
				ctx.fireExceptionCaught(this.failure);
			}
		}
		HeldMessages undecoded = this.held;
		if (this.relay == null && undecoded != null && bytesSent() > 0
				&& ctx.pipeline().get(NettyPipeline.ReactiveBridge) != null) {
			// The application knows of the slot and may still claim them
			this.held = null;
			UnclaimedMessages unclaimed = new UnclaimedMessages(this.owner.readAheadBudget(), this.failure);
			this.held = unclaimed.decode(undecoded, ctx);
			this.failure = unclaimed.failure();
		}
		else {
			ctx.fireChannelInactive();
		}
		if (this.released) {
			releaseHeld();
		}
	}

	/**
	 * Keep what the owner has not requested yet, because the channel is closed.
	 */
	public void closed() {
		assert isOnLoopOrAfter();
		CodecConnection codecs;
		synchronized (this) {
			this.closed = true;
			codecs = this.codecs;
		}
		// Not under this lock, so that the two locks are never nested
		if (codecs != null) {
			codecs.close();
		}
		if (this.relay != null) {
			this.relay.gather();
		}
	}

	/**
	 * Return the connection to which codecs for the bytes are added. Any thread.
	 * @return the connection
	 */
	public Connection connection() {
		boolean onLoop = this.owner.channel().eventLoop().inEventLoop();
		synchronized (this) {
			if (onLoop && !this.closed) {
				this.codecPresence.forget();
				return this.owner.operations();
			}
			CodecConnection codecs = this.codecs;
			if (codecs == null) {
				codecs = new CodecConnection(this.owner, this.closed);
				this.codecs = codecs;
			}
			return codecs;
		}
	}

	/**
	 * Return whether a thread other than the event loop may be adding codecs.
	 */
	boolean hasCodecsFromElsewhere() {
		return this.codecs != null;
	}

	/**
	 * Return the codecs that were added after the end, or {@code null} if there are none
	 * yet.
	 */
	@Nullable LateCodecs lateCodecs() {
		CodecConnection codecs = this.codecs;
		return (codecs != null) ? codecs.lateCodecs() : null;
	}

	/**
	 * Return whether the channel is closed, so that new codecs are late.
	 */
	boolean isClosed() {
		return this.closed;
	}

	/**
	 * Return whether an error has a subscriber. Reactor Netty logs errors without a
	 * subscriber, at a rate that the peer controls.
	 * @return {@code true} if the bytes are claimed and their owner still receives
	 */
	public boolean isReceiving() {
		return this.relay != null && this.relay.isReceiving();
	}

	/**
	 * Ensure that a read is pending, unless the read-ahead limit is reached.
	 */
	public void readAhead() {
		assert isOnLoopOrAfter();
		ChannelHandlerContext ctx = this.context;
		if (ctx != null) {
			readAhead(ctx);
		}
	}

	/**
	 * Deliver the bytes to a relay, because they have been claimed.
	 */
	void claimedBy(InboundRelay relay) {
		assert isOnLoopOrAfter();
		this.relay = relay;
		this.codecPresence.forget();
	}

	/**
	 * Read and discard from now on. Any thread.
	 */
	public void discard() {
		Channels.run(this.owner.channel(), () -> {
			ChannelHandlerContext ctx = this.context;
			if (!this.discarding && ctx != null) {
				this.discarding = true;
				releaseHeld();
				readAhead(ctx);
			}
		});
	}

	/**
	 * Return whether what the peer sends is discarded.
	 * @return {@code true} after {@link #discard()}
	 */
	public boolean isDiscarding() {
		assert isOnLoopOrAfter();
		return this.discarding;
	}

	/**
	 * Return the next held message, {@code null} if there is none.
	 */
	@Nullable Object poll() {
		assert isOnLoopOrAfter();
		return (this.held != null) ? this.held.poll() : null;
	}

	/**
	 * Return the failure that ended the connection, if any.
	 */
	@Nullable Throwable failure() {
		return this.failure;
	}

	/**
	 * Return whether bytes have been written since the last ones were received, and
	 * nothing is held, or left unread because the limit or the budget is used up.
	 * @return {@code true} also before anything is received, once the slot line is
	 * written
	 */
	public boolean isBetweenMessages() {
		assert isOnLoopOrAfter();
		return isAnswered() && this.reading && !isHolding();
	}

	/**
	 * Return whether the peer has sent nothing since {@link #beginQuietPeriod()}. While
	 * the limit is reached or the budget is used up, nothing is read although the peer
	 * may be sending.
	 * @return {@code false} also if reading was suspended in the meantime
	 */
	public boolean isQuiet() {
		assert isOnLoopOrAfter();
		return hasBeenQuiet() && this.reading;
	}

	/**
	 * Release what is held, because it will not be requested any more. Any thread.
	 */
	public void release() {
		Channels.runOrAfter(this.owner.channel(), () -> {
			this.released = true;
			if (!this.passing && (this.relay == null || !this.relay.gathersLate())) {
				releaseHeld();
			}
			if (this.relay != null) {
				this.relay.uncountRest();
			}
			this.owner.readAheadBudget().forget(this);
		});
	}

	private void releaseHeld() {
		if (this.held != null) {
			this.held.release();
			this.held = null;
		}
	}

	private boolean isWanted(ChannelHandlerContext ctx) {
		// Reactor Netty turns auto-read on and off with the demand
		return this.wanted || ctx.channel().config().isAutoRead();
	}

	private void pass(ChannelHandlerContext ctx) {
		if (this.passing) {
			return;
		}
		this.passing = true;
		try {
			boolean passed = false;
			Object message;
			while (isWanted(ctx) && (message = poll()) != null) {
				this.wanted = false;
				delivered();
				passed = true;
				this.codecPresence.deliver(ctx, message);
			}
			if (passed) {
				ctx.fireChannelReadComplete();
			}
		}
		finally {
			this.passing = false;
			if (this.released) {
				// Released while the rest was being passed to its owner
				releaseHeld();
			}
		}
		readAhead(ctx);
	}

	private void readAhead(ChannelHandlerContext ctx) {
		if (!ctx.channel().isActive()) {
			return;
		}
		ReadAheadBudget budget = this.owner.readAheadBudget();
		boolean mayRead = isAsked() || (hasRoom() && !budget.isUsedUp());
		if (mayRead && !this.reading) {
			// The peer was not necessarily quiet until now
			endQuietPeriod();
		}
		this.reading = mayRead;
		if (mayRead) {
			ctx.read();
		}
		else if (hasRoom()) {
			budget.await(this);
		}
	}

	private boolean hasRoom() {
		return this.held == null || this.held.bytes() < this.owner.readAheadBudget().perConnection();
	}

	/**
	 * Return whether what is read now is passed on or discarded, and not held.
	 */
	private boolean isAsked() {
		ChannelHandlerContext ctx = this.context;
		return ctx != null && (this.discarding || (!isHolding() && isWanted(ctx)));
	}

	/**
	 * Limit how much is read at once. Bytes that have not been requested are held, and a
	 * codec may turn bytes into any number of objects, so both are read in small pieces.
	 * A read that was pending when the budget was used up cannot be cancelled, only kept
	 * very small.
	 * @param size how much could be read
	 */
	int limitRead(int size) {
		boolean asked = isAsked();
		if (!asked && this.active && this.owner.readAheadBudget().isUsedUp()) {
			return Math.min(size, ReceiveBuffers.MIN);
		}
		if (size > ReceiveBuffers.DECODED && isDecoded()) {
			// With TLS, a codec receives whole records, however they were read
			return this.codecPresence.isEncrypted() ? Math.min(size, ReceiveBuffers.SMALL) : ReceiveBuffers.DECODED;
		}
		return asked ? size : Math.min(size, ReceiveBuffers.SMALL);
	}

	private boolean isDecoded() {
		ChannelHandlerContext ctx = this.context;
		return ctx != null && this.relay != null && !this.discarding && this.codecPresence.isBehind(ctx);
	}

	/**
	 * The relay has received a message.
	 */
	void relayed(Object message) {
		this.codecPresence.arrived(message);
	}

	/**
	 * Resume reading, for which there was no room. Any thread.
	 */
	void resume() {
		Channels.run(this.owner.channel(), this::readAhead);
	}

	@Override
	public ExtendedHandle newHandle() {
		return ReceiveBuffers.DEFAULT.newHandle(this);
	}

}
