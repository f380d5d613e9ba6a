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

import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReferenceFieldUpdater;

import javax.net.ssl.SSLSession;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.handler.ssl.SslHandler;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import org.jspecify.annotations.Nullable;
import reactor.netty.channel.ChannelOperations;

import io.callosum.transport.Channels;
import io.callosum.transport.Disconnects;

/**
 * A connection on which the server has assigned a slot. The lease that holds it receives
 * what the server sends; bytes that arrive without a lease close it.
 * <p>
 * A lease may end on any thread, even while the event loop is receiving. Each side first
 * writes what it does and then reads what the other has done, so at least one of them
 * notices a lease that ends with unread bytes.
 */
final class TcpConnection implements PooledConnection {

	private static final Log logger = LogFactory.getLog(TcpConnection.class);

	private static final AtomicReferenceFieldUpdater<TcpConnection, End> END = AtomicReferenceFieldUpdater
		.newUpdater(TcpConnection.class, End.class, "end");

	/**
	 * How long pending writes may make no progress once their lease has been released.
	 */
	private static final Duration WRITE_TIMEOUT = Duration.ofSeconds(10);

	private final Channel channel;

	private final ChannelOperations<?, ?> operations;

	private final String id;

	private final int slot;

	private final InetSocketAddress server;

	private final @Nullable SSLSession sslSession;

	private final FailureLog failures;

	private final InboundPath inbound = new InboundPath(this);

	/**
	 * The lease that holds the connection, or {@code null} if there is none. The first
	 * one belongs to the initializer, even if there is no initializer.
	 */
	private volatile @Nullable TcpLease holder;

	/**
	 * Whether something was received that the lease has not consumed. Written on the
	 * event loop.
	 */
	private volatile boolean unread;

	private volatile boolean answered;

	/**
	 * Why the connection ended, or {@code null} while it is open.
	 */
	private volatile @Nullable End end;

	private volatile boolean reusable = true;

	private volatile @Nullable Map<String, Object> attributes;

	private volatile @Nullable PoolMember member;

	/**
	 * Runs the initializer, or {@code null} once it has completed.
	 */
	private volatile @Nullable Initialization initialization;

	private boolean closed;

	private boolean inboundEnded;

	/**
	 * Create a new connection.
	 * @param channel the channel, on which the slot line has been received
	 * @param id the id of the connection
	 * @param slot the slot
	 * @param server the server
	 * @param failures where to log failures of the server
	 */
	TcpConnection(Channel channel, String id, int slot, InetSocketAddress server, FailureLog failures) {
		ChannelOperations<?, ?> operations = ChannelOperations.get(channel);
		if (operations == null) {
			throw new IllegalStateException("The channel is not ready");
		}
		this.channel = channel;
		this.operations = operations;
		this.id = id;
		this.slot = slot;
		this.server = server;
		this.failures = failures;
		SslHandler sslHandler = channel.pipeline().get(SslHandler.class);
		this.sslSession = (sslHandler != null) ? sslHandler.engine().getSession() : null;
		this.holder = new TcpLease(this);
	}

	/**
	 * Prepare the connection, which the pool keeps. Called on the event loop.
	 * @param member where to report to
	 * @param initializer the initializer, or {@code null}
	 * @param initializerTimeout how long the initializer may take
	 * @param handler the name of the handler to replace
	 * @param rest what that handler has received but not consumed
	 */
	void begin(PoolMember member, @Nullable ConnectionInitializer initializer, Duration initializerTimeout,
			String handler, ByteBuf rest) {
		assert this.channel.eventLoop().inEventLoop();
		this.member = member;
		this.inbound.install(this.channel.pipeline(), handler, rest);
		this.channel.closeFuture().addListener((closed) -> closed());
		TcpLease lease = this.holder;
		if (this.closed || lease == null) {
			return;
		}
		if (initializer == null) {
			initialized(member);
		}
		else {
			Initialization initialization = new Initialization(this, member);
			this.initialization = initialization;
			initialization.start(initializer, lease, initializerTimeout);
		}
	}

