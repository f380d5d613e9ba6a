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
import java.util.Objects;
import java.util.Queue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.channel.FileRegion;
import io.netty.handler.ssl.SslCloseCompletionEvent;
import io.netty.handler.stream.ChunkedWriteHandler;
import io.netty.handler.traffic.AbstractTrafficShapingHandler;
import io.netty.util.ReferenceCountUtil;
import org.jspecify.annotations.Nullable;

import io.callosum.server.SlotFreeEvent.Reason;

/**
 * Keeps a read pending before Reactor Netty, which reads on demand only: on NIO, a
 * connection that is not being read never learns that its peer has gone. What is read
 * before anyone asks for it is held here, in order, and not further down, so that codecs
 * which the owner of the bytes adds still get every byte.
 * <p>
 * Used on the event loop only, or when that has ended, except where noted.
 */
final class ReadAheadHandler extends ChannelDuplexHandler {

	/**
	 * How many bytes are held while nobody asks for them.
	 */
	private static final int LIMIT = 64 * 1024;

	/**
	 * What a message counts for at least: a peer that sends byte by byte must not make
	 * the server hold one buffer a byte.
	 */
	private static final int MESSAGE_COST = 64;

	/**
	 * Written after everything else where a handler queues what is written, and not a
	 * buffer before it is here: a codec of the owner would take an empty one for a
	 * message of its own.
	 */
	private static final Object FLUSH = new Object();

	private final ConnectionLease lease;

	private @Nullable ChannelHandlerContext context;

	private @Nullable Queue<Object> held;

	private int heldBytes;

	/**
	 * Whether a read came from downstream that has not got a message yet.
	 */
	private boolean wanted;

	private boolean passing;

	private boolean passed;

	private boolean discarding;

	private boolean released;

	private boolean active;

	/**
	 * Whether nothing was read since the last question.
	 */
	private boolean quiet;

	private @Nullable InboundRelay relay;

	/**
	 * Written on the event loop only, so that volatile is enough.
	 */
	private volatile long bytesReceived;

	private volatile long bytesSent;

	private @Nullable Throwable failure;

	ReadAheadHandler(ConnectionLease lease) {
		this.lease = lease;
	}

	@Override
	public void handlerAdded(ChannelHandlerContext ctx) {
		this.context = ctx;
	}

	/**
	 * The connection is ready; with TLS, its handshake is done.
	 */
	@Override
	public void channelActive(ChannelHandlerContext ctx) {
		this.active = true;
		ctx.fireChannelActive();
		this.lease.begin();
		ctx.read();
	}

	@Override
	public void read(ChannelHandlerContext ctx) {
		this.wanted = true;
		pass(ctx);
	}

	@Override
	public void channelRead(ChannelHandlerContext ctx, Object message) {
		this.quiet = false;
		if (message instanceof ByteBuf buffer) {
			this.bytesReceived = this.bytesReceived + buffer.readableBytes();
		}
		if (this.discarding) {
			ReferenceCountUtil.release(message);
		}
		else if (this.heldBytes == 0 && isWanted(ctx)) {
			this.wanted = false;
			this.passed = true;
			ctx.fireChannelRead(message);
		}
		else if (this.released) {
			// TLS and codecs go on with the bytes that they have when the channel is
			// closed
			ReferenceCountUtil.release(message);
		}
		else {
			if (this.held == null) {
				this.held = new ArrayDeque<>();
			}
			this.held.add(message);
			this.heldBytes += cost(message);
		}
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
	public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
		if (message == FLUSH) {
			ctx.write(Unpooled.EMPTY_BUFFER, promise);
			return;
		}
		if (message instanceof ByteBuf buffer) {
			this.bytesSent = this.bytesSent + buffer.readableBytes();
		}
		else if (message instanceof FileRegion region) {
			this.bytesSent = this.bytesSent + region.count();
		}
		ctx.write(message, promise);
	}

	@Override
	public void close(ChannelHandlerContext ctx, ChannelPromise promise) {
		// Whoever closes on behalf of this server has said why, and a peer does not do it
		// through the pipeline
		this.lease.closing();
		ctx.close(promise);
	}

