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

import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;
import java.util.concurrent.atomic.AtomicReferenceFieldUpdater;
import java.util.function.Function;
import java.util.function.Supplier;

import io.netty.channel.Channel;
import io.netty.util.ReferenceCountUtil;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import org.reactivestreams.Subscriber;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.Disposable;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Operators;
import reactor.util.context.Context;

import io.callosum.transport.Channels;

/**
 * A write of any number of messages by Reactor Netty, which cancels the source of the
 * messages when the connection closes. If that would lose what the peer has sent, the
 * messages are dropped instead, as long as there is a {@link Completion}.
 *
 * @param <T> the type of the messages
 */
final class DroppableWrite<T> extends Mono<Void> {

	private final Channel channel;

	private final Supplier<@Nullable Completion> completion;

	private final Publisher<? extends T> messages;

	private final Function<Publisher<T>, Mono<Void>> write;

	DroppableWrite(Channel channel, Supplier<@Nullable Completion> completion, Publisher<? extends T> messages,
			Function<Publisher<T>, Mono<Void>> write) {
		this.channel = channel;
		this.completion = completion;
		this.messages = messages;
		this.write = write;
	}

	@Override
	public void subscribe(CoreSubscriber<? super Void> subscriber) {
		Messages<T> messages = new Messages<>(this, subscriber);
		subscriber.onSubscribe(messages.written);
		if (messages.dropAll()) {
			return;
		}
		try {
			this.write.apply(messages).subscribe(messages.written);
		}
		catch (Throwable ex) {
			// Reactor Netty throws if the connection ends at the same time
			messages.written.onError(ex);
		}
	}

	/**
	 * The messages of a write: subscribed to by Reactor Netty, unless they are dropped.
	 */
	private static final class Messages<T> implements Publisher<T>, CoreSubscriber<T>, Subscription {

		@SuppressWarnings("rawtypes")
		private static final AtomicReferenceFieldUpdater<Messages, Subscription> UPSTREAM = AtomicReferenceFieldUpdater
			.newUpdater(Messages.class, Subscription.class, "upstream");

		@SuppressWarnings("rawtypes")
		private static final AtomicIntegerFieldUpdater<Messages> ENDED = AtomicIntegerFieldUpdater
			.newUpdater(Messages.class, "ended");

		/**
		 * The number of messages that are dropped at a time, so that an endless source
		 * cannot hold the event loop.
		 */
		private static final int BATCH = 256;

		private final Channel channel;

		private final Supplier<@Nullable Completion> completion;

		private final Publisher<? extends T> messages;

		private final CoreSubscriber<? super Void> subscriber;

		private final Written written = new Written(this);

		private volatile @Nullable Subscription upstream;

		/**
		 * The subscriber of Reactor Netty, {@code null} if it has not subscribed.
		 */
		private volatile @Nullable Subscriber<? super T> writer;

		private volatile boolean dropping;

		/**
		 * Whether there are no more messages.
		 */
		private volatile boolean done;

		private volatile boolean cancelled;

		private volatile int ended;

		private @Nullable Throwable failure;

		/**
		 * The number of messages of the batch that are still to come. Used by
		 * {@link #onNext} only.
		 */
		private int left = BATCH;

		private volatile @Nullable Disposable whenOver;

		Messages(DroppableWrite<T> write, CoreSubscriber<? super Void> subscriber) {
			this.channel = write.channel;
			this.completion = write.completion;
			this.messages = write.messages;
			this.subscriber = subscriber;
		}

		// For Reactor Netty

		@Override
		public void subscribe(Subscriber<? super T> writer) {
			this.writer = writer;
			this.messages.subscribe(this);
		}

		@Override
		public void request(long n) {
			Subscription upstream = this.upstream;
			if (upstream != null) {
				upstream.request(n);
			}
		}

		/**
		 * Called when Reactor Netty stops writing, because the connection is closed or
		 * the write is cancelled.
		 */
		@Override
		public void cancel() {
			if (drop()) {
				request(BATCH);
			}
			else {
				Operators.terminate(UPSTREAM, this);
			}
		}

		// From the source of the messages

		@Override
		public void onSubscribe(Subscription upstream) {
			if (Operators.setOnce(UPSTREAM, this, upstream)) {
				Subscriber<? super T> writer = this.writer;
				if (this.dropping || writer == null) {
					upstream.request(BATCH);
				}
				else {
					writer.onSubscribe(this);
				}
			}
		}

		@Override
		public void onNext(T message) {
			Subscriber<? super T> writer = this.writer;
			if (!this.dropping && writer != null) {
				writer.onNext(message);
				return;
			}
			ReferenceCountUtil.safeRelease(message);
			if (--this.left == 0) {
				this.left = BATCH;
				dropMore();
			}
		}