	/**
	 * The initializer, if there is one, has completed. Called on the event loop.
	 */
	void initialized(PoolMember member) {
		TcpLease lease = this.holder;
		if (this.end != null || lease == null) {
			return;
		}
		this.initialization = null;
		lease.finish();
		if (this.inbound.hasUnread(lease)) {
			close(CloseReason.UNSOLICITED);
			return;
		}
		this.answered = false;
		this.holder = null;
		member.initialized();
	}

	@Override
	public String id() {
		return this.id;
	}

	int slot() {
		return this.slot;
	}

	InetSocketAddress server() {
		return this.server;
	}

	@Nullable SSLSession sslSession() {
		return this.sslSession;
	}

	Map<String, Object> attributes() {
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

	Channel channel() {
		return this.channel;
	}

	/**
	 * Return the connection as Reactor Netty sees it.
	 */
	ChannelOperations<?, ?> operations() {
		return this.operations;
	}

	InboundPath inbound() {
		return this.inbound;
	}

	@Override
	public boolean hasAnswered() {
		return this.answered;
	}

	@Override
	public PooledLease lease() {
		TcpLease lease = new TcpLease(this);
		this.answered = false;
		this.holder = lease;
		if (this.end != null) {
			Channels.runOrAfter(this.channel, () -> {
				if (this.inboundEnded) {
					lease.receiver().connectionEnded();
				}
			});
		}
		return lease;
	}

	@Override
	public void close(CloseReason reason) {
		close(reason, null);
	}

	/**
	 * Close the connection, with the cause if there is one.
	 */
	void close(CloseReason reason, @Nullable Throwable cause) {
		if (END.compareAndSet(this, null, new End(reason, cause))) {
			if (reason == CloseReason.UNSOLICITED) {
				this.failures.log(this.server, reason,
						"it sent bytes while the connection was not leased, so the connection is closed;"
								+ " if it sends first, receive these bytes in a ConnectionInitializer");
			}
			else if (reason == CloseReason.INITIALIZER_FAILED) {
				this.failures.log(this.server, reason, "the ConnectionInitializer failed: " + cause);
			}
			Channels.close(this.channel, this::closedWithoutLoop);
		}
	}

	/**
	 * Return why the connection ended, or {@code null} if it has not.
	 */
	@Nullable End end() {
		return this.end;
	}

	boolean isOpen() {
		return this.end == null && this.channel.isActive();
	}

	// What the inbound path reports, on the event loop

	/**
	 * Return the lease that receives, or {@code null} if there is none.
	 */
	@Nullable TcpLease receiver() {
		return this.holder;
	}

	/**
	 * Bytes have been received for a lease.
	 */
	void answered() {
		if (!this.answered && this.initialization == null) {
			this.answered = true;
		}
	}

	/**
	 * Return whether something was received that the lease has not consumed. May be
	 * called on any thread.
	 */
	boolean hasUnread() {
		return this.unread;
	}

	void setUnread(boolean unread) {
		assert Channels.isOnLoopOrAfter(this.channel);
		if (this.unread != unread) {
			this.unread = unread;
		}
	}

	/**
	 * A codec has failed, and may have lost its place in the stream.
	 */
	void codecFailed(Throwable cause) {
		this.reusable = false;
		TcpLease lease = this.holder;
		if (lease == null || !lease.receiver().fail(cause)) {
			logger.trace("Nobody receives what cannot be decoded", cause);
		}
	}

	/**
	 * Everything that had arrived before the end has passed the codecs.
	 */
	void inboundEnded() {
		assert Channels.isOnLoopOrAfter(this.channel);
		if (this.inboundEnded) {
			return;
		}
		this.inboundEnded = true;
		closed();
		TcpLease lease = this.holder;
		if (lease != null) {
			lease.receiver().connectionEnded();
		}
	}

	private void closedWithoutLoop() {
		closed();
		inboundEnded();
	}

	private void closed() {
		assert Channels.isOnLoopOrAfter(this.channel);
		if (this.closed) {
			return;
		}
		this.closed = true;
		if (this.end == null) {
			END.compareAndSet(this, null, new End(
					Disconnects.hasWriteFailed(this.channel) ? CloseReason.PEER_RESET : CloseReason.PEER_CLOSED, null));
		}
		Initialization initialization = this.initialization;
		if (initialization != null) {
			initialization.cancel();
		}
		End end = this.end;
		PoolMember member = this.member;
		if (member != null && end != null) {
			member.closed(end.reason(), end.cause());
		}
	}

	// What leases report, on any thread

	/**
	 * Do not lease the connection again.
	 */
	void closeAfterLease() {
		this.reusable = false;
	}

	/**
	 * The lease was released, and all its writes have completed.
	 */
	void released(TcpLease lease) {
		PoolMember member = this.member;
		if (this.initialization != null) {
			close(CloseReason.INITIALIZER_FAILED,
					new IllegalStateException("The initializer ended the lease of its connection"));
			return;
		}
		if (this.end != null || member == null) {
			return;
		}
		boolean unread = this.channel.eventLoop().inEventLoop() ? this.inbound.hasUnread(lease)
				: this.unread || lease.hasUnreadStream();
		if (unread || lease.hasUnreadStream() || !this.reusable) {
			member.discarded(null);
			close(unread ? CloseReason.UNREAD : CloseReason.DISCARDED);
			return;
		}
		this.holder = null;
		member.released();
	}

	/**
	 * The lease was released, but its writes have not completed yet. They are given up on
	 * if the server no longer reads.
	 */
	void awaitWrites(TcpLease lease) {
		Channels.run(this.channel, () -> checkWrites(lease, -1));
	}

	private void checkWrites(TcpLease lease, long before) {
		if (this.holder != lease || this.end != null || !lease.isWriting()) {
			return;
		}
		ChannelOutboundBuffer queue = this.channel.unsafe().outboundBuffer();
		long pending = (queue != null) ? queue.totalPendingWriteBytes() - queue.currentProgress() : 0;
		if (pending == before) {
			discarded(lease, new TimeoutException("The server has not read for " + WRITE_TIMEOUT.toSeconds() + " s"));
			return;
		}
		this.channel.eventLoop()
			.schedule(() -> checkWrites(lease, pending), WRITE_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
	}

	void discarded(TcpLease lease, @Nullable Throwable cause) {
		if (this.initialization != null) {
			close(CloseReason.INITIALIZER_FAILED,
					(cause != null) ? cause : new IllegalStateException("The initializer discarded its connection"));
			return;
		}
		PoolMember member = this.member;
		if (this.end == null && member != null) {
			member.discarded(cause);
		}
		close(CloseReason.DISCARDED, cause);
	}

	/**
	 * Return the exception for a lease that has lost this connection.
	 */
	ConnectionLostException lost(@Nullable Throwable cause) {
		End end = this.end;
		Throwable endCause = (end != null) ? end.cause() : null;
		boolean answered = this.answered;
		String how = (end == null || end.reason() == CloseReason.PEER_CLOSED) ? "was closed by the server"
				: "ended (" + end.reason() + ")";
		return new ConnectionLostException(
				"Connection " + this.id + " to " + this.server + " " + how
						+ (answered ? " after a part of an answer" : " before a byte of an answer"),
				!answered, (endCause != null) ? endCause : cause);
	}

	@Override
	public String toString() {
		return "TcpConnection[id=" + this.id + ", slot=" + this.slot + ", server=" + this.server + "]";
	}

	/**
	 * Why a connection ended.
	 */
	record End(CloseReason reason, @Nullable Throwable cause) {

		/**
		 * Return whether the server has closed it gracefully.
		 */
		boolean isCompletion() {
			return this.reason == CloseReason.PEER_CLOSED;
		}

	}

}
