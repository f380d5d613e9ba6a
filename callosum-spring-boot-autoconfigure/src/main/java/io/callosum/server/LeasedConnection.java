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

import java.io.InputStream;
import java.io.OutputStream;
import java.net.SocketAddress;
import java.time.Duration;
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

import io.callosum.transport.BlockingOutputStream;
import io.callosum.transport.ChannelOwner;
import io.callosum.transport.Channels;
import io.callosum.transport.InboundRelay;
import io.callosum.transport.ReadAheadHandler;

/**
 * The {@link CallosumConnection} that the application sees.
 */
final class LeasedConnection implements CallosumConnection {

	private static final AtomicReferenceFieldUpdater<LeasedConnection, Claim> CLAIM = AtomicReferenceFieldUpdater
		.newUpdater(LeasedConnection.class, Claim.class, "claim");

	private final Owner owner;

	private final SocketAddress remoteAddress;

	private final SocketAddress localAddress;

	private final int slot;

	private final int announcedSlot;

	private final @Nullable SSLSession sslSession;

	private volatile Claim claim = Claim.NOT_YET;

	private volatile boolean slotLineIssued;

	private volatile @Nullable InboundRelay relay;

	private volatile @Nullable Map<String, Object> attributes;

	/**
	 * Set when the peer has left, {@code null} before that.
	 */
	private volatile @Nullable Completion completion;

	LeasedConnection(Owner owner, SlotRequest request, int slot, int announcedSlot) {
		this.owner = owner;
		this.remoteAddress = request.remoteAddress();
		this.localAddress = request.localAddress();
		this.slot = slot;
		this.announcedSlot = announcedSlot;
		SslHandler sslHandler = owner.channel().pipeline().get(SslHandler.class);
		this.sslSession = (sslHandler != null) ? sslHandler.engine().getSession() : null;
	}

	@Override
	public String id() {
		return this.owner.id();
	}

	@Override
	public int slot() {
		return this.slot;
	}

	@Override
	public int announcedSlot() {
		return this.announcedSlot;
	}

	@Override
	public SocketAddress remoteAddress() {
		return this.remoteAddress;
	}

	@Override
	public SocketAddress localAddress() {
		return this.localAddress;
	}

	@Override
	public Instant connectedAt() {
		return this.owner.acceptedAt();
	}

	@Override
	public @Nullable SSLSession sslSession() {
		return this.sslSession;
	}

	@Override
	public long bytesReceived() {
		return this.owner.readAhead().bytesReceived();
	}

	@Override
	public long bytesSent() {
		return this.owner.readAhead().bytesSent();
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
		claim();
		InboundRelay relay = new InboundRelay(this.owner, this.owner.readAhead());
		start(relay);
		return new ClaimedInbound(relay);
	}

	@Override
	public InputStream inputStream() {
		claim();
		StreamRelay relay = new StreamRelay(this.owner, this.owner.readAhead());
		start(relay);
		return relay.receive();
	}

	private void claim() {
		Claim claim = this.claim;
		if (!claim.open || !CLAIM.compareAndSet(this, claim, Claim.CLAIMED)) {
			throw new IllegalStateException(
					"The bytes of connection " + id() + " cannot be claimed: " + this.claim.explanation);
		}
	}

	private void start(InboundRelay relay) {
		this.relay = relay;
		Channels.runOrAfter(this.owner.channel(), relay::start);
	}

	@Override
	public NettyOutbound outbound() {
		checkSlotLineIssued();
		return new ConnectionOutbound(this.owner, this.owner.readAhead()::connection, this::completion);
	}

	@Override
	public OutputStream outputStream() {
		checkSlotLineIssued();
		return new BlockingOutputStream(this.owner.channel(), () -> !dropsBlockingWrites(), () -> {
		}, (failure) -> dropsBlockingWrites() ? null : failure);
	}

	private boolean dropsBlockingWrites() {
		Completion completion = this.completion;
		return completion != null && completion.dropsBlockingWrites();
	}

	private void checkSlotLineIssued() {
		if (!this.slotLineIssued) {
			throw new IllegalStateException("The slot line of connection " + id()
					+ " has not been written yet; write when its ConnectionEvent is published");
		}
	}

	@Override
	public Mono<Void> draining() {
		return Mono.defer(this.owner::draining);
	}

	@Override
	public Mono<Void> onClose() {
		return FutureMono.from(this.owner.channel().closeFuture());
	}

	@Override
	public void close() {
		this.owner.closeByApplication();
	}

	void slotLineIssued() {
		this.slotLineIssued = true;
	}

