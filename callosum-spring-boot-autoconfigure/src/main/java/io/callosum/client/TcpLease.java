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

import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.util.Map;
import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;
import java.util.concurrent.atomic.AtomicReferenceFieldUpdater;

import javax.net.ssl.SSLSession;

import org.jspecify.annotations.Nullable;
import reactor.netty.NettyInbound;
import reactor.netty.NettyOutbound;

import io.callosum.transport.BlockingInputStream;
import io.callosum.transport.BlockingOutputStream;
import io.callosum.transport.Channels;
import io.callosum.transport.Disconnects;

/**
 * A lease of a {@link TcpConnection}. Everything that it hands out belongs to the lease
 * and no longer reaches the connection once the lease has ended.
 */
final class TcpLease implements PooledLease {

	private static final AtomicIntegerFieldUpdater<TcpLease> STATE = AtomicIntegerFieldUpdater
		.newUpdater(TcpLease.class, "state");

	private static final AtomicReferenceFieldUpdater<TcpLease, LeaseInbound> INBOUND = AtomicReferenceFieldUpdater
		.newUpdater(TcpLease.class, LeaseInbound.class, "inbound");

	private static final AtomicReferenceFieldUpdater<TcpLease, Runnable> ON_LOST = AtomicReferenceFieldUpdater
		.newUpdater(TcpLease.class, Runnable.class, "onLost");

	/**
	 * Flag in the state of a lease that was released. It ends when no writes are in
	 * progress.
	 */
	private static final int RELEASED = 1 << 30;

	/**
	 * Flag in the state of a lease that has ended otherwise.
	 */
	private static final int DISCARDED = 1 << 31;

	/**
	 * Replaces the task that runs when the connection is lost, once that has happened.
	 */
	private static final Runnable LOST = () -> {
	};

	private final TcpConnection connection;

	/**
	 * The number of writes in progress, and how the lease has ended, if it has.
	 */
	private volatile int state;

	private volatile @Nullable LeaseInbound inbound;

	private volatile @Nullable LeaseOutbound outbound;

	private volatile @Nullable BlockingInputStream inputStream;

	private volatile boolean sent;

	private volatile @Nullable ConnectionLostException lost;

	private volatile @Nullable Runnable onLost;

	TcpLease(TcpConnection connection) {
		this.connection = connection;
	}

	@Override
	public String connectionId() {
		return this.connection.id();
	}

	@Override
	public int slot() {
		return this.connection.slot();
	}

	@Override
	public InetSocketAddress server() {
		return this.connection.server();
	}

	@Override
	public @Nullable SSLSession sslSession() {
		return this.connection.sslSession();
	}

	@Override
	public Map<String, Object> attributes() {
		return this.connection.attributes();
	}

	@Override
	public NettyInbound inbound() {
		checkActive();
		return receiver();
	}

	@Override
	public NettyOutbound outbound() {
		checkActive();
		LeaseOutbound outbound = this.outbound;
		if (outbound == null) {
			// Two threads may create two, which are equivalent
			outbound = new LeaseOutbound(this, this.connection);
			this.outbound = outbound;
		}
		return outbound;
	}

	@Override
	public InputStream inputStream() {
		checkActive();
		synchronized (this) {
			BlockingInputStream stream = this.inputStream;
			if (stream == null) {
				stream = new BlockingInputStream(this::streamEnded);
				this.inputStream = stream;
				receiver().receive().subscribe(stream);
			}
			return stream;
		}
	}

	@Override
	public OutputStream outputStream() {
		checkActive();
		return new BlockingOutputStream(this.connection.channel(), () -> {
			if (!beginWrite()) {
				throw ended();
			}
			return true;
		}, this::endWrite, this::writeFailed);
	}

	@Override
	public void release() {
		int before = STATE.getAndUpdate(this, (state) -> isActive(state) ? state | RELEASED : state);
		if (before == 0) {
			released();
		}
		else if (isActive(before)) {
			this.connection.awaitWrites(this);
		}
	}

	@Override
	public void discard(@Nullable Throwable cause) {
		int before = STATE.getAndUpdate(this, (state) -> isActive(state) ? state | DISCARDED : state);
		if (isActive(before)) {
			this.connection.discarded(this, cause);
			cutOff();
		}
	}

	@Override
	public void close() {
		discard(null);
	}

	/**
	 * End the lease without reporting it to the connection.
	 */
	void finish() {
		STATE.getAndUpdate(this, (state) -> state | DISCARDED);
		cutOff();
	}

