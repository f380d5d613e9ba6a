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

/**
 * Blocking code that uses a lease.
 *
 * @param <T> the type of the result
 * @param <E> the type of the checked exception
 * @author The Callosum authors
 * @since 0.1.0
 * @see CallosumClient#execute(LeaseCallback)
 */
@FunctionalInterface
public interface LeaseCallback<T extends @Nullable Object, E extends Exception> {

	/**
	 * Use the lease. It is released when this method returns, and discarded if it throws.
	 * @param lease the lease, valid during this call
	 * @return the result
	 * @throws E if the callback fails
	 */
	T doWithLease(CallosumLease lease) throws E;

}
