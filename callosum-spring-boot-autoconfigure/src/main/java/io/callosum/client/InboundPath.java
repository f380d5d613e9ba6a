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

package io.callosum.client;

import java.util.ArrayDeque;
import java.util.Queue;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.ChannelPromise;
import io.netty.handler.ssl.SslCloseCompletionEvent;
import io.netty.util.ReferenceCountUtil;
import org.jspecify.annotations.Nullable;
import reactor.netty.NettyPipeline;

import io.callosum.transport.Channels;

/**
 * The path of received bytes to the leases: two handlers, one on each side of the codecs
 * of the application. The first also notices when a lease sends something, by whatever
 * means. Reactor Netty's own inbound is not used: it cancels a pending read when its
 * subscriber has enough, and has one subscriber per connection.
 * <p>
 * A read is always pending, because the end of a connection is noticed only then. What no
 * lease has requested yet is held before the codecs, so that codecs that the lease is
 * about to add get every byte. Reading stops only while too much is held.
 * <p>
 * Confined to the event loop.
 */
final class InboundPath {

	/**
	 * How many bytes of memory are held before reading stops.
	 */
	private static final int LIMIT = 64 * 1024;

	/**
	 * What a message costs in addition to the memory of its buffer, so that a server that
	 * sends byte by byte cannot fill the memory with small buffers.
	 */
	private static final int MESSAGE_COST = 160;

	private final TcpConnection connection;

	private final Head head = new Head();

	private final Tail tail = new Tail();

	private @Nullable Queue<Object> held;

	private int heldBytes;

	/**
	 * The lease for which a message is on its way through the codecs.
	 */
	private @Nullable TcpLease passingTo;

	/**
	 * The codecs that may hold a part of a message, or {@code null} if not known.
	 */
	private @Nullable PartialMessages partialMessages;

	private boolean readCompletePending;

	InboundPath(TcpConnection connection) {
		this.connection = connection;
	}

	/**
	 * Install the handlers.
	 * @param pipeline the pipeline of the connection
	 * @param replaced the name of the handler to replace
	 * @param rest what that handler has received but not consumed
	 */
	void install(ChannelPipeline pipeline, String replaced, ByteBuf rest) {
		pipeline.replace(replaced, replaced, this.head);
		// Named like one of Reactor Netty's own, which come after all codecs
		pipeline.addBefore(NettyPipeline.ReactiveBridge, NettyPipeline.RIGHT + "callosum", this.tail);
		if (rest.isReadable()) {
			hold(rest);
			this.connection.setUnread(true);
		}
		else {
			rest.release();
		}
	}

	/**
	 * The application may have changed the codecs. May be called on any thread.
	 */
	void codecsChanged() {
		Channels.run(this.connection.channel(), () -> this.partialMessages = null);
	}

	/**
	 * Pass on what is held, as far as the lease has requested it.
	 */
	void pass(TcpLease lease) {
		ChannelHandlerContext ctx = this.head.context;
		if (this.held == null || this.passingTo != null || ctx == null) {
			return;
		}
		Object message;
		while (lease.wantsMessage() && (message = poll()) != null) {
			// Before the message: its receiver may release the lease on another thread
			this.connection.setUnread(this.held != null);
			pass(ctx, lease, message);
		}
		readComplete(ctx);
	}

	private void pass(ChannelHandlerContext ctx, TcpLease lease, Object message) {
		this.passingTo = lease;
		this.readCompletePending = true;
		try {
			ctx.fireChannelRead(message);
		}
		finally {
			this.passingTo = null;
		}
		updateUnread(lease);
	}

	private void readComplete(ChannelHandlerContext ctx) {
		if (this.readCompletePending) {
			this.readCompletePending = false;
			ctx.fireChannelReadComplete();
		}
		if (this.heldBytes < LIMIT && ctx.channel().isActive()) {
			ctx.read();
		}
	}

	/**
	 * Return whether something is held.
	 */
	boolean isHolding() {
		return this.held != null;
	}

	/**
	 * Return whether something was received that the lease has not consumed.
	 */
	boolean hasUnread(TcpLease lease) {
		return this.held != null || lease.hasQueued() || hasPartialMessage();
	}

	private boolean hasPartialMessage() {
		PartialMessages partialMessages = this.partialMessages;
		if (partialMessages == null) {
			partialMessages = PartialMessages.of(this.connection.channel().pipeline(), this.head, this.tail);
			this.partialMessages = partialMessages;
		}
		return partialMessages.exist();
	}

