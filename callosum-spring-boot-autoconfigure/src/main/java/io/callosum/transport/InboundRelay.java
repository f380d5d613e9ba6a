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

import java.util.concurrent.RejectedExecutionException;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufHolder;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.util.ReferenceCountUtil;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Operators;
import reactor.netty.NettyPipeline;
import reactor.util.concurrent.Queues;
import reactor.util.context.Context;

/**
 * Publishes what the peer sends to the subscriber that has claimed it. It subscribes to
 * Reactor Netty at the claim, with the demand of its own subscriber: Reactor Netty drops
 * what is unread when a connection without a subscriber ends, and its own subscriber may
 * come late.
 * <p>
 * All state is used only on the event loop of the connection or, after that has ended, on
 * the single thread that {@link Channels#runOrAfter} then uses.
 */
public class InboundRelay extends Flux<Object> implements CoreSubscriber<Object>, Subscription {

	private static final Log logger = LogFactory.getLog(InboundRelay.class);

	private final ChannelOwner owner;

	private final ReadAheadHandler readAhead;

	private @Nullable Subscription upstream;

	private boolean upstreamDone;

	private @Nullable Throwable error;

	private @Nullable CoreSubscriber<? super Object> downstream;

	private boolean downstreamDone;

	private long demand;

	/**
	 * What was unread when the connection ended, {@code null} while it is alive.
	 */
	private @Nullable HeldMessages rest;

	private boolean restUncounted;

	/**
	 * How many messages the subscriber requests initially, and so accepts before it has
	 * processed the first one.
	 */
	private long prefetch;

	/**
	 * How many more times a subscriber without new demand is assumed to be working: once
	 * for each message that it has received without requesting another one.
	 */
	private long patience;

	private boolean draining;

	/**
	 * Whether it was claimed on a thread other than the event loop, so that codecs may
	 * still be on their way when the connection ends.
	 */
	private final boolean claimedElsewhere;

	/**
	 * Create a new relay.
	 * @param owner the owner of the channel
	 * @param readAhead the handler of the channel that holds what was read ahead
	 */
	public InboundRelay(ChannelOwner owner, ReadAheadHandler readAhead) {
		this.owner = owner;
		this.readAhead = readAhead;
		this.claimedElsewhere = !owner.channel().eventLoop().inEventLoop();
	}

	/**
	 * Start to relay. Event loop, or after it.
	 */
	public void start() {
		assert isOnLoopOrAfter();
		this.readAhead.claimedBy(this);
		Channel channel = this.owner.channel();
		if (channel.pipeline().get(NettyPipeline.ReactiveBridge) != null && !channel.eventLoop().isShutdown()) {
			channel.pipeline()
				.addBefore(NettyPipeline.ReactiveBridge, CodecFailureHandler.NAME,
						new CodecFailureHandler(this.readAhead));
			this.owner.operations().receiveObject().subscribe(this);
			if (this.owner.isEnding() && channel.isActive()) {
				// For example, while a drain waits for written bytes to reach the socket
				completeNow();
			}
		}
		else {
			HeldMessages rest = createRest();
			Object message;
			while ((message = this.readAhead.poll()) != null) {
				rest.add(copy(message));
				ReferenceCountUtil.release(message);
			}
			this.error = this.readAhead.failure();
			this.upstreamDone = true;
		}
	}

	@Override
	public void subscribe(CoreSubscriber<? super Object> subscriber) {
		Channels.runOrAfter(this.owner.channel(), () -> {
			if (this.downstream != null) {
				Operators.error(subscriber, new IllegalStateException(
						"The bytes of a connection can only be received once; share the first subscription"));
				return;
			}
			this.downstream = subscriber;
			subscriber.onSubscribe(this);
			drain();
		});
	}

	@Override
	public void request(long n) {
		if (Operators.validate(n)) {
			Channels.runOrAfter(this.owner.channel(), () -> {
				this.demand = Operators.addCap(this.demand, n);
				if (this.prefetch == 0) {
					this.prefetch = Math.min(n, Queues.SMALL_BUFFER_SIZE);
				}
				if (this.readAhead.isClosed()) {
					gatherRest();
				}
				if (this.rest != null) {
					drain();
				}
				else if (this.upstream != null) {
					requestAndReadAhead(this.upstream, n);
				}
			});
		}
	}

