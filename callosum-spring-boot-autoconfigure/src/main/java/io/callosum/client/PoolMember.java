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
 * The pool's side of a connection that it has kept. The connection reports to it. Methods
 * may be called on any thread and do not block. Duplicate reports and reports after
 * {@link #closed} are ignored.
 */
interface PoolMember {

	/**
	 * The connection is ready: the initializer has completed, or there is none. The pool
	 * may lease it within this call.
	 */
	void initialized();

	/**
	 * A lease has ended, and the connection may be leased again: nothing waits to be
	 * written, and nothing is left to be read. The pool may lease or close it within this
	 * call.
	 */
	void released();

	/**
	 * A lease has ended without a release. The caller closes the connection.
	 * @param cause a failure of the server, or {@code null} if it is not to blame
	 */
	void discarded(@Nullable Throwable cause);

	/**
	 * The connection is closed. This is the last report, and the only one that is
	 * guaranteed.
	 * @param reason the first reason
	 * @param cause what failed, or {@code null}
	 */
	void closed(CloseReason reason, @Nullable Throwable cause);

}