	boolean isActive() {
		return isActive(this.state);
	}

	private static boolean isActive(int state) {
		return state >= 0 && state < RELEASED;
	}

	void checkActive() {
		if (!isActive()) {
			throw ended();
		}
	}

	IllegalStateException ended() {
		return new IllegalStateException("The lease of connection " + connectionId() + " has ended");
	}

	private void released() {
		this.connection.released(this);
		cutOff();
	}

	private void cutOff() {
		BlockingInputStream stream = this.inputStream;
		if (stream != null) {
			stream.close();
		}
		LeaseInbound inbound = this.inbound;
		if (inbound != null && inbound.isOpen()) {
			Channels.runOrAfter(this.connection.channel(), inbound::leaseEnded);
		}
	}

	// Writing

	/**
	 * Begin a write.
	 * @return {@code false} if it must not begin, because the lease has ended
	 */
	boolean beginWrite() {
		int state = this.state;
		while (isActive(state)) {
			if (STATE.compareAndSet(this, state, state + 1)) {
				return true;
			}
			state = this.state;
		}
		return false;
	}

	/**
	 * End a write, whatever its outcome.
	 */
	void endWrite() {
		if (STATE.decrementAndGet(this) == RELEASED) {
			released();
		}
	}

	/**
	 * Return whether the lease was released and is still writing.
	 */
	boolean isWriting() {
		return this.state > RELEASED;
	}

	/**
	 * Return the error to report for a failed write.
	 */
	Throwable writeFailed(Throwable error) {
		if (this.connection.isOpen() || !(Disconnects.isPeerGone(error) || Disconnects.isUseAfterClose(error))) {
			return error;
		}
		ConnectionLostException lost = this.connection.lost(error);
		if (isActive() && !this.connection.hasUnread()) {
			this.lost = lost;
		}
		return lost;
	}

	/**
	 * Something is being sent to the server. Called on the event loop.
	 */
	void sent() {
		if (!this.sent) {
			this.sent = true;
		}
	}

	@Override
	public boolean isUnanswered() {
		return this.sent && !this.connection.hasAnswered();
	}

	// Receiving

	/**
	 * Return the inbound, even if the lease has ended.
	 */
	LeaseInbound receiver() {
		LeaseInbound inbound = this.inbound;
		while (inbound == null) {
			INBOUND.compareAndSet(this, null, new LeaseInbound(this, this.connection));
			inbound = this.inbound;
		}
		return inbound;
	}

	/**
	 * Return whether the next message would be consumed at once. Called on the event
	 * loop.
	 */
	boolean wantsMessage() {
		LeaseInbound inbound = this.inbound;
		return inbound != null && inbound.wantsMessage() && isActive();
	}

	/**
	 * Return whether a message waits to be consumed. Called on the event loop.
	 */
	boolean hasQueued() {
		LeaseInbound inbound = this.inbound;
		return inbound != null && inbound.hasQueued();
	}

	/**
	 * Return whether the stream has bytes that were not read.
	 */
	boolean hasUnreadStream() {
		BlockingInputStream stream = this.inputStream;
		return stream != null && stream.hasUnread();
	}

	// Losing the connection

	@Override
	public @Nullable ConnectionLostException lost() {
		return this.lost;
	}

	@Override
	public void onLost(Runnable task) {
		if (!ON_LOST.compareAndSet(this, null, task)) {
			task.run();
		}
	}

	/**
	 * The end of the connection is about to be delivered. Called on the event loop.
	 * @param cancelled whether the subscriber has cancelled
	 * @return the exception to report
	 */
	ConnectionLostException losing(boolean cancelled) {
		ConnectionLostException lost = this.connection.lost(null);
		// A caller that has its answer and wants no more has lost nothing; a stream has
		// not been read to its end yet
		boolean needed = !this.connection.hasAnswered() || !(cancelled || this.inputStream != null);
		if (needed && isActive()) {
			this.lost = lost;
		}
		return lost;
	}

	/**
	 * The end has been delivered. May be called on any thread.
	 */
	void endDelivered() {
		if (this.lost != null) {
			Runnable task = ON_LOST.getAndSet(this, LOST);
			if (task != null && task != LOST) {
				task.run();
			}
		}
	}

	private void streamEnded() {
		if (isActive() && !this.connection.isOpen()) {
			this.lost = this.connection.lost(null);
			endDelivered();
		}
	}

	@Override
	public String toString() {
		return "CallosumLease[connectionId=" + connectionId() + ", slot=" + slot() + ", server=" + server() + "]";
	}

}