	@Override
	public void cancel() {
		Channels.runOrAfter(this.owner.channel(), () -> {
			this.downstreamDone = true;
			if (this.upstream != null) {
				cancelUpstream(this.upstream);
			}
			if (this.rest != null) {
				this.rest.release();
			}
			LateCodecs codecs = this.readAhead.lateCodecs();
			if (codecs != null) {
				codecs.release();
			}
			this.readAhead.discard();
			this.owner.inboundDelivered();
		});
	}

	@Override
	public void onSubscribe(Subscription upstream) {
		this.upstream = upstream;
		if (this.demand > 0) {
			requestAndReadAhead(upstream, this.demand);
		}
	}

	private void requestAndReadAhead(Subscription upstream, long n) {
		if (requestUpstream(upstream, n)) {
			// Once the demand is met, Reactor Netty turns off auto-read, and with it a
			// read that is pending
			this.readAhead.readAhead();
		}
	}

	/**
	 * Return whether the request was accepted. Nothing arrives from an event loop that
	 * has ended.
	 */
	private boolean requestUpstream(Subscription upstream, long n) {
		try {
			upstream.request(n);
			return true;
		}
		catch (RejectedExecutionException ex) {
			if (!this.owner.channel().eventLoop().isShutdown()) {
				throw ex;
			}
			onComplete();
			return false;
		}
	}

	private static void cancelUpstream(Subscription upstream) {
		try {
			upstream.cancel();
		}
		catch (RejectedExecutionException ex) {
			logger.trace("The event loop has ended", ex);
		}
	}

	@Override
	public void onNext(Object message) {
		this.readAhead.relayed(message);
		if (this.downstreamDone) {
			return;
		}
		if (this.rest != null && this.rest.isFull()) {
			this.error = ReadAheadBudget.usedUp();
			endUpstream();
		}
		else if (this.rest != null) {
			this.rest.add(copy(message));
			drain();
		}
		else if (this.downstream != null) {
			emit(this.downstream, message);
		}
	}

	@Override
	public void onError(Throwable error) {
		this.error = error;
		onComplete();
		// The connection may stay open, for example after a codec has failed
		this.readAhead.discard();
	}

	@Override
	public void onComplete() {
		if (isReceiving() && this.owner.channel().isActive() && !this.owner.channel().eventLoop().isShutdown()) {
			// Disposed by the application, which is the reason for all that follows.
			// Reactor Netty also completes a subscription that is cancelled
			this.owner.closing();
		}
		this.upstreamDone = true;
		drain();
	}

	@Override
	public Context currentContext() {
		return (this.downstream != null) ? this.downstream.currentContext() : Context.empty();
	}

	/**
	 * Return whether a subscriber that has not received everything is assumed to accept
	 * more, although it may never request it. Called once per period that the processing
	 * of one message may take. Event loop, or after it.
	 */
	public boolean isDelivering() {
		assert isOnLoopOrAfter();
		return !this.downstreamDone && this.patience-- > 0;
	}

	boolean isReceiving() {
		return this.upstream != null && !this.upstreamDone && !this.downstreamDone;
	}

	/**
	 * Take over everything that has been read, because the connection ends and its
	 * subscriber may not have requested everything yet. Event loop, or after it.
	 * @return {@code false} if this has to wait for codecs that are on their way
	 */
	boolean gather() {
		if (gathersLate()) {
			return false;
		}
		gatherRest();
		return true;
	}

	/**
	 * Return whether this waits for codecs, at most until Netty is about to empty the
	 * pipeline.
	 */
	boolean gathersLate() {
		return (this.claimedElsewhere || this.readAhead.hasCodecsFromElsewhere()) && this.prefetch == 0
				&& this.rest == null && isReceiving() && !this.owner.channel().eventLoop().isShutdown();
	}

	/**
	 * Take over everything that has been read, regardless of the codecs that are present.
	 */
	void gatherRest() {
		assert isOnLoopOrAfter();
		if (this.rest == null && isReceiving() && this.upstream != null) {
			createRest();
			requestUpstream(this.upstream, Long.MAX_VALUE);
		}
	}

