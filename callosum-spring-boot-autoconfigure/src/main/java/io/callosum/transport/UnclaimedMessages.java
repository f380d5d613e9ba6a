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

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.util.ReferenceCountUtil;
import org.jspecify.annotations.Nullable;
import reactor.netty.NettyPipeline;

/**
 * Collects the messages that the codecs of a customizer decode from bytes that are
 * unclaimed when their connection ends: Netty is about to remove these codecs, and the
 * bytes may still be claimed later. Event loop.
 */
final class UnclaimedMessages extends ChannelInboundHandlerAdapter {

	private final HeldMessages decoded;

	/**
	 * The error that follows the messages, if any.
	 */
	private @Nullable Throwable failure;

	/**
	 * Whether a codec has failed or has produced more than may be held.
	 */
	private boolean failed;

	/**
	 * Create a new instance.
	 * @param budget counts what is collected
	 * @param failure what ended the connection, {@code null} if the peer closed it
	 */
	UnclaimedMessages(ReadAheadBudget budget, @Nullable Throwable failure) {
		this.decoded = new HeldMessages(budget);
		this.failure = failure;
	}

	/**
	 * Pass messages through the codecs, followed by the end of the connection.
	 * @param messages the messages
	 * @param ctx the handler that comes before the codecs
	 * @return the decoded messages
	 */
	HeldMessages decode(HeldMessages messages, ChannelHandlerContext ctx) {
		ctx.pipeline().addBefore(NettyPipeline.ReactiveBridge, NettyPipeline.RIGHT + "callosum.unclaimed", this);
		Object message;
		while (!this.failed && (message = messages.poll()) != null) {
			ctx.fireChannelRead(message);
		}
		messages.release();
		ctx.fireChannelReadComplete();
		if (this.failure != null && !this.failed) {
			ctx.fireExceptionCaught(this.failure);
		}
		ctx.fireChannelInactive();
		return this.decoded;
	}

	/**
	 * Return the error that follows the messages, {@code null} if there is none: the
	 * failure of a codec, or otherwise what ended the connection.
	 */
	@Nullable Throwable failure() {
		return this.failure;
	}

	@Override
	public void channelRead(ChannelHandlerContext ctx, Object message) {
		if (!this.failed && this.decoded.isFull()) {
			exceptionCaught(ctx, ReadAheadBudget.usedUp());
		}
		if (!this.failed) {
			this.decoded.add(InboundRelay.copy(message));
		}
		ReferenceCountUtil.release(message);
	}

	@Override
	public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
		if (!this.failed && cause != this.failure) {
			this.failed = true;
			this.failure = cause;
		}
	}

}
