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

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.ProtocolException;
import java.nio.channels.ClosedChannelException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ConnectTimeoutException;
import io.netty.channel.EventLoop;
import io.netty.handler.codec.DecoderException;
import io.netty.handler.ssl.SslCloseCompletionEvent;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.ScheduledFuture;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.Disposable;
import reactor.netty.Connection;
import reactor.netty.NettyPipeline;
import reactor.netty.resources.LoopResources;
import reactor.netty.tcp.SslProvider;
import reactor.netty.tcp.TcpClient;

import io.callosum.client.Dial.Failure;
import io.callosum.transport.Channels;
import io.callosum.transport.SlotLineDecoder;

/**
 * Dials with Reactor Netty's {@link TcpClient}. A dial has one address, a deadline for
 * the connection including TLS, and another one for the slot line.
 */
final class TcpDialler implements Dialler {

	private static final Log logger = LogFactory.getLog(TcpDialler.class);

	/**
	 * Named like one of Reactor Netty's own handlers, so that {@code addHandlerFirst()}
	 * adds codecs after it.
	 */
	private static final String HANDLER = NettyPipeline.LEFT + "callosum";

	private final TcpClient client;

	private final EventLoop eventLoop;

	private final List<EventLoop> channelLoops;

	/**
	 * Counts the dials. Confined to the event loop.
	 */
	private int dials;

	private final ClientSettings settings;

	private final Supplier<String> connectionIds;

	private final FailureLog failures;

	/**
	 * Create a new dialler.
	 * @param client the client, without an address and handlers
	 * @param eventLoop where dials begin, rather than on the thread that needs a
	 * connection, whose context and thread locals the connection would keep
	 * @param channelLoops the event loops for the channels, used in turn
	 * @param settings the settings
	 * @param connectionIds supplies the ids of connections
	 */
	TcpDialler(TcpClient client, EventLoop eventLoop, List<EventLoop> channelLoops, ClientSettings settings,
			Supplier<String> connectionIds) {
		this.client = client;
		this.eventLoop = eventLoop;
		this.channelLoops = channelLoops;
		this.settings = settings;
		this.connectionIds = connectionIds;
		this.failures = new FailureLog(settings.name());
	}

	@Override
	public Disposable dial(Dial dial) {
		Attempt attempt = new Attempt(dial);
		try {
			this.eventLoop.execute(attempt::start);
		}
		catch (RejectedExecutionException ex) {
			logger.trace("The event loop has ended", ex);
		}
		return attempt;
	}

	/**
	 * Return the next event loop. Given all of them, Reactor Netty would not use every
	 * one.
	 */
	private LoopResources nextLoops() {
		EventLoop channelLoop = this.channelLoops.get(Math.floorMod(this.dials++, this.channelLoops.size()));
		return (useNative) -> channelLoop;
	}

	/**
	 * One dial. It ends once: connected, failed or abandoned, whichever comes first.
	 */
	private final class Attempt implements Disposable, CoreSubscriber<Connection> {

		private final Dial dial;

		private final InetSocketAddress server;

		private final AtomicBoolean ended = new AtomicBoolean();

		private volatile @Nullable Channel channel;

		/**
		 * The timeout of the current phase of the dial.
		 */
		private volatile @Nullable ScheduledFuture<?> timeout;

		private Attempt(Dial dial) {
			this.dial = dial;
			this.server = dial.server();
		}

		private void start() {
			assert TcpDialler.this.eventLoop.inEventLoop();
			if (this.ended.get()) {
				return;
			}
			Duration connectTimeout = TcpDialler.this.settings.connectTimeout();
			this.timeout = TcpDialler.this.eventLoop.schedule(
					() -> fail(Failure.UNREACHABLE,
							new ConnectTimeoutException("No connection to " + this.server + " within "
									+ connectTimeout.toMillis() + " ms")),
					Channels.nanos(connectTimeout), TimeUnit.NANOSECONDS);
			try {
				TcpClient client = TcpDialler.this.client.runOn(nextLoops(), false)
					.remoteAddress(() -> this.server)
					.doOnChannelInit((observer, channel, remoteAddress) -> initialize(channel));
				Supplier<SslProvider> sslProvider = TcpDialler.this.settings.sslProvider();
				if (sslProvider != null) {
					client = client.secure(sslProvider.get());
				}
				client.connect().subscribe(this);
			}
			catch (Throwable ex) {
				fail(Failure.UNREACHABLE, ex);
			}
		}

		private void initialize(Channel channel) {
			this.channel = channel;
			SslHandler sslHandler = channel.pipeline().get(SslHandler.class);
			if (sslHandler != null) {
				// Covered by the deadline of the connection
				sslHandler.setHandshakeTimeoutMillis(0);
			}
			channel.pipeline().addBefore(NettyPipeline.ReactiveBridge, HANDLER, new SlotLineHandler(this));
			if (this.ended.get()) {
				Channels.closePastPipeline(channel);
			}
		}