		@Override
		public void onError(Throwable error) {
			this.failure = error;
			this.done = true;
			Subscriber<? super T> writer = this.writer;
			if (this.dropping || writer == null) {
				end(error);
			}
			else {
				writer.onError(error);
			}
		}

		@Override
		public void onComplete() {
			this.done = true;
			Subscriber<? super T> writer = this.writer;
			if (this.dropping || writer == null) {
				end(null);
			}
			else {
				writer.onComplete();
			}
		}

		@Override
		public Context currentContext() {
			if (this.writer instanceof CoreSubscriber<?> coreSubscriber) {
				return coreSubscriber.currentContext();
			}
			return Operators.enableOnDiscard(this.subscriber.currentContext(), ReferenceCountUtil::safeRelease);
		}

		// Dropping

		/**
		 * Drop messages from now on, if the peer has left.
		 * @return whether messages are dropped
		 */
		private boolean drop() {
			if (this.dropping) {
				return !this.cancelled;
			}
			Completion completion = this.completion.get();
			if (completion == null || this.cancelled || this.ended != 0) {
				return false;
			}
			this.dropping = true;
			this.whenOver = completion.whenOver(this::over);
			if (this.done) {
				end(this.failure);
			}
			return true;
		}

		/**
		 * Drop all messages, if the peer left before Reactor Netty subscribed.
		 * @return whether messages are dropped
		 */
		private boolean dropAll() {
			boolean dropping = drop();
			if (dropping) {
				this.messages.subscribe(this);
			}
			return dropping;
		}

		private void dropMore() {
			Completion.pause(this.channel, () -> request(BATCH), this::over);
		}

		/**
		 * What the peer has sent is no longer processed.
		 */
		private void over() {
			Operators.terminate(UPSTREAM, this);
			end(null);
		}

		// The end

		private void written() {
			// Reactor Netty also completes a write that the end of the connection cuts
			// off
			if (this.done || !drop()) {
				end(this.failure);
			}
		}

		private void writeFailed(Throwable error) {
			if (this.writer == null && Completion.mayFollow(error)) {
				// The connection has only just ended, which its event loop is sure to
				// know
				Channels.runOrAfter(this.channel, () -> {
					if (!dropAll()) {
						end(error);
					}
				});
			}
			else if (this.done || !Completion.mayFollow(error) || !drop()) {
				end((this.done && this.dropping) ? this.failure : error);
			}
		}

		private void end(@Nullable Throwable error) {
			if (!finish()) {
				return;
			}
			if (error != null) {
				this.subscriber.onError(error);
			}
			else if (this.dropping) {
				Completion.pause(this.channel, this.subscriber::onComplete, this.subscriber::onComplete);
			}
			else {
				this.subscriber.onComplete();
			}
		}

		/**
		 * The subscriber of the write has cancelled it.
		 */
		private void cancelWrite() {
			this.cancelled = true;
			finish();
			Operators.terminate(UPSTREAM, this);
		}

		/**
		 * Claim the right to signal the end.
		 * @return whether it had not been claimed before
		 */
		private boolean finish() {
			if (!ENDED.compareAndSet(this, 0, 1)) {
				return false;
			}
			Disposable whenOver = this.whenOver;
			if (whenOver != null) {
				whenOver.dispose();
			}
			return true;
		}

	}

	/**
	 * Waits for the end of Reactor Netty's write.
	 */
	private static final class Written implements CoreSubscriber<Void>, Subscription {

		private static final AtomicReferenceFieldUpdater<Written, Subscription> WRITE = AtomicReferenceFieldUpdater
			.newUpdater(Written.class, Subscription.class, "write");

		private final Messages<?> messages;

		private volatile @Nullable Subscription write;

		Written(Messages<?> messages) {
			this.messages = messages;
		}

		@Override
		public void onSubscribe(Subscription write) {
			if (Operators.setOnce(WRITE, this, write)) {
				write.request(Long.MAX_VALUE);
			}
		}

		@Override
		public void onNext(Void ignored) {
		}

		@Override
		public void onError(Throwable error) {
			this.messages.writeFailed(error);
		}

		@Override
		public void onComplete() {
			this.messages.written();
		}

		@Override
		public void request(long n) {
			// There are no elements, only an end
		}

		@Override
		public void cancel() {
			this.messages.cancelWrite();
			Operators.terminate(WRITE, this);
		}

		@Override
		public Context currentContext() {
			return this.messages.subscriber.currentContext();
		}

	}

}
