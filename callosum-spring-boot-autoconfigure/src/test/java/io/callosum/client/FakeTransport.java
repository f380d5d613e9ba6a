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
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;

import org.reactivestreams.Publisher;
import reactor.core.Disposable;
import reactor.core.publisher.Sinks;

/**
 * An in-memory network with one thread and real time. The test provides the answers.
 */
final class FakeTransport implements ClientTransport, Timers, Dialler {

	final List<FakeConnection> open = new CopyOnWriteArrayList<>();

	final Sinks.Many<Collection<InetSocketAddress>> lists = Sinks.many().replay().latest();

	volatile boolean connects = true;

	volatile boolean closed;

	private final Supplier<String> ids;

	private final ScheduledThreadPoolExecutor loop = new ScheduledThreadPoolExecutor(1,
			Executors.defaultThreadFactory());

	FakeTransport(Supplier<String> ids) {
		this(ids, List.of(SimulatedServer.address(1)));
	}

	FakeTransport(Supplier<String> ids, List<InetSocketAddress> servers) {
		this.ids = ids;
		this.loop.setRemoveOnCancelPolicy(true);
		this.lists.tryEmitNext(servers);
	}

	int pendingTimers() {
		return this.loop.getQueue().size();
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
		return this.lists.asFlux();
	}

	@Override
	public void close() {
		this.closed = true;
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
		AtomicBoolean disposed = new AtomicBoolean();
		this.loop.execute(() -> {
			if (disposed.get()) {
				return;
			}
			if (!this.connects) {
				dial.failed(Dial.Failure.UNREACHABLE, new java.net.ConnectException("Connection refused"));
				return;
			}
			FakeConnection connection = new FakeConnection(this, this.ids.get());
			PoolMember member = dial.connected(connection, 0);
			if (member != null) {
				connection.kept(member);
			}
		});
		return () -> disposed.set(true);
	}

}
