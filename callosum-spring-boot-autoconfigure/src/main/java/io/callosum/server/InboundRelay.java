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

import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.RejectedExecutionException;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.util.ReferenceCountUtil;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Operators;
import reactor.netty.NettyPipeline;
import reactor.util.context.Context;

/**
 * What the peer sends, for the one who has claimed it. Subscribed to Reactor Netty from
 * the claim on, with the demand of its own subscriber: Reactor Netty drops what is unread
 * when a connection without a subscriber ends, and this one may come late.
 * <p>
 * All state is used on the event loop of the connection only, and when that has ended on
 * the one thread that {@link ConnectionLease#onEventLoopOrAfter} has for it.
 */
final class InboundRelay extends Flux<Object> implements CoreSubscriber<Object>, Subscription {

	private static final Log logger = LogFactory.getLog(InboundRelay.class);

	private final ConnectionLease lease;

	private @Nullable Subscription upstream;

	private boolean upstreamDone;

	private @Nullable Throwable error;

	private @Nullable CoreSubscriber<? super Object> downstream;

	private boolean downstreamDone;

	private long demand;

	/**
	 * What was unread when the connection ended, {@code null} while it lives.
	 */
	private @Nullable Queue<Object> rest;

	private boolean draining;

	InboundRelay(ConnectionLease lease) {
		this.lease = lease;
	}

	/**
	 * Begin to relay. Event loop.
	 */
	void start() {
		ReadAheadHandler readAhead = this.lease.readAhead();
		readAhead.claimedBy(this);
		if (this.lease.channel().isActive() && !this.lease.channel().eventLoop().isShutdown()) {
			this.lease.channel()
				.pipeline()
				.addBefore(NettyPipeline.ReactiveBridge, NettyPipeline.RIGHT + "callosum",
						new CodecFailureHandler(readAhead));
			this.lease.operations().receiveObject().subscribe(this);
			if (this.lease.isEnding()) {
				// As when a drain waits for what was written to leave
				complete();
			}
		}
		else {
			Queue<Object> rest = new ArrayDeque<>();
			Object message;
			while ((message = readAhead.poll()) != null) {
				keep(message, rest);
				ReferenceCountUtil.release(message);
			}
			this.rest = rest;
			this.error = readAhead.failure();
			this.upstreamDone = true;
		}
	}

	@Override
	public void subscribe(CoreSubscriber<? super Object> subscriber) {
		this.lease.onEventLoopOrAfter(() -> {
			if (this.downstream != null) {
				Operators.error(subscriber, new IllegalStateException(
						"The bytes of a connection can be received once; share the first subscription if need be"));
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
			this.lease.onEventLoopOrAfter(() -> {
				this.demand = Operators.addCap(this.demand, n);
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
		this.lease.onEventLoopOrAfter(() -> {
			this.downstreamDone = true;
			if (this.upstream != null) {
				cancelUpstream(this.upstream);
			}
			releaseRest();
			this.lease.readAhead().discard();
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
			// Once that is met, Reactor Netty takes back whatever read is pending
			this.lease.readAhead().readAhead();
		}
	}

	/**
	 * Return whether the request was taken. Nothing comes from an event loop that has
	 * ended.
	 */
	private boolean requestUpstream(Subscription upstream, long n) {
		try {
			upstream.request(n);
			return true;
		}
		catch (RejectedExecutionException ex) {
			if (!this.lease.channel().eventLoop().isShutdown()) {
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
		if (this.downstreamDone) {
			return;
		}
		if (this.rest != null) {
			keep(message, this.rest);
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
		// The connection may live on, as after a failure of a codec
		this.lease.readAhead().discard();
	}

	@Override
	public void onComplete() {
		this.upstreamDone = true;
		drain();
	}

	@Override
	public Context currentContext() {
		return (this.downstream != null) ? this.downstream.currentContext() : Context.empty();
	}

	boolean isReceiving() {
		return this.upstream != null && !this.upstreamDone && !this.downstreamDone;
	}

	/**
	 * Take over all that has been read: the connection ends, and its subscriber may not
	 * have asked for everything yet. Event loop.
	 */
	void gather() {
		if (this.rest == null && isReceiving() && this.upstream != null) {
			this.rest = new ArrayDeque<>();
			requestUpstream(this.upstream, Long.MAX_VALUE);
		}
	}

	/**
	 * Complete as soon as all that has been read is delivered, and read no more. Event
	 * loop.
	 * @return {@code false} if the relay has not started yet
	 */
	boolean complete() {
		if (isReceiving() && this.upstream != null) {
			gather();
			cancelUpstream(this.upstream);
			this.upstreamDone = true;
			this.lease.readAhead().discard();
			drain();
		}
		return this.upstream != null || this.upstreamDone;
	}

	private void drain() {
		if (this.draining) {
			return;
		}
		this.draining = true;
		try {
			Object message;
			while (this.downstream != null && this.demand > 0 && (message = pollRest()) != null) {
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
		if (this.downstream != null && this.upstreamDone && !this.downstreamDone
				&& (this.rest == null || this.rest.isEmpty())) {
			this.downstreamDone = true;
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
		downstream.onNext(message);
	}

	private @Nullable Object pollRest() {
		return (this.rest != null) ? this.rest.poll() : null;
	}

	private void releaseRest() {
		Object message;
		while ((message = pollRest()) != null) {
			ReferenceCountUtil.release(message);
		}
	}

	/**
	 * Keep a message for a subscriber that may never come: bytes on the heap, where
	 * forgetting them is no leak.
	 */
	private static void keep(Object message, Queue<Object> rest) {
		rest.add((message instanceof ByteBuf buffer) ? Unpooled.copiedBuffer(buffer)
				: ReferenceCountUtil.retain(message));
	}

}
