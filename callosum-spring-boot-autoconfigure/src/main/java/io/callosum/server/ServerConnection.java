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
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;

import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.netty.channel.ChannelOperations;

import io.callosum.transport.Channels;
import io.callosum.transport.Disconnects;
import io.callosum.transport.ReadAheadBudget;
import io.callosum.transport.SerialExecutor;
import io.callosum.transport.SlotLine;
import io.callosum.transport.UserCode;

/**
 * The life cycle of a connection, from when it is accepted until nothing is left of it.
 * It requests a slot with a {@link PendingRequest}. While the slot is held, it has a
 * {@link SlotLease} instead.
 * <p>
 * Methods marked <em>serial</em> run in the {@link SerialExecutor} of the connection: one
 * after another, where its listeners run.
 */
final class ServerConnection extends EndingChannel implements ConnectionDrain.Drained {

	private static final String HANDLER = "The connection handler";

	private final OpenConnections open;

	/**
	 * The id. As a string, it would take memory even while the connection is idle.
	 */
	private final long number;

	/**
	 * When the connection was accepted, in nanoseconds since the epoch.
	 */
	private final long acceptedAt;

	private final long acceptedNanos;

	/**
	 * The address that the limits count, {@code null} if the peer was already gone.
	 */
	private final @Nullable SocketAddress admittedAddress;

	private final SerialExecutor serial;

	private @Nullable ChannelOperations<?, ?> operations;

	/**
	 * The slot request, {@code null} once the slot is held.
	 */
	private volatile @Nullable PendingRequest request;

	/**
	 * The slot, {@code null} before it is held. Written serially.
	 */
	private volatile @Nullable SlotLease lease;

	/**
	 * Whether the channel is closed. Serial.
	 */
	private boolean gone;

	/**
	 * Whether the limits still count this connection. Serial.
	 */
	private boolean counted = true;

	private volatile @Nullable HandlerSubscriber handling;

	ServerConnection(OpenConnections open, Channel channel, @Nullable SocketAddress admittedAddress, long number) {
		super(channel);
		this.open = open;
		this.admittedAddress = admittedAddress;
		this.number = number;
		this.acceptedNanos = ServerPort.acceptedNanos(channel);
		this.acceptedAt = ChronoUnit.NANOS.between(Instant.EPOCH, Instant.now()) - sinceAccepted().toNanos();
		this.serial = new SerialExecutor(open.server().userCode(), channel.eventLoop());
		PendingRequest request = new PendingRequest(open, this);
		this.request = request;
		if (server().settings().sslProviders != null) {
			request.awaitHandshake(server().settings().sslHandshakeTimeout);
		}
	}

	@Override
	public String id() {
		return "c" + this.number;
	}

	@Override
	public Instant acceptedAt() {
		return Instant.EPOCH.plusNanos(this.acceptedAt);
	}

	private Duration sinceAccepted() {
		return Duration.ofNanos(nanoTime() - this.acceptedNanos);
	}

	private CallosumServer server() {
		return this.open.server();
	}

	SerialExecutor serial() {
		return this.serial;
	}

	// Getting its slot

	@Override
	public void ready() {
		assert Channels.isOnLoopOrAfter(channel());
		SocketAddress remoteAddress = channel().remoteAddress();
		SocketAddress localAddress = channel().localAddress();
		PendingRequest request = this.request;
		if (remoteAddress == null || localAddress == null || request == null) {
			// The operating system no longer knows the peer
			channel().close();
			return;
		}
		this.operations = ChannelOperations.get(channel());
		request.begin(new SlotRequest(id(), remoteAddress, localAddress));
	}

	/**
	 * The connection has its slot. Serial.
	 */
	void slotHeld(SlotLease lease) {
		assert this.serial.isRunning();
		this.lease = lease;
		this.request = null;
		this.open.log(this, " has slot ", lease.slot());
		Channels.runOrElse(channel(), () -> writeSlotLine(lease.connection()),
				() -> close(EndReason.CONNECTION_FAILED));
		server().settings().metricsRecorder.slotAssigned();
	}

	/**
	 * Write the slot line. Event loop: if handed over from another thread, it could be
	 * overtaken by what the application writes on the event loop.
	 */
	private void writeSlotLine(LeasedConnection connection) {
		assert Channels.isOnLoopOrAfter(channel());
		ChannelFuture written;
		try {
			written = readAhead().writeAndFlush(SlotLine.encode(channel().alloc(), connection.announcedSlot()));
		}
		catch (Throwable ex) {
			// There is no memory for it
			written = channel().newFailedFuture(ex);
		}
		connection.slotLineIssued();
		written.addListener((ChannelFuture write) -> {
			if (write.isSuccess()) {
				Duration sinceAccepted = sinceAccepted();
				this.serial.execute(() -> connected(connection, sinceAccepted));
			}
			else {
				failing(write.cause());
				channel().close();
			}
		});
	}

