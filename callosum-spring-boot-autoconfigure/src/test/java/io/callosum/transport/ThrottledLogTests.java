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

package io.callosum.transport;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicLong;

import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for {@link ThrottledLog}.
 */
class ThrottledLogTests {

	private final List<String> messages = new CopyOnWriteArrayList<>();

	private final AtomicLong nanoTime = new AtomicLong(Long.MAX_VALUE - 1);

	private final ThrottledLog log = new ThrottledLog((message, ex) -> this.messages.add(message), this.nanoTime::get);

	@Test
	void aMessageAMinuteIsLoggedWithTheNumberOfThoseLeftOut() {
		this.log.log("first", null);
		this.log.log("second", null);
		pass(59);
		this.log.log("third", null);
		pass(1);
		this.log.log("fourth", null);
		pass(60);
		this.log.log("fifth", null);
		assertThat(this.messages).containsExactly("first", "fourth (and 2 similar since the last message)", "fifth");
	}

	@Test
	void ofSeveralThreadsOneLogs() throws InterruptedException {
		List<Thread> threads = new ArrayList<>();
		for (int i = 0; i < 8; i++) {
			Thread thread = new Thread(() -> {
				for (int j = 0; j < 1000; j++) {
					this.log.log("message", null);
				}
			});
			threads.add(thread);
			thread.start();
		}
		for (Thread thread : threads) {
			thread.join();
		}
		assertThat(this.messages).hasSize(1);
		pass(60);
		this.log.log("next", null);
		assertThat(this.messages).last().asString().startsWith("next (and 7");
	}

	private void pass(int seconds) {
		this.nanoTime.addAndGet(Duration.ofSeconds(seconds).toNanos());
	}

}
