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

import java.net.InetSocketAddress;

import org.jspecify.annotations.Nullable;
import reactor.core.Disposable;
import reactor.core.Disposables;

/**
 * A dial in flight. It ends once, by being removed from the dials of the pool.
 */
final class PendingDial implements Dial {

	final PoolServer server;

	final Purpose purpose;

	final long startedAt;

	/**
	 * The member to replace, regardless of the slot, because it is too old.
	 */
	final @Nullable Member replaces;

	private final Rover rover;

	private final Disposable.Swap attempt = Disposables.swap();

	PendingDial(Rover rover, PoolServer server, Purpose purpose, long startedAt, @Nullable Member replaces) {
		this.rover = rover;
		this.server = server;
		this.purpose = purpose;
		this.startedAt = startedAt;
		this.replaces = replaces;
	}

	void begin(Dialler dialler) {
		if (this.attempt.isDisposed()) {
			return;
		}
		try {
			this.attempt.update(dialler.dial(this));
		}
		catch (Throwable ex) {
			// Also an Error: the dial must not stay in flight forever
			failed(Failure.UNREACHABLE, ex);
		}
	}

	void abandon() {
		this.attempt.dispose();
	}

	@Override
	public InetSocketAddress server() {
		return this.server.address;
	}

	@Override
	public @Nullable PoolMember connected(PooledConnection connection, int slot) {
		return this.rover.connected(this, connection, slot);
	}

	@Override
	public void failed(Failure failure, Throwable cause) {
		this.rover.failed(this, failure, cause);
	}

	/**
	 * What a dial is for.
	 */
	enum Purpose {

		FILL, ROVE, RETURN, JOIN, FOLLOW, AGE

	}

}