	/**
	 * Complete as soon as everything that has been read is delivered, and stop reading.
	 * Event loop, or after it.
	 * @return {@code false} if the relay has not started yet, or codecs are on their way
	 */
	public boolean complete() {
		assert isOnLoopOrAfter();
		return !gathersLate() && completeNow();
	}

	private boolean completeNow() {
		if (isReceiving() && this.upstream != null) {
			gatherRest();
			endUpstream();
		}
		return this.upstream != null || this.upstreamDone;
	}

	/**
	 * Stop receiving. What has been received is still delivered.
	 */
	private void endUpstream() {
		this.upstreamDone = true;
		if (this.upstream != null) {
			cancelUpstream(this.upstream);
		}
		this.readAhead.discard();
		drain();
	}

	private HeldMessages createRest() {
		HeldMessages rest = new HeldMessages(this.owner.readAheadBudget());
		if (this.restUncounted) {
			rest.uncount();
		}
		this.rest = rest;
		return rest;
	}

	/**
	 * Stop counting undelivered messages in the budget, because nothing waits for their
	 * subscriber. Event loop, or after it.
	 */
	void uncountRest() {
		assert isOnLoopOrAfter();
		this.restUncounted = true;
		if (this.rest != null) {
			this.rest.uncount();
		}
	}

	private void drain() {
		assert isOnLoopOrAfter();
		if (this.draining) {
			return;
		}
		this.draining = true;
		try {
			Object message;
			while (this.downstream != null && !this.downstreamDone && this.demand > 0
					&& (message = pollRest()) != null) {
				try {
					emit(this.downstream, message);
				}
				finally {
					ReferenceCountUtil.release(message);
				}
			}
		}
		finally {
			this.draining = false;
		}
		if (this.downstream != null && this.upstreamDone && !this.downstreamDone && !hasRest()) {
			this.downstreamDone = true;
			this.owner.inboundDelivered();
			if (this.error != null) {
				this.downstream.onError(this.error);
			}
			else {
				this.downstream.onComplete();
			}
		}
	}

	private void emit(CoreSubscriber<? super Object> downstream, Object message) {
		if (this.demand != Long.MAX_VALUE) {
			this.demand--;
		}
		this.patience = Math.max(1, this.prefetch - this.demand);
		long start = System.nanoTime();
		downstream.onNext(message);
		long held = UserCode.heldEventLoopSince(start);
		if (held > 0) {
			this.owner.heldEventLoop(held);
		}
	}

	private @Nullable Object pollRest() {
		if (this.rest == null || !hasRest()) {
			return null;
		}
		LateCodecs codecs = this.readAhead.lateCodecs();
		Object decoded = (codecs != null) ? codecs.poll() : null;
		return (decoded != null) ? decoded : this.rest.poll();
	}

	/**
	 * Return whether anything is left to deliver after late codecs have decoded it.
	 */
	private boolean hasRest() {
		HeldMessages rest = this.rest;
		LateCodecs codecs = this.readAhead.lateCodecs();
		if (rest == null || codecs == null) {
			return rest != null && !rest.isEmpty();
		}
		while (codecs.isEmpty() && codecs.failure() == null) {
			Object message = rest.poll();
			if (message != null) {
				codecs.decode(message);
			}
			else if (this.upstreamDone && codecs.isOpen()) {
				codecs.close();
			}
			else {
				return false;
			}
		}
		if (codecs.isEmpty()) {
			this.error = codecs.failure();
			codecs.release();
			rest.release();
		}
		return !codecs.isEmpty();
	}

	/**
	 * Return a message for a subscriber that may never come: its bytes are on the heap,
	 * where dropping them is not a leak. A message of a type that cannot be copied with
	 * its fields is retained and returned as it is.
	 */
	static Object copy(Object message) {
		if (message instanceof ByteBufHolder holder) {
			ByteBufHolder copy = holder.replace(Unpooled.copiedBuffer(holder.content()));
			if (copy.getClass() == holder.getClass()) {
				return copy;
			}
			copy.release();
		}
		return (message instanceof ByteBuf buffer) ? Unpooled.copiedBuffer(buffer) : ReferenceCountUtil.retain(message);
	}

	private boolean isOnLoopOrAfter() {
		return Channels.isOnLoopOrAfter(this.owner.channel());
	}

}