		@Override
		public void onSubscribe(Subscription subscription) {
			// Never cancelled: closing the channel is enough, and Reactor would log the
			// resulting errors
			subscription.request(Long.MAX_VALUE);
		}

		@Override
		public void onNext(Connection connection) {
			// Handled by SlotLineHandler
		}

		@Override
		public void onError(Throwable error) {
			fail(Failure.UNREACHABLE, error);
		}

		@Override
		public void onComplete() {
		}

		@Override
		public void dispose() {
			if (end()) {
				closeChannel();
			}
		}

		@Override
		public boolean isDisposed() {
			return this.ended.get();
		}

		private void fail(Failure failure, Throwable cause) {
			if (!end()) {
				return;
			}
			TcpDialler.this.failures.log(this.server, failure,
					(failure == Failure.NO_SLOT) ? "no slot: " + cause.getMessage() : "it cannot be reached: " + cause);
			Channel channel = this.channel;
			if (channel == null) {
				this.dial.failed(failure, cause);
			}
			else {
				closeChannel();
				channel.closeFuture().addListener((closed) -> this.dial.failed(failure, cause));
			}
		}

		private boolean end() {
			if (!this.ended.compareAndSet(false, true)) {
				return false;
			}
			cancelTimeout();
			return true;
		}

		private void cancelTimeout() {
			ScheduledFuture<?> timeout = this.timeout;
			if (timeout != null) {
				timeout.cancel(false);
			}
		}

		private void closeChannel() {
			Channel channel = this.channel;
			if (channel != null) {
				Channels.abort(channel);
			}
		}

		/**
		 * The server has sent the slot line. Called on the event loop of the channel.
		 */
		private void connected(Channel channel, int slot, ByteBuf rest) {
			if (!end()) {
				rest.release();
				return;
			}
			TcpConnection connection = new TcpConnection(channel, TcpDialler.this.connectionIds.get(), slot,
					this.server, TcpDialler.this.failures);
			PoolMember member = this.dial.connected(connection, slot);
			if (member == null) {
				rest.release();
				channel.close();
				return;
			}
			ClientSettings settings = TcpDialler.this.settings;
			connection.begin(member, settings.initializer(), settings.acquireTimeout(), HANDLER, rest);
		}

	}

	/**
	 * Waits for the connection, including TLS, and then for the slot line.
	 */
	private final class SlotLineHandler extends ChannelInboundHandlerAdapter {

		private final Attempt attempt;

		private final SlotLineDecoder decoder = new SlotLineDecoder();

		private Failure failure = Failure.UNREACHABLE;

		private SlotLineHandler(Attempt attempt) {
			this.attempt = attempt;
		}

		@Override
		public void channelActive(ChannelHandlerContext ctx) {
			this.attempt.cancelTimeout();
			this.failure = Failure.NO_SLOT;
			Duration slotTimeout = TcpDialler.this.settings.slotTimeout();
			this.attempt.timeout = ctx.executor()
				.schedule(
						() -> this.attempt.fail(Failure.NO_SLOT,
								new TimeoutException("No slot line from " + this.attempt.server + " within "
										+ slotTimeout.toMillis() + " ms")),
						Channels.nanos(slotTimeout), TimeUnit.NANOSECONDS);
			if (this.attempt.ended.get()) {
				this.attempt.cancelTimeout();
			}
			ctx.fireChannelActive();
			ctx.read();
		}

		@Override
		public void channelRead(ChannelHandlerContext ctx, Object message) {
			if (this.attempt.ended.get() || !(message instanceof ByteBuf bytes)) {
				ReferenceCountUtil.release(message);
				return;
			}
			int slot;
			try {
				slot = this.decoder.decode(bytes);
			}
			catch (ProtocolException ex) {
				bytes.release();
				this.attempt.fail(this.failure, ex);
				return;
			}
			if (slot == SlotLineDecoder.INCOMPLETE) {
				bytes.release();
			}
			else {
				this.attempt.connected(ctx.channel(), slot, bytes);
			}
		}

		@Override
		public void channelReadComplete(ChannelHandlerContext ctx) {
			ctx.read();
		}

		@Override
		public void channelInactive(ChannelHandlerContext ctx) {
			closed();
			ctx.fireChannelInactive();
		}

		@Override
		public void userEventTriggered(ChannelHandlerContext ctx, Object event) {
			if (event instanceof SslCloseCompletionEvent) {
				closed();
			}
			ctx.fireUserEventTriggered(event);
		}

		@Override
		public void exceptionCaught(ChannelHandlerContext ctx, Throwable error) {
			Throwable cause = (error instanceof DecoderException && error.getCause() != null) ? error.getCause()
					: error;
			if (cause instanceof ClosedChannelException) {
				closed();
			}
			else {
				this.attempt.fail(this.failure, cause);
			}
		}

		private void closed() {
			this.attempt
				.fail(this.failure, new IOException("The server " + this.attempt.server + " closed the connection "
						+ ((this.failure == Failure.NO_SLOT) ? "without a slot line" : "before it was established")));
		}

	}

}
