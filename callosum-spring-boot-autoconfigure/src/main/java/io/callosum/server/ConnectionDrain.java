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

import java.time.Duration;
import java.util.concurrent.TimeUnit;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import org.jspecify.annotations.Nullable;
import reactor.netty.NettyPipeline;

import io.callosum.transport.Channels;
import io.callosum.transport.ReadAheadHandler;

/**
 * Ends a connection while the server drains: between two messages, or when its peer has
 * been quiet for a while. Event loop.
 */
final class ConnectionDrain extends ChannelOutboundHandlerAdapter {

	private static final String READ_AHEAD = NettyPipeline.LEFT + "callosum";

	private final Drained drained;

	private final Channel channel;

	private final ReadAheadHandler readAhead;

	private final long quietNanos;

	/**
	 * The number of writes that have not completed yet.
	 */
	private int writing;

	/**
	 * Whether the inbound has completed, or the connection is about to be closed.
	 */
	private boolean ended;

	ConnectionDrain(Drained drained, Duration quietPeriod) {
		this.drained = drained;
		this.channel = drained.channel();
		this.readAhead = drained.readAhead();
		this.quietNanos = Channels.nanos(quietPeriod);
	}

	void begin() {
		assert Channels.isOnLoopOrAfter(this.channel);
		if (!this.channel.isActive()) {
			return;
		}
		if (isDiscarded()) {
			// The bytes of the peer are discarded anyway, and it must not delay the stop
			this.drained.flushAndClose();
			return;
		}
		awaitQuiet();
		if (this.channel.pipeline().get(READ_AHEAD) != null) {
			this.channel.pipeline().addBefore(READ_AHEAD, "callosum.drain", this);
			if (this.readAhead.hasWritten()) {
				this.readAhead.flush();
			}
			else {
				decideLater();
			}
		}
	}

	private void awaitQuiet() {
		this.readAhead.beginQuietPeriod();
		schedule(this::quietPeriodOver);
	}

	private void schedule(Runnable task) {
		this.channel.eventLoop().schedule(task, this.quietNanos, TimeUnit.NANOSECONDS);
	}

	@Override
	public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
		this.writing++;
		// Not all promises accept listeners
		ChannelPromise left = ctx.newPromise();
		left.addListener((write) -> {
			this.writing--;
			if (write.isSuccess()) {
				promise.trySuccess();
			}
			else {
				promise.tryFailure(write.cause());
			}
			if (!this.ended && this.writing == 0) {
				decideLater();
			}
		});
		ctx.write(message, left);
	}

	/**
	 * Decide in a scheduled task, because the owner may be in the middle of receiving.
	 * The event loop also polls its channels before it runs a scheduled task, so that
	 * what has arrived by now is read first, and is not mistaken for something that
	 * arrives later.
	 */
	private void decideLater() {
		this.channel.eventLoop().schedule(this::allHasLeft, 0, TimeUnit.NANOSECONDS);
	}

	private void allHasLeft() {
		LeasedConnection connection = this.drained.leasedConnection();
		if (!this.ended && this.writing == 0 && this.channel.isActive() && connection != null && connection.isClaimed()
				&& this.readAhead.isBetweenMessages() && connection.completeInbound()) {
			inboundCompleted(connection);
		}
	}

	private void quietPeriodOver() {
		assert Channels.isOnLoopOrAfter(this.channel);
		if (this.ended || !this.channel.isActive()) {
			return;
		}
		LeasedConnection connection = this.drained.leasedConnection();
		if (connection == null || !this.readAhead.isQuiet()) {
			awaitQuiet();
		}
		else if (isDiscarded()) {
			this.ended = true;
			this.drained.flushAndClose();
		}
		else if (connection.completeInbound() || !this.drained.isHandled()) {
			inboundCompleted(connection);
		}
		else {
			// The handler may still claim its bytes, and would then wait for their end
			schedule(this::quietPeriodOver);
		}
	}

	private boolean isDiscarded() {
		LeasedConnection connection = this.drained.leasedConnection();
		return connection != null && !this.drained.isHandled() && this.readAhead.isDiscarding()
				&& !connection.isClaimed();
	}

	private void inboundCompleted(LeasedConnection connection) {
		this.ended = true;
		if (!this.drained.isHandled()) {
			schedule(() -> drainFurther(connection));
		}
	}

	/**
	 * Another quiet period has passed for listeners, which have no way to signal that
	 * they are done with the bytes.
	 */
	private void drainFurther(LeasedConnection connection) {
		assert Channels.isOnLoopOrAfter(this.channel);
		if (this.drained.isHandled()) {
			// The handler was called just before the stop
			this.ended = false;
			quietPeriodOver();
			return;
		}
		// A listener may have claimed the bytes only now
		connection.completeInbound();
		this.drained.flushAndClose();
	}

	/**
	 * A connection that is being drained.
	 */
	interface Drained extends LeasedConnection.Owner {

		/**
		 * Return the connection as the application sees it.
		 * @return the connection, or {@code null} before its slot is held
		 */
		@Nullable LeasedConnection leasedConnection();

		/**
		 * Return whether the {@link ConnectionHandler} has been called.
		 */
		boolean isHandled();

		/**
		 * Close the connection when everything written has been flushed.
		 */
		void flushAndClose();

	}

}