	/**
	 * The listeners of the {@link ConnectionEvent} are about to be called.
	 * @param mayClaim whether they may claim the bytes
	 */
	void beginListeners(boolean mayClaim) {
		this.claim = mayClaim ? Claim.BY_LISTENER : Claim.HANDLER_LATER;
	}

	/**
	 * The listeners have returned.
	 * @return whether the bytes are still unclaimed
	 */
	boolean endListeners() {
		if (CLAIM.compareAndSet(this, Claim.BY_LISTENER, Claim.TOO_LATE)) {
			return true;
		}
		return this.claim != Claim.CLAIMED;
	}

	/**
	 * The handler is about to be called. Any thread.
	 */
	void beginHandler() {
		this.claim = Claim.BY_HANDLER;
		Completion completion = this.completion;
		if (completion != null) {
			Channels.run(this.owner.channel(), completion::startTimer);
		}
	}

	/**
	 * Return whether the bytes are claimed.
	 */
	boolean isClaimed() {
		return this.claim == Claim.CLAIMED;
	}

	/**
	 * Complete the inbound side. Event loop, or after it.
	 * @return whether that is done, which it is not if the bytes are unclaimed or have
	 * only just been claimed
	 */
	boolean completeInbound() {
		InboundRelay relay = this.relay;
		return relay != null && relay.complete();
	}

	/**
	 * The peer has left. Event loop, or after it.
	 * @param timeout how long the owner of the bytes may take once it has received all of
	 * them
	 * @param timedOut called when the timeout expires, or {@code null} if nothing waits
	 * for the owner
	 */
	void peerHasLeft(Duration timeout, @Nullable Runnable timedOut) {
		if (this.completion == null) {
			Completion completion = new Completion(this.owner.channel(), timeout, this::isDelivering, timedOut);
			this.completion = completion;
			isDelivering();
			completion.startTimer();
		}
	}

	/**
	 * All bytes have been delivered to their owner. Event loop, or after it.
	 */
	void inboundDelivered() {
		Completion completion = this.completion;
		if (completion != null) {
			completion.startTimer();
		}
	}

	/**
	 * Return whether the owner of the bytes is still to receive some. This is also so
	 * while it waits for a thread.
	 */
	private boolean isDelivering() {
		InboundRelay relay = this.relay;
		return this.claim == Claim.NOT_YET || this.claim == Claim.HANDLER_LATER
				|| (relay != null && relay.isDelivering());
	}

	@Nullable Completion completion() {
		return this.completion;
	}

	void endCompletion() {
		Completion completion = this.completion;
		if (completion != null) {
			completion.end();
		}
	}

	/**
	 * Return whether the owner of the bytes may complete its work, because the peer has
	 * left and the bytes are claimed.
	 * @param claimsLater whether they may be claimed later
	 */
	boolean mayComplete(boolean claimsLater) {
		return this.completion != null && (isClaimed() || claimsLater);
	}

	@Override
	public String toString() {
		return "CallosumConnection[id=" + id() + ", slot=" + this.slot + ", remoteAddress=" + remoteAddress() + "]";
	}

	/**
	 * Whether the bytes may be claimed, and if not, why.
	 */
	private enum Claim {

		NOT_YET(false, "they can be claimed while its ConnectionEvent is being published"),

		BY_LISTENER(true, "they are already claimed"),

		HANDLER_LATER(false,
				"they belong to the ConnectionHandler, which is called after the listeners;"
						+ " claim them there, or remove the handler"),

		BY_HANDLER(true, "they are already claimed"),

		TOO_LATE(false,
				"they were not claimed while its ConnectionEvent was being published, and are discarded;"
						+ " call inbound() in the listener; you may subscribe later"),

		CLAIMED(false, "they are already claimed; keep the inbound and share it");

		private final boolean open;

		private final String explanation;

		Claim(boolean open, String explanation) {
			this.open = open;
			this.explanation = explanation;
		}

	}

	/**
	 * The connection as the server sees it.
	 */
	interface Owner extends ChannelOwner {

		String id();

		Instant acceptedAt();

		Mono<Void> draining();

		ReadAheadHandler readAhead();

		/**
		 * Close the connection at once. Any thread.
		 */
		void closeByApplication();

	}

	private final class ClaimedInbound implements NettyInbound {

		private final InboundRelay relay;

		private ClaimedInbound(InboundRelay relay) {
			this.relay = relay;
		}

		@Override
		public ByteBufFlux receive() {
			return ByteBufFlux.fromInbound(this.relay, LeasedConnection.this.owner.channel().alloc());
		}

		@Override
		public Flux<?> receiveObject() {
			return this.relay;
		}

		@Override
		public NettyInbound withConnection(Consumer<? super Connection> withConnection) {
			withConnection.accept(LeasedConnection.this.owner.readAhead().connection());
			return this;
		}

	}

}