	@Override
	public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
		if (event instanceof SslCloseCompletionEvent close && close.isSuccess()) {
			// Reactor Netty would close too, but politely: wait for the peer to read, and
			// log that it does not
			this.lease.close(Reason.PEER_CLOSED);
		}
		ctx.fireUserEventTriggered(event);
	}

	@Override
	public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
		if (!this.active) {
			this.lease.handshakeFailed(cause);
			return;
		}
		this.lease.failing(cause);
		this.failure = cause;
		if (this.relay != null && isReceiving()) {
			this.relay.gather();
			ctx.fireExceptionCaught(cause);
		}
		ctx.close();
	}

	/**
	 * The connection has ended: keep what its owner has not asked for yet.
	 */
	void gather() {
		if (this.relay != null) {
			this.relay.gather();
		}
	}

	/**
	 * Return whether somebody is told of an error. Reactor Netty logs one that it has no
	 * subscriber for, at the peer's rate.
	 */
	boolean isReceiving() {
		return this.relay != null && this.relay.isReceiving();
	}

	long bytesReceived() {
		return this.bytesReceived;
	}

	long bytesSent() {
		return this.bytesSent;
	}

	/**
	 * See to it that a read is pending, unless as much is held as may be.
	 */
	void readAhead() {
		ChannelHandlerContext ctx = this.context;
		if (ctx != null) {
			readAhead(ctx);
		}
	}

	/**
	 * Give the bytes to their owner.
	 */
	void claimedBy(InboundRelay relay) {
		this.relay = relay;
	}

	/**
	 * Read and discard from now on. Any thread.
	 */
	void discard() {
		this.lease.onEventLoop(() -> {
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
	 */
	boolean isDiscarding() {
		return this.discarding;
	}

	/**
	 * Write and flush something that is not for the codecs of the owner and of
	 * customizers.
	 */
	ChannelFuture writeAndFlush(ByteBuf buffer) {
		this.bytesSent = this.bytesSent + buffer.readableBytes();
		return Objects.requireNonNull(this.context).writeAndFlush(buffer);
	}

	/**
	 * Flush what was written.
	 * @return completed when it has left
	 */
	ChannelFuture flush() {
		Channel channel = this.lease.channel();
		ChannelHandlerContext ctx = this.context;
		if (ctx == null || channel.pipeline().get(ChunkedWriteHandler.class) != null
				|| channel.pipeline().get(AbstractTrafficShapingHandler.class) != null) {
			// Has to queue up behind what those have not passed on yet
			return channel.writeAndFlush(FLUSH);
		}
		channel.flush();
		return ctx.writeAndFlush(Unpooled.EMPTY_BUFFER);
	}

	/**
	 * Return what is held, for a connection that is closed.
	 */
	@Nullable Object poll() {
		Object message = (this.held != null) ? this.held.poll() : null;
		if (message != null) {
			if (this.heldBytes >= LIMIT) {
				// Only from now on does silence mean anything
				this.quiet = false;
			}
			this.heldBytes -= cost(message);
		}
		return message;
	}

	/**
	 * Return what has ended the connection, if it failed.
	 */
	@Nullable Throwable failure() {
		return this.failure;
	}

	/**
	 * Return whether the peer has sent nothing since the last call. While nothing is read
	 * because its bytes are not asked for, it may well be sending.
	 */
	boolean isQuiet() {
		boolean quiet = this.quiet;
		this.quiet = true;
		return quiet && this.heldBytes < LIMIT;
	}

	/**
	 * Release what nobody will ask for any more. Any thread.
	 */
	void release() {
		this.lease.onEventLoopOrAfter(() -> {
			this.released = true;
			releaseHeld();
		});
	}

	private void releaseHeld() {
		Object message;
		while ((message = poll()) != null) {
			ReferenceCountUtil.release(message);
		}
		this.held = null;
	}

	private boolean isWanted(ChannelHandlerContext ctx) {
		// Reactor Netty turns automatic reading on and off with the demand
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
				passed = true;
				ctx.fireChannelRead(message);
			}
			if (passed) {
				ctx.fireChannelReadComplete();
			}
		}
		finally {
			this.passing = false;
		}
		readAhead(ctx);
	}

	private void readAhead(ChannelHandlerContext ctx) {
		if (this.heldBytes < LIMIT && ctx.channel().isActive()) {
			ctx.read();
		}
	}

	private static int cost(Object message) {
		return (message instanceof ByteBuf buffer) ? Math.max(buffer.readableBytes(), MESSAGE_COST) : MESSAGE_COST;
	}

}