	/**
	 * The slot line has been written. Serial.
	 * @param connection the connection as the application sees it
	 * @param slotTime the time from when it was accepted until then
	 */
	private void connected(LeasedConnection connection, Duration slotTime) {
		assert this.serial.isRunning();
		if (this.gone) {
			return;
		}
		server().settings().metricsRecorder.slotLineWritten(slotTime);
		boolean handled = server().settings().hasHandler();
		connection.beginListeners(!handled);
		server().events().publishAndReport(new ConnectionEvent(server(), connection), id());
		boolean unclaimed = connection.endListeners();
		if (handled && mayBegin() && !this.open.isStopping()) {
			handle(connection);
		}
		else if (unclaimed) {
			readAhead().discard();
		}
	}

	private void handle(LeasedConnection connection) {
		HandlerSubscriber handling = new HandlerSubscriber(this::handlerCompleted, this::handlerFailed);
		this.handling = handling;
		long start = System.nanoTime();
		handling.begin(server().settings(), connection, server().userCode());
		long held = UserCode.heldEventLoopSince(start);
		if (held > 0) {
			server().events().ownerHeldEventLoop(HANDLER, false, held);
		}
	}

	/**
	 * Return whether the handler may be called. If the peer has left in the meantime, it
	 * may still be called, to process what the peer has sent.
	 */
	private boolean mayBegin() {
		EndReason reason = reason();
		return reason == null || (reason.isOfPeer() && !isClosedByApplication()
				&& (server().settings().blockingHandler != null || readAhead().bytesReceived() > 0));
	}

	private void handlerCompleted() {
		finish(EndReason.HANDLER_COMPLETED, this.open::linger);
		handlerEnded();
	}

	@Override
	public void heldEventLoop(long nanos) {
		server().events()
			.ownerHeldEventLoop(
					(this.handling != null) ? HANDLER : "A listener that receives the bytes of a connection", true,
					nanos);
	}

	private void handlerFailed(Throwable error) {
		// Whatever ended the connection closes it, and has set the reason. If nothing
		// did, the error may concern another connection, such as one to a database
		if (!isEnding() || !(Disconnects.isPeerGone(error) || Disconnects.isUseAfterClose(error))) {
			close(EndReason.HANDLER_FAILED);
			report(ErrorKind.HANDLER, error);
		}
		handlerEnded();
	}

	private void handlerEnded() {
		EndReason reason = reason();
		if (reason != null && reason.isOfPeer()) {
			this.serial.execute(this::endCompletion);
		}
	}

	// Ending it

	/**
	 * End the connection and all work on it at once. Any thread.
	 */
	void stop() {
		close(EndReason.SERVER_STOPPED);
		if (this.handling != null) {
			this.serial.execute(this::endCompletion);
		}
	}

	@Override
	public void bytesReceived(long count) {
		server().settings().metricsRecorder.bytesReceived(count);
	}

	@Override
	public void bytesSent(long count) {
		server().settings().metricsRecorder.bytesSent(count);
	}

	@Override
	public void inboundDelivered() {
		LeasedConnection connection = leasedConnection();
		if (connection != null) {
			connection.inboundDelivered();
		}
	}

	@Override
	public ReadAheadBudget readAheadBudget() {
		return this.open.readAheadBudget();
	}

	@Override
	void report(ErrorKind kind, Throwable error) {
		server().events().report(kind, error, id());
	}

	@Override
	void closed(EndReason reason) {
		assert Channels.isOnLoopOrAfter(channel());
		PendingRequest request = this.request;
		if (request != null) {
			request.channelClosed();
		}
		LeasedConnection connection = leasedConnection();
		if (connection != null && reason.isOfPeer()) {
			connection.peerHasLeft(server().settings().completionTimeout,
					server().settings().hasHandler() ? () -> this.serial.execute(this::completionTimedOut) : null);
		}
		readAhead().closed();
		this.serial.execute(this::ended);
	}

	private void ended() {
		assert this.serial.isRunning();
		if (this.gone) {
			return;
		}
		this.gone = true;
		if (!mayComplete()) {
			endHandler();
		}
		SlotLease lease = this.lease;
		PendingRequest request = this.request;
		if (lease != null) {
			EndReason reason = reasonOr(EndReason.PEER_CLOSED);
			this.open.log(this, " ended: ", reason);
			free(lease);
			server().settings().metricsRecorder.slotFreed(sinceAccepted(), reason);
		}
		else if (request != null) {
			request.giveUp();
			RefusalReason refusal = request.refusalReason(reason());
			this.open.log(this, " refused: ", refusal);
			leave();
			server().settings().metricsRecorder.refused(refusal);
		}
		if (this.handling == null) {
			readAhead().release();
		}
	}

