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

package io.callosum.server;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Threads of a test.
 */
public final class TestThreads {

	private TestThreads() {
	}

	/**
	 * Run a task in several threads at once, and wait for all of them.
	 */
	static void run(int count, Runnable task) throws InterruptedException {
		List<Throwable> failures = new CopyOnWriteArrayList<>();
		List<Thread> threads = new ArrayList<>();
		for (int i = 0; i < count; i++) {
			Thread thread = new Thread(task);
			thread.setUncaughtExceptionHandler((failed, ex) -> failures.add(ex));
			threads.add(thread);
			thread.start();
		}
		for (Thread thread : threads) {
			thread.join();
		}
		assertThat(failures).isEmpty();
	}

	/**
	 * Wait for a latch, but not forever.
	 */
	public static void await(CountDownLatch latch) {
		try {
			assertThat(latch.await(30, TimeUnit.SECONDS)).isTrue();
		}
		catch (InterruptedException ex) {
			throw new IllegalStateException(ex);
		}
	}

	/**
	 * Hold the current thread for at least this long.
	 */
	public static void pause(Duration duration) {
		long end = System.nanoTime() + duration.toNanos();
		while (System.nanoTime() - end < 0) {
			LockSupport.parkNanos(end - System.nanoTime());
		}
	}

	/**
	 * Connect and leave, in several threads at once. Two out of three clients wait for
	 * their slot, and every second one leaves with an RST.
	 */
	static void churn(TestServer server, int threads, int rounds) throws InterruptedException {
		run(threads, () -> {
			for (int round = 0; round < rounds; round++) {
				TestClient client = server.connect();
				if (round % 3 != 0) {
					client.readSlot();
				}
				if (round % 2 == 0) {
					client.close();
				}
				else {
					client.reset();
				}
			}
		});
	}

}
