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

import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.Predicate;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.ChannelFuture;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.ReferenceCounted;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Operators;
import reactor.netty.Connection;
import reactor.netty.FutureMono;
import reactor.netty.NettyOutbound;
import reactor.util.context.Context;

/**
 * What a lease sends. A write that is subscribed to after the end of the lease fails; one
 * that was subscribed to before delays the release until it completes.
 */
final class LeaseOutbound implements NettyOutbound {

	private final TcpLease lease;

	private final TcpConnection connection;

	LeaseOutbound(TcpLease lease, TcpConnection connection) {
		this.lease = lease;
		this.connection = connection;
	}

	@Override
	public ByteBufAllocator alloc() {
		return this.connection.channel().alloc();
	}

	@Override
	public NettyOutbound send(Publisher<? extends ByteBuf> dataStream, Predicate<ByteBuf> predicate) {
		if (dataStream instanceof Mono<? extends ByteBuf> mono) {
			return write(mono);
		}
		return then(new Write(this.connection.operations().send(dataStream, predicate).then()));
	}

	@Override
	public NettyOutbound sendObject(Publisher<?> dataStream, Predicate<Object> predicate) {
		if (dataStream instanceof Mono<?> mono) {
			return write(mono);
		}
		return then(new Write(this.connection.operations().sendObject(dataStream, predicate).then()));
	}

	@Override
	public NettyOutbound sendObject(Object message) {
		return then(new Write(FutureMono.deferFuture(() -> write(message)), message));
	}

	@Override
	public <S> NettyOutbound sendUsing(Callable<? extends S> sourceInput,
			BiFunction<? super Connection, ? super S, ?> mappedInput, Consumer<? super S> sourceCleanup) {
		LeaseView view = new LeaseView(this.lease, this.connection);
		return then(new Write(Mono.using(sourceInput,
				(source) -> FutureMono.from(write(Objects.requireNonNull(mappedInput.apply(view, source)))),
				sourceCleanup)));
	}

	private NettyOutbound write(Mono<?> message) {
		return then(new Write(message.flatMap((written) -> FutureMono.from(write(written)))
			.doOnDiscard(ReferenceCounted.class, ReferenceCounted::release)));
	}

	/**
	 * Write a message. Reactor Netty would not release it if the connection ended at the
	 * same time.
	 */
	private ChannelFuture write(Object message) {
		return this.connection.channel().writeAndFlush(message);
	}

	@Override
	public NettyOutbound withConnection(Consumer<? super Connection> withConnection) {
		LeaseView.use(this.lease, this.connection, withConnection);
		return this;
	}

	/**
	 * A write of Reactor Netty that the lease keeps track of.
	 */
	private final class Write extends Mono<Void> {

		private final Mono<Void> source;

		private final @Nullable Object message;

		private Write(Mono<Void> source) {
			this(source, null);
		}

		private Write(Mono<Void> source, @Nullable Object message) {
			this.source = source;
			this.message = message;
		}

		@Override
		public void subscribe(CoreSubscriber<? super Void> subscriber) {
			TcpLease lease = LeaseOutbound.this.lease;
			if (lease.beginWrite()) {
				WriteSubscriber write = new WriteSubscriber(lease, subscriber);
				try {
					this.source.subscribe(write);
				}
				catch (Throwable ex) {
					write.notSubscribed(ex);
				}
				return;
			}
			if (this.message != null) {
				ReferenceCountUtil.safeRelease(this.message);
			}
			Operators.error(subscriber, lease.ended());
		}

	}

	/**
	 * Ends the write before notifying the subscriber, so that a release triggered by the
	 * signal does not have to wait.
	 */
	private static final class WriteSubscriber extends AtomicBoolean implements CoreSubscriber<Void>, Subscription {

		private final TcpLease lease;

		private final CoreSubscriber<? super Void> subscriber;

		private @Nullable Subscription upstream;

		private WriteSubscriber(TcpLease lease, CoreSubscriber<? super Void> subscriber) {
			this.lease = lease;
			this.subscriber = subscriber;
		}

		@Override
		public void onSubscribe(Subscription upstream) {
			this.upstream = upstream;
			this.subscriber.onSubscribe(this);
		}

		/**
		 * Reactor Netty throws if the connection ends at the same time.
		 */
		private void notSubscribed(Throwable error) {
			if (this.upstream != null) {
				onError(error);
			}
			else if (end()) {
				Operators.error(this.subscriber, this.lease.writeFailed(error));
			}
		}

		@Override
		public void onNext(Void ignored) {
		}

		@Override
		public void onError(Throwable error) {
			if (end()) {
				this.subscriber.onError(this.lease.writeFailed(error));
			}
		}

		@Override
		public void onComplete() {
			if (end()) {
				this.subscriber.onComplete();
			}
		}

		@Override
		public void request(long n) {
			if (this.upstream != null) {
				this.upstream.request(n);
			}
		}

		@Override
		public void cancel() {
			if (this.upstream != null) {
				this.upstream.cancel();
			}
			end();
		}

		@Override
		public Context currentContext() {
			return this.subscriber.currentContext();
		}

		private boolean end() {
			boolean first = compareAndSet(false, true);
			if (first) {
				this.lease.endWrite();
			}
			return first;
		}

	}

}