	/**
	 * Return whether what the peer has sent is still processed although it has left.
	 */
	private boolean mayComplete() {
		LeasedConnection connection = leasedConnection();
		HandlerSubscriber handling = this.handling;
		boolean claimsLater = handling != null && server().settings().blockingHandler != null;
		return connection != null && connection.mayComplete(claimsLater) && (handling == null || !handling.hasEnded())
				&& !this.open.isClosing();
	}

	private void completionTimedOut() {
		HandlerSubscriber handling = this.handling;
		if (this.gone && handling != null && !handling.hasEnded()) {
			this.open.completionTimedOut(this);
		}
		endCompletion();
	}

	/**
	 * End the work that continues although the connection is gone. Serial.
	 */
	private void endCompletion() {
		assert this.serial.isRunning();
		if (this.gone) {
			boolean completing = this.handling != null;
			endHandler();
			if (completing) {
				readAhead().release();
				leave();
			}
		}
	}

	private void endHandler() {
		HandlerSubscriber handling = this.handling;
		this.handling = null;
		Throwable error = (handling != null) ? handling.cancel(server().userCode()) : null;
		if (error != null) {
			report(ErrorKind.HANDLER, error);
		}
		LeasedConnection connection = leasedConnection();
		if (connection != null) {
			connection.endCompletion();
		}
	}

	/**
	 * Free a slot. Only this method does so, once for each slot that is held:
	 * <ul>
	 * <li>for the slot of a connection, when the connection has ended</li>
	 * <li>for a slot that is held after its {@link PendingRequest} was given up, at
	 * once</li>
	 * </ul>
	 * The event is published first. When its listeners have returned, the slot is free
	 * for its next holder. Then the allocator gets it back, then the limits stop counting
	 * the connection, then it leaves {@link CallosumServer#connections()}. Serial.
	 */
	void free(SlotLease lease) {
		assert this.serial.isRunning();
		CallosumServer server = server();
		lease.freeing();
		server().events()
			.publishAndReport(new SlotFreeEvent(server, lease.connection(), reasonOr(EndReason.CONNECTION_FAILED)),
					id());
		server.slots().free(lease);
		if (lease.isAllocated()) {
			Throwable error = server.userCode().call(id(), () -> server.settings().slotAllocator.release(lease.slot()));
			if (error != null) {
				server().events().report(ErrorKind.RELEASE, error, id());
			}
		}
		countDown();
		server.slots().leave(lease);
		leave();
	}

	private void countDown() {
		assert this.serial.isRunning();
		if (this.gone && this.handling == null && this.counted) {
			this.counted = false;
			this.open.limits().release(this.admittedAddress);
		}
	}

	/**
	 * Remove this connection from the server, once nothing is left of it and what its
	 * peer has sent is no longer processed. Serial.
	 */
	void leave() {
		assert this.serial.isRunning();
		countDown();
		if (this.gone && this.handling == null) {
			this.open.leave(this);
		}
	}

	/**
	 * Return whether an answer to the slot request is being handled.
	 */
	boolean isAnswering() {
		PendingRequest request = this.request;
		return request != null && request.isAnswering();
	}

	// Draining

	@Override
	public Mono<Void> draining() {
		return this.open.draining(this);
	}

	/**
	 * End the connection as soon as its peer has been quiet for a while. Any thread.
	 */
	void drain() {
		PendingRequest request = this.request;
		if (request == null || !request.giveUp(EndReason.SERVER_STOPPED)) {
			ConnectionDrain drain = new ConnectionDrain(this, server().settings().shutdownQuietPeriod);
			Channels.runOrElse(channel(), drain::begin, () -> close(EndReason.SERVER_STOPPED));
		}
	}

	@Override
	public @Nullable LeasedConnection leasedConnection() {
		SlotLease lease = this.lease;
		return (lease != null) ? lease.connection() : null;
	}

	@Override
	public boolean isHandled() {
		return this.handling != null;
	}

	/**
	 * Return the connection as Reactor Netty sees it.
	 * @return the connection
	 */
	@Override
	public ChannelOperations<?, ?> operations() {
		ChannelOperations<?, ?> operations = this.operations;
		if (operations == null) {
			throw new IllegalStateException("The connection is not ready");
		}
		return operations;
	}

	@Override
	public String toString() {
		return "Connection " + id() + " of " + this.admittedAddress;
	}

}
