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
import java.util.function.Function;

import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Operators;
import reactor.util.context.Context;

/**
 * A subscription that calls a function with its lease, and subscribes to what the
 * function returns. The lease ends when that publisher does.
 *
 * @param <T> what is emitted
 */
abstract class FunctionSubscription<T> extends LeaseSubscription<T> implements CoreSubscriber<T> {

	private final Function<? super CallosumLease, ? extends Publisher<? extends T>> function;

	final Operators.DeferredSubscription inner = new Operators.DeferredSubscription();

	private volatile @Nullable PooledLease lease;

	FunctionSubscription(CallosumClient client,
			Function<? super CallosumLease, ? extends Publisher<? extends T>> function,
			CoreSubscriber<? super T> actual) {
		super(client, client.settings().acquireTimeout(), actual);
		this.function = function;
	}

	@Override
	void requested(long n) {
		this.inner.request(n);
	}

	@Override
	void leased(PooledLease lease, Member member) {
		this.lease = lease;
		if (isOver()) {
			lease.discard(null);
			return;
		}
		Publisher<? extends T> publisher;
		try {
			publisher = Objects.requireNonNull(this.function.apply(lease), "The function returned null");
		}
		catch (Throwable ex) {
			onError(ex);
			return;
		}
		returned(lease);
		publisher.subscribe(this);
	}

	/**
	 * Called before the publisher that the function has returned is subscribed to.
	 */
	void returned(PooledLease lease) {
	}

	@Override
	void cancelled() {
		this.inner.cancel();
		PooledLease lease = this.lease;
		if (lease != null) {
			lease.discard(null);
		}
	}

	@Override
	public final void onSubscribe(Subscription subscription) {
		this.inner.set(subscription);
	}

	@Override
	public final void onError(Throwable error) {
		if (!finish()) {
			Operators.onErrorDropped(error, currentContext());
			return;
		}
		PooledLease lease = lease();
		Throwable failure = failure(lease, error);
		discard(lease, error);
		this.actual.onError(failure);
	}

	/**
	 * Return the error that the subscriber receives.
	 * @param error the error of the function
	 */
	Throwable failure(PooledLease lease, Throwable error) {
		return error;
	}

	@Override
	public final void onComplete() {
		if (finish()) {
			complete();
		}
	}

	/**
	 * Release the lease and signal the end.
	 */
	abstract void complete();

	final PooledLease lease() {
		return Objects.requireNonNull(this.lease);
	}

	@Override
	public final Context currentContext() {
		return this.actual.currentContext();
	}

}
