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

import java.util.ArrayDeque;
import java.util.Queue;
import java.util.function.Consumer;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.util.ReferenceCountUtil;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Operators;
import reactor.netty.ByteBufFlux;
import reactor.netty.Connection;
import reactor.netty.NettyInbound;

import io.callosum.transport.Channels;

/**
 * What a lease receives, with the demand of its one subscriber.
 * <p>
 * All state is confined to the event loop of the connection, or to the thread that stands
 * in for it when it has ended, except where noted.
 */
final class LeaseInbound extends Flux<Object> implements NettyInbound, Subscription {

	private final TcpLease lease;

	private final TcpConnection connection;

	private @Nullable CoreSubscriber<? super Object> subscriber;

	private long demand;

	/**
	 * Messages that a codec has produced and that have not been requested yet.
	 */
	private @Nullable Queue<Object> queue;

	private boolean draining;

	private boolean cancelled;

	/**
	 * Whether nothing more will be received.
	 */
	private boolean ended;

	/**
	 * The failure that ended it, or {@code null} if it has not ended or the connection
	 * ended.
	 */
	private @Nullable Throwable failure;

	/**
	 * Whether there is an active subscriber. Read by any thread.
	 */
	private volatile boolean open;

	LeaseInbound(TcpLease lease, TcpConnection connection) {
		this.lease = lease;
		this.connection = connection;
	}

	@Override
	public ByteBufFlux receive() {
		return ByteBufFlux.fromInbound(this, this.connection.channel().alloc());
	}

	@Override
	public Flux<?> receiveObject() {
		return this;
	}

	@Override
	public NettyInbound withConnection(Consumer<? super Connection> withConnection) {
		this.lease.checkActive();
		LeaseView.use(this.lease, this.connection, withConnection);
		return this;
	}

	@Override
	public void subscribe(CoreSubscriber<? super Object> subscriber) {
		run(() -> {
			if (this.subscriber != null) {
				Operators.error(subscriber, new IllegalStateException(
						"The bytes of a lease can only be received once; share the first subscription"));
				return;
			}
			this.subscriber = subscriber;
			this.open = true;
			subscriber.onSubscribe(this);
			if (!this.lease.isActive()) {
				leaseEnded();
			}
			drain();
		});
	}

	@Override
	public void request(long n) {
		if (Operators.validate(n)) {
			run(() -> {
				this.demand = Operators.addCap(this.demand, n);
				drain();
			});
		}
	}

	@Override
	public void cancel() {
		run(() -> {
			this.cancelled = true;
			this.open = false;
		});
	}

	private void run(Runnable task) {
		Channels.runOrAfter(this.connection.channel(), task);
	}

	/**
	 * Return whether there is an active subscriber. May be called on any thread.
	 */
	boolean isOpen() {
		return this.open;
	}

	/**
	 * Return whether the subscriber would take the next message at once.
	 */
	boolean wantsMessage() {
		return this.open && this.demand > 0 && this.queue == null;
	}

	/**
	 * Return whether a message waits for the subscriber.
	 */
	boolean hasQueued() {
		return this.queue != null;
	}

	/**
	 * A message has come out of the codecs.
	 */
	void onMessage(Object message) {
		assert Channels.isOnLoopOrAfter(this.connection.channel());
		CoreSubscriber<? super Object> subscriber = this.subscriber;
		if (subscriber != null && wantsMessage() && !this.draining) {
			emit(subscriber, message);
			return;
		}
		if (this.queue == null) {
			this.queue = new ArrayDeque<>(4);
		}
		this.queue.add(message);
		drain();
	}

	/**
	 * Fail, once everything received before has been delivered.
	 * @return {@code false} if no subscriber will see the failure
	 */
	boolean fail(Throwable failure) {
		if (this.ended || !this.open) {
			return false;
		}
		this.ended = true;
		this.failure = failure;
		drain();
		return true;
	}

	/**
	 * The connection has ended, and everything that it received has arrived here.
	 */
	void connectionEnded() {
		if (!this.lease.isActive()) {
			releaseQueue();
			return;
		}
		this.ended = true;
		if (this.queue != null) {
			// On the heap, where messages do not leak if they are never requested
			Queue<Object> copies = new ArrayDeque<>(this.queue.size());
			for (Object message : this.queue) {
				copies.add((message instanceof ByteBuf buffer) ? copyAndRelease(buffer) : message);
			}
			this.queue = copies;
		}
		drain();
	}

	private static ByteBuf copyAndRelease(ByteBuf buffer) {
		try {
			return Unpooled.copiedBuffer(buffer);
		}
		finally {
			buffer.release();
		}
	}

	/**
	 * The lease has ended before its inbound.
	 */
	void leaseEnded() {
		releaseQueue();
		CoreSubscriber<? super Object> subscriber = this.subscriber;
		if (this.open && subscriber != null) {
			this.open = false;
			subscriber.onError(this.lease.ended());
		}
	}

	private void drain() {
		if (this.draining) {
			return;
		}
		this.draining = true;
		boolean emitted = false;
		try {
			CoreSubscriber<? super Object> subscriber = this.subscriber;
			Object message;
			while (subscriber != null && this.open && this.demand > 0 && (message = poll()) != null) {
				emitted = true;
				if (this.queue == null && !this.connection.inbound().isHolding()) {
					this.connection.setUnread(false);
				}
				emit(subscriber, message);
			}
		}
		finally {
			this.draining = false;
		}
		if (this.queue == null) {
			this.connection.inbound().pass(this.lease);
		}
		if (emitted) {
			this.connection.inbound().updateUnread(this.lease);
		}
		deliverEnd();
	}

	private void emit(CoreSubscriber<? super Object> subscriber, Object message) {
		if (this.demand != Long.MAX_VALUE) {
			this.demand--;
		}
		try {
			subscriber.onNext(message);
		}
		finally {
			ReferenceCountUtil.release(message);
		}
	}

	private void deliverEnd() {
		if (!this.ended || this.queue != null) {
			return;
		}
		Throwable failure = this.failure;
		ConnectionLostException lost = (failure == null) ? this.lease.losing(this.cancelled) : null;
		CoreSubscriber<? super Object> subscriber = this.subscriber;
		if (this.open && subscriber != null) {
			this.open = false;
			TcpConnection.End end = this.connection.end();
			if (failure != null) {
				subscriber.onError(failure);
			}
			else if (lost != null && end != null && !end.isCompletion()) {
				subscriber.onError(lost);
			}
			else {
				subscriber.onComplete();
			}
		}
		this.lease.endDelivered();
	}

	private @Nullable Object poll() {
		Queue<Object> queue = this.queue;
		if (queue == null) {
			return null;
		}
		Object message = queue.remove();
		if (queue.isEmpty()) {
			this.queue = null;
		}
		return message;
	}

	private void releaseQueue() {
		Object message;
		while ((message = poll()) != null) {
			ReferenceCountUtil.release(message);
		}
	}

}
