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
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;

import org.reactivestreams.Publisher;
import reactor.core.Disposable;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * The network of a client, which tracks the timers and dials of the pool, and the
 * connection of each member.
 */
final class WatchedTransport implements ClientTransport {

	private final Set<Object> timers = ConcurrentHashMap.newKeySet();

	private final Set<Dial> dials = ConcurrentHashMap.newKeySet();

	private final Map<String, TcpConnection> connections = new ConcurrentHashMap<>();

	private final ClientTransport transport;

	WatchedTransport(ClientTransport transport) {
		this.transport = transport;
	}

	/**
	 * Return how many dials are in flight.
	 */
	int dials() {
		return this.dials.size();
	}

	/**
	 * Return the client's port of a connection.
	 */
	int port(String connectionId) {
		TcpConnection connection = this.connections.get(connectionId);
		assertThat(connection).as(connectionId).isNotNull();
		return ((InetSocketAddress) connection.channel().localAddress()).getPort();
	}

	/**
	 * Verify that nothing is left. Waits, because a thread may have been about to dial
	 * when the pool was stopped.
	 */
	void verifyNothingLeft() {
		TestClientPool.await("nothing left", () -> {
			assertThat(this.timers).as("timers").isEmpty();
			assertThat(this.dials).as("dials").isEmpty();
		});
	}

	@Override
	public Timers timers() {
		Timers timers = this.transport.timers();
		return new Timers() {

			@Override
			public long nanoTime() {
				return timers.nanoTime();
			}

			@Override
			public Disposable schedule(Runnable task, long delayNanos) {
				Object timer = new Object();
				Set<Object> pending = WatchedTransport.this.timers;
				pending.add(timer);
				Disposable scheduled = timers.schedule(() -> {
					pending.remove(timer);
					task.run();
				}, delayNanos);
				return () -> {
					pending.remove(timer);
					scheduled.dispose();
				};
			}

		};
	}

	@Override
	public Dialler dialler() {
		Dialler dialler = this.transport.dialler();
		return (dial) -> {
			WatchedDial watched = new WatchedDial(dial);
			this.dials.add(watched);
			Disposable attempt = dialler.dial(watched);
			return () -> {
				this.dials.remove(watched);
				attempt.dispose();
			};
		};
	}

	@Override
	public Publisher<? extends Collection<InetSocketAddress>> servers() {
		return this.transport.servers();
	}

	@Override
	public void close() {
		this.transport.close();
	}

	private final class WatchedDial implements Dial {

		private final Dial dial;

		private final AtomicBoolean ended = new AtomicBoolean();

		private WatchedDial(Dial dial) {
			this.dial = dial;
		}

		@Override
		public InetSocketAddress server() {
			return this.dial.server();
		}

		@Override
		public PoolMember connected(PooledConnection connection, int slot) {
			end();
			WatchedTransport.this.connections.put(connection.id(), (TcpConnection) connection);
			return this.dial.connected(connection, slot);
		}

		@Override
		public void failed(Failure failure, Throwable cause) {
			end();
			this.dial.failed(failure, cause);
		}

		private void end() {
			assertThat(this.ended.compareAndSet(false, true)).as("the dial ends once").isTrue();
			WatchedTransport.this.dials.remove(this);
		}

	}

}