	/**
	 * Update what other threads see of {@link #hasUnread}.
	 */
	void updateUnread(TcpLease lease) {
		boolean unread = hasUnread(lease);
		this.connection.setUnread(unread);
		if (unread && !lease.isActive()) {
			// Released while this was on its way
			this.connection.close(CloseReason.UNREAD);
		}
	}

	private void hold(Object message) {
		if (this.held == null) {
			this.held = new ArrayDeque<>(4);
		}
		this.held.add(message);
		this.heldBytes += cost(message);
	}

	private @Nullable Object poll() {
		Queue<Object> held = this.held;
		if (held == null) {
			return null;
		}
		Object message = held.remove();
		this.heldBytes -= cost(message);
		if (held.isEmpty()) {
			this.held = null;
		}
		return message;
	}

	private void releaseHeld() {
		Object message;
		while ((message = poll()) != null) {
			ReferenceCountUtil.release(message);
		}
	}

	private static int cost(Object message) {
		return MESSAGE_COST + ((message instanceof ByteBuf buffer) ? buffer.capacity() : 0);
	}

	/**
	 * Comes before the codecs.
	 */
	private final class Head extends ChannelDuplexHandler {

		private @Nullable ChannelHandlerContext context;

		@Override
		public void handlerAdded(ChannelHandlerContext ctx) {
			this.context = ctx;
		}

		@Override
		public void handlerRemoved(ChannelHandlerContext ctx) {
			this.context = null;
			releaseHeld();
		}

		@Override
		public void channelRead(ChannelHandlerContext ctx, Object message) {
			InboundPath path = InboundPath.this;
			TcpLease lease = path.connection.receiver();
			if (lease == null) {
				ReferenceCountUtil.release(message);
				path.connection.close(CloseReason.UNSOLICITED);
				return;
			}
			path.connection.answered();
			if (path.held == null && path.passingTo == null && lease.wantsMessage()) {
				pass(ctx, lease, message);
			}
			else {
				hold(message);
				updateUnread(lease);
			}
		}

		@Override
		public void channelReadComplete(ChannelHandlerContext ctx) {
			readComplete(ctx);
		}

		@Override
		public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
			TcpLease lease = InboundPath.this.connection.receiver();
			if (lease != null) {
				lease.sent();
			}
			ctx.write(message, promise);
		}

		@Override
		public void channelInactive(ChannelHandlerContext ctx) {
			InboundPath path = InboundPath.this;
			TcpLease lease = path.connection.receiver();
			if (lease != null && lease.isActive()) {
				// Before the codecs are notified of the end
				Object message;
				while ((message = poll()) != null) {
					path.passingTo = lease;
					ctx.fireChannelRead(message);
				}
				path.passingTo = null;
			}
			releaseHeld();
			ctx.fireChannelInactive();
		}

		@Override
		public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
			if (event instanceof SslCloseCompletionEvent close && close.isSuccess()) {
				// Reactor Netty would close too, but would wait for the server to read
				InboundPath.this.connection.close(CloseReason.PEER_CLOSED);
			}
			ctx.fireUserEventTriggered(event);
		}

		@Override
		public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
			InboundPath.this.connection.close(CloseReason.PEER_RESET, cause);
		}

	}

	/**
	 * Comes after the codecs.
	 */
	private final class Tail extends ChannelInboundHandlerAdapter {

		@Override
		public void channelRead(ChannelHandlerContext ctx, Object message) {
			InboundPath path = InboundPath.this;
			// A codec may also produce a message of its own accord
			TcpLease lease = (path.passingTo != null) ? path.passingTo : path.connection.receiver();
			if (lease == null || !lease.isActive()) {
				ReferenceCountUtil.release(message);
				path.connection.close((lease != null) ? CloseReason.UNREAD : CloseReason.UNSOLICITED);
				return;
			}
			lease.receiver().onMessage(message);
		}

		@Override
		public void channelReadComplete(ChannelHandlerContext ctx) {
			// No handler of Reactor Netty receives
		}

		@Override
		public void channelInactive(ChannelHandlerContext ctx) {
			InboundPath.this.connection.inboundEnded();
			ctx.fireChannelInactive();
		}

		@Override
		public void handlerRemoved(ChannelHandlerContext ctx) {
			if (!ctx.channel().isActive()) {
				// In case a codec has not passed on the end
				InboundPath.this.connection.inboundEnded();
			}
		}

		@Override
		public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
			InboundPath.this.connection.codecFailed(cause);
		}

	}

}
