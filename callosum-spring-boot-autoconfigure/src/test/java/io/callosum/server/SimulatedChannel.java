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

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.AbstractChannel;
import io.netty.channel.ChannelConfig;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelMetadata;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.ChannelPromise;
import io.netty.channel.DefaultChannelConfig;
import io.netty.channel.EventLoop;
import io.netty.channel.socket.DuplexChannel;

import io.callosum.transport.SocketErrors;

/**
 * The server's end of a connection whose peer is a test. It behaves like an NIO socket:
 * what the peer does is noticed only while a read is pending.
 */
final class SimulatedChannel extends AbstractChannel implements DuplexChannel {

	private static final ChannelMetadata METADATA = new ChannelMetadata(false);

	private final ChannelConfig config = new DefaultChannelConfig(this);

	private final InetSocketAddress remoteAddress;

	private final InetSocketAddress localAddress;

	private final Queue<ByteBuf> incoming = new ArrayDeque<>();

	private final List<byte[]> written = new ArrayList<>();

	private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

	private boolean open = true;

	private boolean peerClosed;

	private boolean peerReset;

	private boolean readPending;

	private boolean outputShutdown;

	private boolean stalled;

	private IOException failure;

	private boolean refusingWrites;

	/**
	 * When bytes were last transferred.
	 */
	private long lastActivity;

	private Long waitingSince;

	SimulatedChannel(InetSocketAddress remoteAddress, InetSocketAddress localAddress) {
		super(null);
		this.remoteAddress = remoteAddress;
		this.localAddress = localAddress;
	}

	// What the peer and the network do

	void peerSends(ByteBuf buffer) {
		if (!this.open) {
			buffer.release();
			return;
		}
		this.incoming.add(buffer);
		scheduleRead();
	}

	void peerCloses() {
		this.peerClosed = true;
		scheduleRead();
	}

	void peerResets() {
		this.peerReset = true;
		scheduleRead();
	}

	/**
	 * The peer stops reading. Empty messages are sent nevertheless, as with a socket.
	 */
	void stall() {
		this.stalled = true;
	}

	void resume() {
		this.stalled = false;
		if (isRegistered()) {
			onLoop(() -> unsafe().flush());
		}
	}

	/**
	 * The next write fails.
	 */
	void breakDown() {
		this.failure = SocketErrors.reset();
	}

	/**
	 * Every write fails, as if a codec refused it: the channel stays open.
	 */
	void refuseWrites() {
		this.refusingWrites = true;
	}

	/**
	 * Return what was written, one element per message.
	 */
	List<byte[]> written() {
		return this.written;
	}

	byte[] bytes() {
		return this.bytes.toByteArray();
	}

	long lastActivity() {
		return this.lastActivity;
	}

	/**
	 * Return since when written data has been waiting without any progress, or
	 * {@code null} if there is none.
	 */
	Long waitingSince() {
		return this.waitingSince;
	}

	// What an event loop does

	private void onLoop(Runnable task) {
		if (!eventLoop().isShutdown()) {
			eventLoop().execute(task);
		}
	}

	private void scheduleRead() {
		if (this.readPending && isRegistered()) {
			onLoop(this::readIfPending);
		}
	}

	private void readIfPending() {
		if (!this.readPending || !this.open) {
			return;
		}
		if (this.peerReset) {
			this.readPending = false;
			pipeline().fireExceptionCaught(SocketErrors.reset());
			unsafe().close(voidPromise());
		}
		else if (!this.incoming.isEmpty()) {
			this.readPending = false;
			this.lastActivity = eventLoop().ticker().nanoTime();
			pipeline().fireChannelRead(this.incoming.remove());
			pipeline().fireChannelReadComplete();
		}
		else if (this.peerClosed) {
			this.readPending = false;
			unsafe().close(voidPromise());
		}
	}

	@Override
	protected void doRegister(ChannelPromise promise) {
		this.lastActivity = eventLoop().ticker().nanoTime();
		promise.setSuccess();
	}

	@Override
	protected void doBeginRead() {
		this.readPending = true;
		if (this.peerReset || this.peerClosed || !this.incoming.isEmpty()) {
			onLoop(this::readIfPending);
		}
	}

	@Override
	protected void doWrite(ChannelOutboundBuffer queue) throws IOException {
		if (this.failure != null) {
			throw this.failure;
		}
		ByteBuf message = (ByteBuf) queue.current();
		while (message != null && (!this.stalled || !message.isReadable())) {
			if (message.isReadable()) {
				byte[] chunk = ByteBufUtil.getBytes(message);
				this.written.add(chunk);
				this.bytes.writeBytes(chunk);
				this.lastActivity = eventLoop().ticker().nanoTime();
			}
			queue.remove();
			this.waitingSince = null;
			message = (ByteBuf) queue.current();
		}
		if (message != null && this.waitingSince == null) {
			this.waitingSince = eventLoop().ticker().nanoTime();
		}
	}

	@Override
	protected Object filterOutboundMessage(Object message) {
		if (this.refusingWrites) {
			throw new UnsupportedOperationException("simulated");
		}
		return message;
	}

	@Override
	protected void doClose() {
		this.open = false;
		this.incoming.forEach(ByteBuf::release);
		this.incoming.clear();
	}

	@Override
	protected void doShutdownOutput() {
		this.outputShutdown = true;
	}

	@Override
	public ChannelFuture shutdownOutput(ChannelPromise promise) {
		((AbstractUnsafe) unsafe()).shutdownOutput(promise);
		return promise;
	}

	@Override
	protected AbstractUnsafe newUnsafe() {
		return new AbstractUnsafe() {

			@Override
			public void connect(SocketAddress remote, SocketAddress local, ChannelPromise promise) {
				promise.setFailure(new UnsupportedOperationException());
			}

		};
	}

	@Override
	public boolean isOpen() {
		return this.open;
	}

	@Override
	public boolean isActive() {
		return this.open;
	}

	@Override
	protected boolean isCompatible(EventLoop loop) {
		return loop instanceof SimulatedLoop;
	}

	@Override
	protected SocketAddress localAddress0() {
		return this.localAddress;
	}

	@Override
	protected SocketAddress remoteAddress0() {
		return this.remoteAddress;
	}

	@Override
	public ChannelConfig config() {
		return this.config;
	}

	@Override
	public ChannelMetadata metadata() {
		return METADATA;
	}

	@Override
	protected void doBind(SocketAddress address) {
		throw new UnsupportedOperationException();
	}

	@Override
	protected void doDisconnect() {
		doClose();
	}

	@Override
	public boolean isInputShutdown() {
		return !this.open;
	}

	@Override
	public ChannelFuture shutdownInput() {
		throw new UnsupportedOperationException();
	}

	@Override
	public ChannelFuture shutdownInput(ChannelPromise promise) {
		throw new UnsupportedOperationException();
	}

	@Override
	public boolean isOutputShutdown() {
		return this.outputShutdown || !this.open;
	}

	@Override
	public ChannelFuture shutdownOutput() {
		return shutdownOutput(newPromise());
	}

	@Override
	public boolean isShutdown() {
		return isOutputShutdown();
	}

	@Override
	public ChannelFuture shutdown() {
		throw new UnsupportedOperationException();
	}

	@Override
	public ChannelFuture shutdown(ChannelPromise promise) {
		throw new UnsupportedOperationException();
	}

}
