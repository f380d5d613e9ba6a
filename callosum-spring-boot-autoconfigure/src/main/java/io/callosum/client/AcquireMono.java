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

import reactor.core.CoreSubscriber;
import reactor.core.Exceptions;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Operators;

/**
 * Emits a lease.
 */
final class AcquireMono extends Mono<CallosumLease> {

	private final CallosumClient client;

	private final Duration timeout;

	AcquireMono(CallosumClient client, Duration timeout) {
		this.client = client;
		this.timeout = timeout;
	}

	@Override
	public void subscribe(CoreSubscriber<? super CallosumLease> actual) {
		actual.onSubscribe(new Acquire(this.client, this.timeout, actual));
	}

	private static final class Acquire extends LeaseSubscription<CallosumLease> {

		Acquire(CallosumClient client, Duration timeout, CoreSubscriber<? super CallosumLease> actual) {
			super(client, timeout, actual);
		}

		@Override
		void leased(PooledLease lease, Member member) {
			try {
				this.actual.onNext(lease);
			}
			catch (Throwable ex) {
				// It must not reach the code that has released the connection
				Exceptions.throwIfFatal(ex);
				lease.close();
				Operators.onErrorDropped(ex, this.actual.currentContext());
				return;
			}
			this.actual.onComplete();
		}

	}

}
