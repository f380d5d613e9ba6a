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

import java.net.SocketAddress;
import java.util.ArrayDeque;
import java.util.Queue;

import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.util.ReferenceCountUtil;
import org.jspecify.annotations.Nullable;
import reactor.netty.NettyPipeline;

/**
 * Holds codecs that the application adds after the end of a connection, when Netty has
 * already emptied its pipeline. What was received before passes through them. All buffers
 * are on the heap, where dropping them is not a leak, and what the codecs write is
 * dropped.
 */
final class LateCodecs extends EmbeddedChannel {

	private final Channel closed;

	private final Queue<Object> decoded = new ArrayDeque<>();

	private @Nullable Throwable failure;

	/**
	 * Create a new instance.
	 * @param closed the channel of the connection
	 */
	LateCodecs(Channel closed) {
		this.closed = closed;
		config().setAllocator(new UnpooledByteBufAllocator(false, true));
		pipeline().addLast(NettyPipeline.RIGHT + "callosum", new End());
	}

	/**
	 * Decode a message. Event loop of the connection, or after it.
	 */
	void decode(Object message) {
		if (isOpen()) {
			pipeline().fireChannelRead(message).fireChannelReadComplete();
			runPendingTasks();
		}
		else {
			// Closed by the application
			ReferenceCountUtil.release(message);
		}
	}

	/**
	 * Stop decoding, and release what has been decoded. Event loop of the connection, or
	 * after it.
	 */
	void release() {
		close();
		Object message;
		while ((message = this.decoded.poll()) != null) {
			ReferenceCountUtil.release(message);
		}
	}

	boolean isEmpty() {
		return this.decoded.isEmpty();
	}

	/**
	 * Return the next decoded message, which the caller must release.
	 */
	@Nullable Object poll() {
		return this.decoded.poll();
	}

	/**
	 * Return the failure of a codec, if any, after which nothing more is decoded.
	 */
	@Nullable Throwable failure() {
		return this.failure;
	}

	@Override
	protected void handleOutboundMessage(Object message) {
		ReferenceCountUtil.release(message);
	}

	@Override
	protected @Nullable SocketAddress localAddress0() {
		return this.closed.localAddress();
	}

	@Override
	protected @Nullable SocketAddress remoteAddress0() {
		return this.closed.remoteAddress();
	}

	private final class End extends ChannelInboundHandlerAdapter {

		@Override
		public void channelRead(ChannelHandlerContext ctx, Object message) {
			if (LateCodecs.this.failure == null) {
				LateCodecs.this.decoded.add(message);
			}
			else {
				ReferenceCountUtil.release(message);
			}
		}

		@Override
		public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
			if (LateCodecs.this.failure == null) {
				LateCodecs.this.failure = cause;
			}
		}

	}

}
