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

import java.util.function.Supplier;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.netty.Connection;
import reactor.netty.FutureMono;
import reactor.netty.NettyInbound;
import reactor.netty.NettyOutbound;

/**
 * The connection for code that adds codecs on a thread other than its event loop, while
 * the peer may disconnect at any time: codecs are added to the pipeline before Netty
 * empties it, or otherwise to {@link LateCodecs}.
 */
final class CodecConnection implements Connection {

	private final ChannelOwner owner;

	/**
	 * Whether the channel is closed. Writes are guarded by this.
	 */
	private volatile boolean closed;

	/**
	 * Writes are guarded by this.
	 */
	private volatile @Nullable LateCodecs lateCodecs;

	/**
	 * Create a new instance.
	 * @param owner the owner of the channel
	 * @param closed whether the channel is already closed
	 */
	CodecConnection(ChannelOwner owner, boolean closed) {
		this.owner = owner;
		this.closed = closed;
	}

	/**
	 * Add no more codecs to the pipeline, because the channel is closed.
	 */
	synchronized void close() {
		this.closed = true;
	}

	/**
	 * Return the codecs that were added after the end, or {@code null} if there are none
	 * yet.
	 */
	@Nullable LateCodecs lateCodecs() {
		return this.lateCodecs;
	}

	@Override
	public Channel channel() {
		return this.closed ? createLateCodecs() : this.owner.channel();
	}

	private synchronized LateCodecs createLateCodecs() {
		LateCodecs codecs = this.lateCodecs;
		if (codecs == null) {
			codecs = new LateCodecs(this.owner.channel());
			this.lateCodecs = codecs;
		}
		return codecs;
	}

	@Override
	public Connection addHandlerFirst(String name, ChannelHandler handler) {
		return change(() -> Connection.super.addHandlerFirst(name, handler));
	}

	@Override
	public Connection addHandlerLast(String name, ChannelHandler handler) {
		return change(() -> Connection.super.addHandlerLast(name, handler));
	}

	@Override
	public Connection removeHandler(String name) {
		// If closed, Netty has already removed it, and no late codecs are needed
		return change(() -> (this.closed && this.lateCodecs == null) ? this : Connection.super.removeHandler(name));
	}

	/**
	 * Change the pipeline. Off the event loop, an open pipeline is changed under the
	 * lock, so that {@link #close()} happens before or after the change. Otherwise Netty
	 * calls the handler immediately, which must not happen under a lock.
	 */
	private Connection change(Supplier<Connection> change) {
		if (!this.owner.channel().eventLoop().inEventLoop()) {
			synchronized (this) {
				if (!this.closed) {
					return change.get();
				}
			}
		}
		return change.get();
	}

	@Override
	public <T extends Connection> @Nullable T as(Class<T> type) {
		return type.isInstance(this) ? type.cast(this) : this.owner.operations().as(type);
	}

	@Override
	public NettyInbound inbound() {
		return this.owner.operations().inbound();
	}

	@Override
	public NettyOutbound outbound() {
		return this.owner.operations().outbound();
	}

	@Override
	public boolean isDisposed() {
		return this.owner.operations().isDisposed();
	}

	@Override
	public Mono<Void> onDispose() {
		return this.owner.operations().onDispose();
	}

	/**
	 * When this completes, Reactor Netty removes the codecs that were added.
	 */
	@Override
	public Mono<Void> onTerminate() {
		return FutureMono.from(channel().closeFuture());
	}

	@Override
	public void dispose() {
		this.owner.operations().dispose();
		channel().close();
	}

}
