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

import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * Decorates the calls of a {@link CallosumClient}, for example to observe them. Each call
 * includes the acquire and ends with the lease.
 * <p>
 * Methods are called on the caller's thread and must not block.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public interface CallosumClientInterceptor {

	/**
	 * Decorate an exchange.
	 * @param <T> the type of the answer
	 * @param client the client
	 * @param exchange the exchange, which has not started
	 * @return the exchange for the caller
	 * @see CallosumClient#exchange
	 */
	default <T> Mono<T> exchange(CallosumClient client, Mono<T> exchange) {
		return exchange;
	}

	/**
	 * Decorate a stream.
	 * @param <T> the type of the elements
	 * @param client the client
	 * @param use the stream, which has not started
	 * @return the stream for the caller
	 * @see CallosumClient#use
	 */
	default <T> Flux<T> use(CallosumClient client, Flux<T> use) {
		return use;
	}

	/**
	 * Decorate a blocking call.
	 * @param <T> the type of the result
	 * @param <E> the type of the checked exception
	 * @param client the client
	 * @param execution the call, which has not started
	 * @return the call to make
	 * @see CallosumClient#execute
	 */
	default <T extends @Nullable Object, E extends Exception> Execution<T, E> execute(CallosumClient client,
			Execution<T, E> execution) {
		return execution;
	}

	/**
	 * A blocking call.
	 *
	 * @param <T> the type of the result
	 * @param <E> the type of the checked exception
	 */
	@FunctionalInterface
	interface Execution<T extends @Nullable Object, E extends Exception> {

		/**
		 * Make the call.
		 * @return the result
		 * @throws E if it fails
		 */
		T execute() throws E;

	}

}
