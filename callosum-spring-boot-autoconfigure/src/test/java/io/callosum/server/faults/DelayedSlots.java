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

import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;

import reactor.core.publisher.Mono;

import io.callosum.server.LowestSlotAllocator;
import io.callosum.server.SlotFreeEvent;
import io.callosum.server.SlotRequestEvent;
import io.callosum.server.TestServer;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * An application that manages its slots in two listeners, and answers each request within
 * 3 ms.
 */
final class DelayedSlots {

	private final LowestSlotAllocator slots = new LowestSlotAllocator();

	private final AtomicInteger assigned = new AtomicInteger();

	private final AtomicInteger failures = new AtomicInteger();

	DelayedSlots(TestServer server) {
		server.events().on(SlotRequestEvent.class, this::requested).on(SlotFreeEvent.class, this::freed);
	}

	private void requested(SlotRequestEvent event) {
		int micros = ThreadLocalRandom.current().nextInt(3000);
		event.assign(Mono.delay(Duration.ofNanos(micros * 1000L)).map((tick) -> {
			this.assigned.incrementAndGet();
			return this.slots.allocate(event.getRequest());
		}));
	}

	private void freed(SlotFreeEvent event) {
		try {
			this.slots.release(event.getSlot());
		}
		catch (IllegalArgumentException ex) {
			this.failures.incrementAndGet();
		}
	}

	/**
	 * Wait until every request has been answered, and every slot is back.
	 */
	void awaitAllFreed(TestServer server) {
		TestServer.await("every answer",
				() -> assertThat(this.assigned).hasValue(server.events().of(SlotRequestEvent.class).size()));
		TestServer.await("every slot",
				() -> assertThat(server.events().of(SlotFreeEvent.class)).hasSize(this.assigned.get()));
	}

	void verifyNoneFreedTwice() {
		assertThat(this.failures).as("slots freed twice").hasValue(0);
		assertThat(this.assigned).hasPositiveValue();
	}

}
