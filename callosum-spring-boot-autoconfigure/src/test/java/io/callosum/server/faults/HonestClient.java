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

package io.callosum.server.faults;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;

import io.callosum.server.TestClient;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * A client that connects again and again while others attack the server, and has to be
 * served each time.
 */
final class HonestClient implements AutoCloseable {

	private static final Duration PAUSE = Duration.ofMillis(5);

	private final Supplier<TestClient> connector;

	private final AtomicInteger served = new AtomicInteger();

	private volatile boolean over;

	private volatile Duration longest = Duration.ZERO;

	private final CompletableFuture<?> visits;

	private HonestClient(Supplier<TestClient> connector) {
		this.connector = connector;
		this.visits = CompletableFuture.runAsync(this::run, (task) -> new Thread(task, "honest").start());
	}

	static HonestClient plain(InetSocketAddress server) {
		return new HonestClient(() -> new TestClient(server, Behavior.ECHO.connect(server)));
	}

	static HonestClient secure(InetSocketAddress server) {
		return new HonestClient(() -> TestClient.secure(server));
	}

	/**
	 * Return a client that cycles through addresses, so that no limit per address holds
	 * it up.
	 */
	static HonestClient from(List<InetAddress> addresses, InetSocketAddress server) {
		AtomicInteger visits = new AtomicInteger();
		return new HonestClient(
				() -> new TestClient(server, bound(addresses.get(visits.getAndIncrement() % addresses.size()))));
	}

	private static Socket bound(InetAddress address) {
		try {
			Socket socket = new Socket();
			socket.bind(new InetSocketAddress(address, 0));
			return socket;
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	private void run() {
		while (!this.over) {
			visit();
			// Each visit leaves a port that nobody can use for a minute
			LockSupport.parkNanos(PAUSE.toNanos());
		}
	}

	private void visit() {
		long start = System.nanoTime();
		try (TestClient client = this.connector.get()) {
			client.readSlot();
			Duration duration = Duration.ofNanos(System.nanoTime() - start);
			if (duration.compareTo(this.longest) > 0) {
				this.longest = duration;
			}
			this.served.incrementAndGet();
		}
	}

	/**
	 * Wait until it has been served a few more times.
	 */
	void awaitServed() {
		int before = this.served.get();
		ApplicationProcess.await("an honest client", () -> {
			assertThat(this.served.get() > before + 3 || this.visits.isDone()).isTrue();
		});
		assertThat(this.visits).as("honest client").isNotDone();
	}

	Duration longest() {
		return this.longest;
	}

	@Override
	public void close() {
		this.over = true;
		this.visits.join();
	}

}
