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

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;

import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Operators;

import io.callosum.transport.UserCode;

/**
 * Calls the handler of a connection, and waits for its end. The first outcome counts:
 * completed, failed or cancelled. Any thread.
 */
final class HandlerSubscriber implements CoreSubscriber<Void> {

	private final Runnable completed;

	private final Consumer<Throwable> failed;

	private final AtomicReference<@Nullable Subscription> subscription = new AtomicReference<>();

	private final AtomicBoolean ended = new AtomicBoolean();

	HandlerSubscriber(Runnable completed, Consumer<Throwable> failed) {
		this.completed = completed;
		this.failed = failed;
	}

	/**
	 * Call the handler of the server.
	 */
	void begin(ServerSettings settings, LeasedConnection connection, UserCode userCode) {
		if (settings.blockingHandler != null) {
			execute(settings.blockingHandler, connection, userCode);
		}
		else if (settings.connectionHandler != null) {
			subscribe(settings.connectionHandler, connection, userCode);
		}
	}

	/**
	 * Call a handler, and subscribe to its publisher.
	 */
	private void subscribe(ConnectionHandler handler, LeasedConnection connection, UserCode userCode) {
		connection.beginHandler();
		Throwable error = userCode.call(connection.id(), () -> {
			Publisher<Void> publisher = handler.handle(connection);
			if (publisher == null) {
				throw new IllegalStateException(handler.getClass().getName() + " returned null");
			}
			publisher.subscribe(this);
		});
		if (error != null) {
			onError(error);
		}
	}

	/**
	 * Call a handler on a thread of its own, as soon as there is one. Cancellation does
	 * not interrupt that thread: the streams of the connection end anyway.
	 */
	private void execute(BlockingHandler handler, LeasedConnection connection, UserCode userCode) {
		Throwable error = userCode.call(() -> handler.execute(() -> call(handler, connection, userCode)));
		if (error != null) {
			onError(error);
		}
	}

	private void call(BlockingHandler handler, LeasedConnection connection, UserCode userCode) {
		if (hasEnded()) {
			return;
		}
		connection.beginHandler();
		Throwable error = userCode.call(connection.id(), () -> handler.handle(connection));
		if (error != null) {
			onError(error);
		}
		else {
			onComplete();
		}
	}

	@Override
	public void onSubscribe(Subscription subscription) {
		if (this.subscription.compareAndSet(null, subscription)) {
			subscription.request(Long.MAX_VALUE);
		}
		else {
			subscription.cancel();
		}
	}

	@Override
	public void onNext(Void ignored) {
	}

	@Override
	public void onError(Throwable error) {
		if (this.ended.compareAndSet(false, true)) {
			this.failed.accept(UserCode.unwrap(error));
		}
	}

	@Override
	public void onComplete() {
		if (this.ended.compareAndSet(false, true)) {
			this.completed.run();
		}
	}

	/**
	 * Return whether the handler has ended or been cancelled.
	 */
	boolean hasEnded() {
		return this.ended.get();
	}

	/**
	 * Cancel the handler, unless it has ended.
	 * @return what the cancellation threw, or {@code null}
	 */
	@Nullable Throwable cancel(UserCode userCode) {
		Subscription subscription = this.subscription.getAndSet(Operators.cancelledSubscription());
		if (this.ended.compareAndSet(false, true) && subscription != null) {
			return userCode.call(subscription::cancel);
		}
		return null;
	}

}
