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

import java.net.SocketAddress;
import java.time.Instant;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReferenceFieldUpdater;
import java.util.function.Consumer;

import javax.net.ssl.SSLSession;

import io.netty.handler.ssl.SslHandler;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.netty.ByteBufFlux;
import reactor.netty.Connection;
import reactor.netty.FutureMono;
import reactor.netty.NettyInbound;
import reactor.netty.NettyOutbound;

import io.callosum.server.SlotFreeEvent.Reason;

/**
 * A {@link CallosumConnection} as the application sees it.
 */
final class LeasedConnection implements CallosumConnection {

	private static final AtomicReferenceFieldUpdater<LeasedConnection, Claim> CLAIM = AtomicReferenceFieldUpdater
		.newUpdater(LeasedConnection.class, Claim.class, "claim");

	private final ConnectionLease lease;

	private final SlotRequest request;

	private final int slot;

	private final @Nullable SSLSession sslSession;

	private volatile Claim claim = Claim.NOT_YET;

	private volatile boolean slotLineIssued;

	private volatile @Nullable InboundRelay relay;

	private volatile @Nullable Map<String, Object> attributes;

	LeasedConnection(ConnectionLease lease, SlotRequest request, int slot) {
		this.lease = lease;
		this.request = request;
		this.slot = slot;
		SslHandler sslHandler = lease.channel().pipeline().get(SslHandler.class);
		this.sslSession = (sslHandler != null) ? sslHandler.engine().getSession() : null;
	}

	@Override
	public String id() {
		return this.request.connectionId();
	}

	@Override
	public int slot() {
		return this.slot;
	}

	@Override
	public SocketAddress remoteAddress() {
		return this.request.remoteAddress();
	}

	@Override
	public SocketAddress localAddress() {
		return this.request.localAddress();
	}

	@Override
	public Instant connectedAt() {
		return this.lease.acceptedAt();
	}

	@Override
	public @Nullable SSLSession sslSession() {
		return this.sslSession;
	}

	@Override
	public long bytesReceived() {
		return this.lease.readAhead().bytesReceived();
	}

	@Override
	public long bytesSent() {
		return this.lease.readAhead().bytesSent();
	}

	@Override
	public Map<String, Object> attributes() {
		Map<String, Object> attributes = this.attributes;
		if (attributes == null) {
			synchronized (this) {
				attributes = this.attributes;
				if (attributes == null) {
					attributes = new ConcurrentHashMap<>();
					this.attributes = attributes;
				}
			}
		}
		return attributes;
	}

	@Override
	public NettyInbound inbound() {
		Claim claim = this.claim;
		if (!claim.open || !CLAIM.compareAndSet(this, claim, Claim.CLAIMED)) {
			throw new IllegalStateException(
					"The bytes of connection " + id() + " cannot be claimed: " + this.claim.explanation);
		}
		InboundRelay relay = new InboundRelay(this.lease);
		this.relay = relay;
		this.lease.onEventLoopOrAfter(relay::start);
		return new ClaimedInbound(relay);
	}

	@Override
	public NettyOutbound outbound() {
		if (!this.slotLineIssued) {
			throw new IllegalStateException("The slot line of connection " + id()
					+ " has not been written yet; write when its ConnectionEvent has come");
		}
		return this.lease.operations();
	}

	@Override
	public Mono<Void> onClose() {
		return FutureMono.from(this.lease.channel().closeFuture());
	}

	@Override
	public void close() {
		this.lease.close(Reason.APPLICATION_CLOSED);
	}

	void slotLineIssued() {
		this.slotLineIssued = true;
	}

	/**
	 * The listeners of the {@link ConnectionEvent} are about to be called.
	 * @param mayClaim whether the bytes are theirs
	 */
	void beginListeners(boolean mayClaim) {
		this.claim = mayClaim ? Claim.BY_LISTENER : Claim.HANDLER_LATER;
	}

	/**
	 * The listeners have returned.
	 * @return whether the bytes are still to be had
	 */
	boolean endListeners() {
		if (CLAIM.compareAndSet(this, Claim.BY_LISTENER, Claim.TOO_LATE)) {
			return true;
		}
		return this.claim != Claim.CLAIMED;
	}

	/**
	 * The {@link ConnectionHandler} is about to be called.
	 */
	void beginHandler() {
		this.claim = Claim.BY_HANDLER;
	}

	/**
	 * Return whether the bytes are claimed.
	 */
	boolean isClaimed() {
		return this.claim == Claim.CLAIMED;
	}

	/**
	 * Complete what the peer sends. Event loop.
	 * @return whether that is done; not if the bytes are not claimed, or only just now
	 */
	boolean completeInbound() {
		InboundRelay relay = this.relay;
		return relay != null && relay.complete();
	}

	@Override
	public String toString() {
		return "CallosumConnection[id=" + id() + ", slot=" + this.slot + ", remoteAddress=" + remoteAddress() + "]";
	}

	/**
	 * Who may claim the bytes, or why nobody may.
	 */
	private enum Claim {

		NOT_YET(false, "they can be while its ConnectionEvent is being published"),

		BY_LISTENER(true, "they are claimed already"),

		HANDLER_LATER(false,
				"they belong to the ConnectionHandler, which is called after the listeners;"
						+ " claim them there, or remove that bean"),

		BY_HANDLER(true, "they are claimed already"),

		TOO_LATE(false,
				"nobody did while its ConnectionEvent was being published, and so they are discarded;"
						+ " call inbound() in the listener, and subscribe later if need be"),

		CLAIMED(false, "they are claimed already; keep the inbound and share it");

		private final boolean open;

		private final String explanation;

		Claim(boolean open, String explanation) {
			this.open = open;
			this.explanation = explanation;
		}

	}

	private final class ClaimedInbound implements NettyInbound {

		private final InboundRelay relay;

		private ClaimedInbound(InboundRelay relay) {
			this.relay = relay;
		}

		@Override
		public ByteBufFlux receive() {
			return ByteBufFlux.fromInbound(this.relay, LeasedConnection.this.lease.channel().alloc());
		}

		@Override
		public Flux<?> receiveObject() {
			return this.relay;
		}

		@Override
		public NettyInbound withConnection(Consumer<? super Connection> withConnection) {
			withConnection.accept(LeasedConnection.this.lease.operations());
			return this;
		}

	}

}
