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
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentMap;

import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.netty.NettyPipeline;

import io.callosum.transport.Channels;
import io.callosum.transport.ReadAheadBudget;
import io.callosum.transport.ReceiveBuffers;
import io.callosum.transport.ThrottledLog;
import io.callosum.transport.TimeoutHandler;

/**
 * The connections of a server, from its start to its end, that are not over: each has an
 * open channel, a slot, or an answer that is being handled. Any thread.
 */
final class OpenConnections {

	/**
	 * How long further input of a peer is discarded once its answer is complete. Closing
	 * a socket with unread bytes resets it, and the peer may lose the answer.
	 */
	private static final Duration LINGER = Duration.ofSeconds(1);

	/**
	 * The same while the server drains, when the peer has been quiet for a while.
	 */
	private static final Duration LINGER_WHILE_DRAINING = Duration.ofMillis(250);

	private static final Log logger = LogFactory.getLog(CallosumServer.class);

	private final CallosumServer server;

	private final ServerSettings settings;

	private final Runnable emptied;

	private final ConnectionLimits limits;

	private final SlotWeight weight;

	private final ReadAheadBudget readAheadBudget;

	/**
	 * Includes those whose TLS handshake is in progress.
	 */
	private final Set<ServerConnection> open = ConcurrentHashMap.newKeySet();

	private final ThrottledLog completionLog = new ThrottledLog(logger::warn);

	private final ConcurrentMap<EventLoop, HandshakeQueue> handshakes = new ConcurrentHashMap<>();

	/**
	 * Completed when the server begins to stop, for connections that asked for it. Not a
	 * field of the connection, because most never ask.
	 */
	private final Map<ServerConnection, Sinks.Empty<Void>> draining = new ConcurrentHashMap<>();

	private volatile boolean stopping;

	/**
	 * The progress of a stop. From {@link Phase#DRAINING} on, channels are closed when
	 * they are registered: they were accepted before the stop, but had to wait for their
	 * event loop.
	 */
	private volatile Phase phase = Phase.OPEN;

	/**
	 * Create a new instance.
	 * @param server the server
	 * @param emptied called while the server is stopping, when nothing is left of any
	 * connection
	 */
	OpenConnections(CallosumServer server, Runnable emptied) {
		this.server = server;
		this.settings = server.settings();
		this.emptied = emptied;
		this.limits = new ConnectionLimits(this.settings);
		this.readAheadBudget = new ReadAheadBudget(this.settings.readAhead, this.settings.readAheadBudget);
		this.weight = new SlotWeight(this.settings.weight, this.settings.warmUp, System::nanoTime);
	}

	CallosumServer server() {
		return this.server;
	}

	ConnectionLimits limits() {
		return this.limits;
	}

	ReadAheadBudget readAheadBudget() {
		return this.readAheadBudget;
	}

	SlotWeight weight() {
		return this.weight;
	}

	/**
	 * Take over a new channel, before anything has happened on it. Its event loop.
	 */
	void accepted(Channel channel) {
		this.settings.metricsRecorder.accepted();
		SocketAddress remoteAddress = channel.remoteAddress();
		RefusalReason refusal = this.limits.admit(remoteAddress);
		if (refusal != null) {
			Channels.closePastPipeline(channel);
			this.settings.metricsRecorder.refused(refusal);
			if (logger.isDebugEnabled()) {
				logger.debug("Connection of " + remoteAddress + " refused: " + refusal);
			}
			return;
		}
		ServerConnection connection = new ServerConnection(this, channel, remoteAddress,
				this.server.nextConnectionNumber());
		log(connection, " accepted", "");
		this.open.add(connection);
		channel.closeFuture().addListener(connection);
		// Before the bridge, and with the prefix of Reactor Netty's own handlers:
		// addHandlerFirst() adds codecs after all handlers with that prefix. Before this
		// handler, they would not receive what was read ahead
		channel.pipeline()
			.addBefore(NettyPipeline.ReactiveBridge, NettyPipeline.LEFT + "callosum", connection.readAhead());
		if (channel.config().getRecvByteBufAllocator() == ReceiveBuffers.DEFAULT) {
			// No customizer has set another
			channel.config().setRecvByteBufAllocator(connection.readAhead());
		}
		if (this.settings.sslProviders != null) {
			channel.pipeline()
				.addFirst("callosum.handshake", new HandshakeHandler(connection,
						this.handshakes.computeIfAbsent(channel.eventLoop(), HandshakeQueue::new)));
		}
		if (this.settings.idleTimeout != null || this.settings.writeTimeout != null) {
			channel.pipeline()
				.addFirst("callosum.timeout",
						new TimeoutHandler(connection, this.settings.idleTimeout, this.settings.writeTimeout));
		}
		if (this.phase != Phase.OPEN) {
			connection.close(EndReason.SERVER_STOPPED);
		}
	}

