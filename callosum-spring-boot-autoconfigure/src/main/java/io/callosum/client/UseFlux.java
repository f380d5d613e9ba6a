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

import java.util.function.Function;

import org.reactivestreams.Publisher;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Operators;

/**
 * Emits the elements that a function obtains with a lease.
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

	private static final class Use<T> extends FunctionSubscription<T> {

		Use(CallosumClient client, Function<? super CallosumLease, ? extends Publisher<? extends T>> function,
				CoreSubscriber<? super T> actual) {
			super(client, function, actual);
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
		void complete() {
			lease().release();
			this.actual.onComplete();
		}

	}

}
