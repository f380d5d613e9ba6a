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

import java.util.Objects;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.channel.FileRegion;
import io.netty.handler.stream.ChunkedWriteHandler;
import io.netty.handler.traffic.AbstractTrafficShapingHandler;
import org.jspecify.annotations.Nullable;

/**
 * Observes what a connection receives and sends: how many bytes, in which order, and
 * whether they have reached the socket.
 * <p>
 * Used only on the event loop, or after it has ended, except where noted.
 */
abstract class TrafficHandler extends ChannelDuplexHandler {

	/**
	 * Written through the whole pipeline if one of its handlers queues writes, so that it
	 * follows everything that was written before. It becomes an empty buffer only here,
	 * because a codec of the application would mistake an empty buffer for a message.
	 */
	private static final Object FLUSH = new Object();

	final ChannelOwner owner;

	@Nullable ChannelHandlerContext context;

	/**
	 * Whether nothing has been read since the quiet period began.
	 */
	private boolean quiet;

	/**
	 * Whether bytes have been written since the last ones were received.
	 */
	private boolean answered;

	/**
	 * Written only on the event loop, so volatile is enough.
	 */
	private volatile long bytesReceived;

	private volatile long bytesSent;

	/**
	 * How many bytes are known to have reached the socket: the slot line, or none yet.
	 */
	private int bytesLeft;

	TrafficHandler(ChannelOwner owner) {
		this.owner = owner;
	}

	@Override
	public void handlerAdded(ChannelHandlerContext ctx) {
		this.context = ctx;
	}

	/**
	 * Count something that the peer has sent.
	 */
	final void received(Object message) {
		this.quiet = false;
		this.answered = false;
		if (message instanceof ByteBuf buffer) {
			this.bytesReceived = this.bytesReceived + buffer.readableBytes();
			this.owner.bytesReceived(buffer.readableBytes());
		}
	}

	/**
	 * Something that was held is passed to its owner, who has not answered it yet.
	 */
	final void delivered() {
		this.answered = false;
	}

	@Override
	public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
		if (message == FLUSH) {
			ctx.write(Unpooled.EMPTY_BUFFER, promise);
			return;
		}
		this.answered = true;
		if (message instanceof ByteBuf buffer) {
			addSent(buffer.readableBytes());
		}
		else if (message instanceof FileRegion region) {
			addSent(region.count());
		}
		ctx.write(message, promise);
	}

	private void addSent(long count) {
		this.bytesSent = this.bytesSent + count;
		this.owner.bytesSent(count);
	}

	/**
	 * Return how many bytes have been received. Any thread.
	 * @return the number of bytes, after decryption
	 */
	public long bytesReceived() {
		return this.bytesReceived;
	}

	/**
	 * Return how many bytes have been written. Any thread.
	 * @return the number of bytes, before encryption
	 */
	public long bytesSent() {
		return this.bytesSent;
	}

	/**
	 * Write and flush a buffer, bypassing the codecs of the application.
	 * @param buffer what to write
	 * @return completed when it has reached the socket
	 */
	public ChannelFuture writeAndFlush(ByteBuf buffer) {
		assert isOnLoopOrAfter();
		addSent(buffer.readableBytes());
		// The peer may have sent a request already, which this does not answer
		this.answered = this.bytesReceived == 0;
		int bytesSent = (int) this.bytesSent;
		return Objects.requireNonNull(this.context)
			.writeAndFlush(buffer)
			.addListener((write) -> this.bytesLeft = write.isSuccess() ? bytesSent : this.bytesLeft);
	}

	/**
	 * Return whether anything was written that is not known to have reached the socket.
	 * @return {@code false} if at most the slot line was written, and it has reached the
	 * socket
	 */
	public boolean hasWritten() {
		assert isOnLoopOrAfter();
		return this.bytesSent != this.bytesLeft;
	}

	/**
	 * Return whether a failed write has closed the channel.
	 * @return {@code false} if it closed for another reason
	 */
	public boolean hasWriteFailed() {
		assert isOnLoopOrAfter();
		// Avoid the cost of an exception where possible
		return hasWritten() && Disconnects.hasWriteFailed(this.owner.channel());
	}

	/**
	 * Flush what was written.
	 * @return completed when it has reached the socket
	 */
	public ChannelFuture flush() {
		assert isOnLoopOrAfter();
		Channel channel = this.owner.channel();
		ChannelHandlerContext ctx = this.context;
		if (ctx == null || channel.pipeline().get(ChunkedWriteHandler.class) != null
				|| channel.pipeline().get(AbstractTrafficShapingHandler.class) != null) {
			// Must queue behind what these handlers have not passed on yet
			return channel.writeAndFlush(FLUSH);
		}
		channel.flush();
		return ctx.writeAndFlush(Unpooled.EMPTY_BUFFER);
	}

	/**
	 * Start to observe whether the peer sends anything.
	 */
	public void beginQuietPeriod() {
		assert isOnLoopOrAfter();
		this.quiet = true;
	}

	/**
	 * End the quiet period: the peer may have sent something that was not read.
	 */
	final void endQuietPeriod() {
		this.quiet = false;
	}

	final boolean hasBeenQuiet() {
		return this.quiet;
	}

	/**
	 * Return whether bytes have been written since the last ones were received.
	 */
	final boolean isAnswered() {
		return this.answered;
	}

	final boolean isOnLoopOrAfter() {
		return Channels.isOnLoopOrAfter(this.owner.channel());
	}

}
