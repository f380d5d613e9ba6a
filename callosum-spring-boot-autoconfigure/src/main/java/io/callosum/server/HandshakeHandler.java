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

import javax.net.ssl.SSLException;
import javax.net.ssl.SSLHandshakeException;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.ReferenceCountUtil;
import org.jspecify.annotations.Nullable;

import io.callosum.transport.ChannelOwner;

/**
 * Precedes the TLS handler of a connection, and lets the peer perform one handshake, when
 * its turn comes. With TLS 1.2, Java renegotiates as often as a client asks. It also
 * buffers a first message of any length. Event loop.
 */
final class HandshakeHandler extends ChannelInboundHandlerAdapter {

	/**
	 * The maximum length of the first message of a client, in bytes. Today's clients send
	 * fewer than 2,000.
	 */
	private static final int MAX_CLIENT_HELLO_LENGTH = 16 * 1024;

	private static final String TLS_1_3 = "TLSv1.3";

	private final ChannelOwner owner;

	private final HandshakeQueue queue;

	private final TlsRecords records = new TlsRecords();

	/**
	 * The bytes that wait for their turn, {@code null} if there are none.
	 */
	private @Nullable ByteBuf waiting;

	private @Nullable ChannelHandlerContext context;

	private boolean begun;

	private boolean refused;

	HandshakeHandler(ChannelOwner owner, HandshakeQueue queue) {
		this.owner = owner;
		this.queue = queue;
	}

	@Override
	public void handlerAdded(ChannelHandlerContext ctx) {
		this.context = ctx;
	}

	@Override
	public void handlerRemoved(ChannelHandlerContext ctx) {
		releaseWaiting();
	}

	@Override
	public void channelRead(ChannelHandlerContext ctx, Object message) {
		if (this.refused || !(message instanceof ByteBuf buffer)) {
			ReferenceCountUtil.release(message);
			return;
		}
		boolean done = tls(ctx) != null;
		this.records.read(buffer);
		if (done && this.records.hasHandshakeBegun()) {
			refuse("The client asked for a second handshake", buffer);
		}
		else if (!done && this.records.firstMessageLength() > MAX_CLIENT_HELLO_LENGTH) {
			refuse("The first message of the client has more than " + MAX_CLIENT_HELLO_LENGTH + " bytes", buffer);
		}
		else if (done) {
			ctx.fireChannelRead(buffer);
		}
		else if (this.waiting == null) {
			this.waiting = buffer;
			this.queue.add(this::proceed, this.begun);
		}
		else {
			this.waiting = ByteToMessageDecoder.MERGE_CUMULATOR.cumulate(ctx.alloc(), this.waiting, buffer);
		}
	}

	private void refuse(String reason, ByteBuf buffer) {
		this.refused = true;
		buffer.release();
		releaseWaiting();
		SSLException error = new SSLHandshakeException(reason);
		error.setStackTrace(new StackTraceElement[0]);
		this.owner.handshakeFailed(error);
	}

	@Override
	public void channelReadComplete(ChannelHandlerContext ctx) {
		if (this.waiting == null) {
			readComplete(ctx);
		}
		else if (this.waiting.readableBytes() < MAX_CLIENT_HELLO_LENGTH) {
			// Keep reading: a peer that leaves while it waits gives up its turn
			ctx.read();
		}
	}

	private void readComplete(ChannelHandlerContext ctx) {
		ctx.fireChannelReadComplete();
		SslHandler sslHandler = tls(ctx);
		if (sslHandler != null && TLS_1_3.equals(sslHandler.engine().getSession().getProtocol()) && !ctx.isRemoved()) {
			// TLS 1.3 has no handshake after the first
			ctx.pipeline().remove(this);
		}
	}

	/**
	 * Return the TLS handler, if its handshake is done.
	 */
	private static @Nullable SslHandler tls(ChannelHandlerContext ctx) {
		SslHandler sslHandler = ctx.pipeline().get(SslHandler.class);
		return (sslHandler != null && sslHandler.handshakeFuture().isSuccess()) ? sslHandler : null;
	}

	@Override
	public void channelInactive(ChannelHandlerContext ctx) {
		releaseWaiting();
		ctx.fireChannelInactive();
	}

	/**
	 * The turn of this handshake has come.
	 * @return {@code false} if the peer has left and nothing was computed
	 */
	private boolean proceed() {
		ByteBuf waiting = this.waiting;
		ChannelHandlerContext ctx = this.context;
		if (waiting == null || ctx == null) {
			return false;
		}
		this.waiting = null;
		this.begun = true;
		ctx.fireChannelRead(waiting);
		readComplete(ctx);
		return true;
	}

	private void releaseWaiting() {
		if (this.waiting != null) {
			this.waiting.release();
			this.waiting = null;
		}
	}

}
