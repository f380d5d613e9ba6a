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

import java.time.Duration;
import java.util.Objects;
import java.util.function.Function;

import org.jspecify.annotations.Nullable;
import reactor.core.CoreSubscriber;
import reactor.core.Disposable;
import reactor.core.Disposables;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Operators;

/**
 * Emits the answer that a function obtains with a lease.
 *
 * @param <T> the type of the answer
 */
final class ExchangeMono<T> extends Mono<T> {

	/**
	 * How long a function may continue, once everything that was received before the
	 * connection was lost has been delivered. Most end at once, because the inbound does;
	 * this is for those that decode on another thread, and bounds those that ignore the
	 * inbound.
	 */
	private static final long GRACE_NANOS = Duration.ofMillis(100).toNanos();

	private final CallosumClient client;

	private final Function<? super CallosumLease, ? extends Mono<? extends T>> function;

	ExchangeMono(CallosumClient client, Function<? super CallosumLease, ? extends Mono<? extends T>> function) {
		this.client = client;
		this.function = function;
	}

	@Override
	public void subscribe(CoreSubscriber<? super T> actual) {
		actual.onSubscribe(new Exchange<>(this.client, this.function, actual));
	}

	private static final class Exchange<T> extends FunctionSubscription<T> {

		private volatile @Nullable PooledConnection connection;

		private volatile @Nullable T answer;

		private volatile Disposable.@Nullable Swap grace;

		Exchange(CallosumClient client, Function<? super CallosumLease, ? extends Mono<? extends T>> function,
				CoreSubscriber<? super T> actual) {
			super(client, function, actual);
		}

		@Override
		void requested(long n) {
			// Whatever the function needs for its one answer, and for the end
			super.requested(Long.MAX_VALUE);
		}

		@Override
		void leased(PooledLease lease, Member member) {
			this.connection = member.connection;
			super.leased(lease, member);
		}

		@Override
		void returned(PooledLease lease) {
			lease.onLost(this::lost);
		}

		private void lost() {
			Disposable.Swap grace = Disposables.swap();
			this.grace = grace;
			grace.update(timers().schedule(this::giveUp, GRACE_NANOS));
			if (isOver()) {
				grace.dispose();
			}
		}

		private void giveUp() {
			if (finish()) {
				this.inner.cancel();
				complete();
			}
		}

		@Override
		void cancelled() {
			super.cancelled();
			disposeGrace();
			T answer = this.answer;
			if (answer != null) {
				Operators.onDiscard(answer, currentContext());
			}
		}

		@Override
		public void onNext(T answer) {
			if (isOver() || this.answer != null) {
				Operators.onNextDropped(answer, currentContext());
				return;
			}
			this.answer = answer;
		}

		@Override
		Throwable failure(PooledLease lease, Throwable error) {
			disposeGrace();
			ConnectionLostException lost = lost(lease, Objects.requireNonNull(this.connection), error);
			if (lost == null || lost == error) {
				return error;
			}
			lost.addSuppressed(error);
			return lost;
		}

		@Override
		void complete() {
			disposeGrace();
			PooledLease lease = lease();
			ConnectionLostException lost = lease.lost();
			lease.release();
			T answer = this.answer;
			if (answer != null) {
				this.actual.onNext(answer);
				this.actual.onComplete();
			}
			else if (lost != null) {
				this.actual.onError(lost);
			}
			else {
				this.actual.onComplete();
			}
		}

		private void disposeGrace() {
			Disposable.Swap grace = this.grace;
			if (grace != null) {
				grace.dispose();
			}
		}

	}

}