	/**
	 * An answer has arrived for a connection, which may already be gone.
	 */
	void answering(ServerConnection connection) {
		this.open.add(connection);
	}

	/**
	 * Nothing is left of a connection, unless an answer to its request is being handled.
	 */
	void leave(ServerConnection connection) {
		if (connection.isAnswering()) {
			return;
		}
		this.open.remove(connection);
		this.draining.remove(connection);
		if (connection.isAnswering()) {
			// The answer has arrived in the meantime, on another thread
			this.open.add(connection);
		}
		else if (this.stopping && this.open.isEmpty()) {
			this.emptied.run();
		}
	}

	/**
	 * Log a step in the life of a connection.
	 */
	void log(ServerConnection connection, String step, Object detail) {
		if (logger.isDebugEnabled()) {
			logger.debug(connection + step + detail);
		}
	}

	boolean isEmpty() {
		return this.open.isEmpty();
	}

	int size() {
		return this.open.size();
	}

	/**
	 * A stop has been requested.
	 */
	void stopping() {
		this.stopping = true;
	}

	boolean isStopping() {
		return this.stopping;
	}

	/**
	 * Return whether a stop has reached the point where it no longer waits for peers or
	 * handlers.
	 */
	boolean isClosing() {
		return this.phase == Phase.CLOSING || this.phase == Phase.CLOSED;
	}

	/**
	 * A handler that continues although its peer has left is about to be cancelled.
	 */
	void completionTimedOut(ServerConnection connection) {
		this.completionLog.log("The handler of connection " + connection.id() + " has not completed within "
				+ this.settings.completionTimeout.toMillis() + " ms after its peer had left and the last bytes were"
				+ " delivered, and is cancelled. See callosum.server.completion-timeout", null);
	}

	/**
	 * Return a {@link Mono} that completes on the event loop of a connection when the
	 * server begins to stop, or at once if it has already begun.
	 */
	Mono<Void> draining(ServerConnection connection) {
		if (this.stopping || !this.open.contains(connection)) {
			return this.stopping ? Mono.empty() : Mono.never();
		}
		Sinks.Empty<Void> sink = this.draining.computeIfAbsent(connection, (key) -> Sinks.empty());
		if (!this.open.contains(connection)) {
			this.draining.remove(connection);
		}
		if (this.stopping) {
			complete(connection, sink);
		}
		return sink.asMono();
	}

	private void complete(ServerConnection connection, Sinks.Empty<Void> sink) {
		Channels.run(connection.channel(), sink::tryEmitEmpty);
	}

	Duration linger() {
		return this.stopping ? LINGER_WHILE_DRAINING : LINGER;
	}

	/**
	 * Advance a stop, as far as possible without waiting: connections drain while there
	 * is time, are then closed, and then have to end. Called by the thread that stops the
	 * server.
	 * @param drain whether there is time to drain
	 * @return the phase that the stop has reached
	 */
	Phase progressStop(boolean drain) {
		if (this.phase == Phase.OPEN) {
			this.draining.forEach(this::complete);
			this.draining.clear();
		}
		if (this.phase == Phase.OPEN && drain) {
			this.phase = Phase.DRAINING;
			this.open.forEach(ServerConnection::drain);
		}
		else if (this.phase == Phase.OPEN || (this.phase == Phase.DRAINING && (!drain || isEmpty()))) {
			this.phase = Phase.CLOSING;
			this.open.forEach(ServerConnection::stop);
		}
		else if (this.phase == Phase.CLOSING && isEmpty() && !this.server.events().hasPendingErrors()) {
			this.phase = Phase.CLOSED;
		}
		return this.phase;
	}

	/**
	 * The progress of a stop.
	 */
	enum Phase {

		/**
		 * Connections are accepted and served.
		 */
		OPEN,

		/**
		 * Connections end as soon as they have drained.
		 */
		DRAINING,

		/**
		 * All connections are closed and are ending.
		 */
		CLOSING,

		/**
		 * Nothing is left of any connection, and every event has been published.
		 */
		CLOSED

	}

}
