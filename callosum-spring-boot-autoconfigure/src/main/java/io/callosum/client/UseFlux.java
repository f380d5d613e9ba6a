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
import reactor.core.publisher.Flux;
import reactor.core.publisher.Operators;
import reactor.util.context.Context;

/**
 * Emits what a function makes of a lease.
 *
 * @param <T> the type of the elements
 */
final class UseFlux<T> extends Flux<T> {

	private final CallosumClient client;

	private final Function<? super CallosumLease, ? extends Publisher<? extends T>> function;

	UseFlux(CallosumClient client, Function<? super CallosumLease, ? extends Publisher<? extends T>> function) {
		this.client = client;
		this.function = function;
	}

	@Override
	public void subscribe(CoreSubscriber<? super T> actual) {
		actual.onSubscribe(new Use<>(this.client, this.function, actual));
	}

	private static final class Use<T> extends LeaseSubscription<T> implements CoreSubscriber<T> {

		private final Function<? super CallosumLease, ? extends Publisher<? extends T>> function;

		private final Operators.DeferredSubscription inner = new Operators.DeferredSubscription();

		private volatile @Nullable PooledLease lease;

		Use(CallosumClient client, Function<? super CallosumLease, ? extends Publisher<? extends T>> function,
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
			Flux.<T>from(publisher).subscribe(this);
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
		public void onSubscribe(Subscription subscription) {
			this.inner.set(subscription);
		}

		@Override
		public void onNext(T element) {
			if (isOver()) {
				Operators.onDiscard(element, currentContext());
				return;
			}
			this.actual.onNext(element);
		}

		@Override
		public void onError(Throwable error) {
			if (!finish()) {
				Operators.onErrorDropped(error, currentContext());
				return;
			}
			discard(lease(), error);
			this.actual.onError(error);
		}

		@Override
		public void onComplete() {
			if (finish()) {
				lease().release();
				this.actual.onComplete();
			}
		}

		private PooledLease lease() {
			return Objects.requireNonNull(this.lease);
		}

		@Override
		public Context currentContext() {
			return this.actual.currentContext();
		}

	}

}
