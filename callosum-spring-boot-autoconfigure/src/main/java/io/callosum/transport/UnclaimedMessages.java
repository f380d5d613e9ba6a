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
 * What the codecs of a customizer make of bytes that nobody has claimed when their
 * connection ends: Netty is about to remove these codecs, and somebody may claim the
 * bytes later. Event loop.
 */
final class UnclaimedMessages extends ChannelInboundHandlerAdapter {

	private final HeldMessages decoded;

	private @Nullable Throwable failure;

	UnclaimedMessages(ReadAheadBudget budget) {
		this.decoded = new HeldMessages(budget);
	}

	/**
	 * Pass messages through the codecs, and then the end of the connection.
	 * @param messages the messages
	 * @param ctx the handler that comes before the codecs
	 * @return what the codecs made of the messages
	 */
	HeldMessages decode(HeldMessages messages, ChannelHandlerContext ctx) {
		ctx.pipeline().addBefore(NettyPipeline.ReactiveBridge, NettyPipeline.RIGHT + "callosum.unclaimed", this);
		Object message;
		while ((message = messages.poll()) != null) {
			ctx.fireChannelRead(message);
		}
		ctx.fireChannelReadComplete();
		ctx.fireChannelInactive();
		return this.decoded;
	}

	/**
	 * Return what a codec has failed with, which comes before what ended the connection.
	 */
	@Nullable Throwable failureOr(@Nullable Throwable end) {
		return (this.failure != null) ? this.failure : end;
	}

	@Override
	public void channelRead(ChannelHandlerContext ctx, Object message) {
		if (this.failure == null) {
			this.decoded.add(message);
		}
		else {
			ReferenceCountUtil.release(message);
		}
	}

	@Override
	public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
		if (this.failure == null) {
			this.failure = cause;
		}
	}

}
