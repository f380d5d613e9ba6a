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
import java.util.Collection;
import java.util.List;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;
import java.util.function.Supplier;

import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import reactor.core.Disposable;
import reactor.core.publisher.Mono;

/**
 * An in-memory network whose connections can only be leased and released.
 *
 * @author The Callosum authors
 */
final class MemoryTransport implements ClientTransport, Timers, Dialler {

	private final Supplier<String> connectionIds;

	private final AtomicInteger slots = new AtomicInteger();

	private final ScheduledThreadPoolExecutor loop = new ScheduledThreadPoolExecutor(1);

	MemoryTransport(Supplier<String> connectionIds) {
		this.connectionIds = connectionIds;
		this.loop.setRemoveOnCancelPolicy(true);
	}

	@Override
	public Timers timers() {
		return this;
	}

	@Override
	public Dialler dialler() {
		return this;
	}

	@Override
	public Publisher<? extends Collection<InetSocketAddress>> servers() {
		return Mono.just(List.of(new InetSocketAddress("127.0.0.1", 4040)));
	}

	@Override
	public void close() {
		this.loop.shutdownNow();
	}

	@Override
	public long nanoTime() {
		return System.nanoTime();
	}

	@Override
	public Disposable schedule(Runnable task, long delayNanos) {
		ScheduledFuture<?> future = this.loop.schedule(task, delayNanos, TimeUnit.NANOSECONDS);
		return () -> future.cancel(false);
	}

	@Override
	public Disposable dial(Dial dial) {
		return schedule(() -> {
			MemoryConnection connection = new MemoryConnection(this.connectionIds.get());
			PoolMember member = dial.connected(connection, this.slots.getAndIncrement());
			if (member != null) {
				connection.member = member;
				member.initialized();
			}
		}, 0);
	}

	private static final class MemoryConnection implements PooledConnection {

		private final String id;

		private volatile @Nullable PoolMember member;

		MemoryConnection(String id) {
			this.id = id;
		}

		@Override
		public String id() {
			return this.id;
		}

		@Override
		public boolean hasAnswered() {
			return true;
		}

		@Override
		public PooledLease lease() {
			return new MemoryLease(this);
		}

		@Override
		public void close(CloseReason reason) {
			PoolMember member = this.member;
			if (member != null) {
				member.closed(reason, null);
			}
		}

	}

	private static final class MemoryLease extends UnsupportedLease {

		private static final AtomicIntegerFieldUpdater<MemoryLease> RELEASED = AtomicIntegerFieldUpdater
			.newUpdater(MemoryLease.class, "released");

		private final MemoryConnection connection;

		private volatile int released;

		MemoryLease(MemoryConnection connection) {
			this.connection = connection;
		}

		@Override
		public void release() {
			PoolMember member = this.connection.member;
			if (RELEASED.compareAndSet(this, 0, 1) && member != null) {
				member.released();
			}
		}

	}

}
