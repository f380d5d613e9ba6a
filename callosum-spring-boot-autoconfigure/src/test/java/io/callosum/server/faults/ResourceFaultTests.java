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

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;

import io.netty.buffer.AbstractByteBufAllocator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.ChannelOption;

import io.callosum.server.ConnectionEvent;
import io.callosum.server.EndReason;
import io.callosum.server.Link;
import io.callosum.server.ListenerThreads;
import io.callosum.server.ServerErrorEvent;
import io.callosum.server.SlotFreeEvent;
import io.callosum.server.SlotRequestEvent;
import io.callosum.server.TestClient;
import io.callosum.server.TestServer;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Faults caused by a lack of resources.
 */
class ResourceFaultTests {

	@FaultTest
	void aConnectionForWhoseLineThereIsNoMemoryIsClosedAndItsSlotFreed(Link link, ListenerThreads threads) {
		AtomicBoolean exhausted = new AtomicBoolean();
		AtomicInteger requests = new AtomicInteger();
		try (TestServer server = create(link, threads, exhausted)) {
			server.events()
				.on(SlotRequestEvent.class, (event) -> exhausted.set(requests.incrementAndGet() <= 3))
				.on(SlotFreeEvent.class, (event) -> exhausted.set(false));
			server.start();
			for (int i = 1; i <= 3; i++) {
				int expected = i;
				TestClient client = server.connect();
				TestServer.await("free", () -> {
					assertThat(server.events().of(SlotFreeEvent.class)).hasSize(expected);
					assertThat(exhausted).isFalse();
				});
				assertThat(client.isRefused()).isTrue();
			}
			assertThat(server.events().of(ConnectionEvent.class)).isEmpty();
			assertThat(server.connect().readSlot()).isZero();
		}
	}

	@FaultTest
	void aConnectionForWhoseBytesThereIsNoMemoryIsClosedAndItsSlotFreed(Link link, ListenerThreads threads) {
		AtomicBoolean exhausted = new AtomicBoolean();
		try (TestServer server = create(link, threads, exhausted).start()) {
			for (int i = 1; i <= 3; i++) {
				TestClient client = server.connect();
				assertThat(client.readSlot()).isZero();
				server.awaitConnections(1);
				exhausted.set(true);
				client.send("hello");
				server.awaitConnections(0);
				exhausted.set(false);
				client.close();
			}
			TestServer.await("errors", () -> assertThat(server.events().of(ServerErrorEvent.class)).hasSize(3));
			assertThat(server.events().of(SlotFreeEvent.class)).extracting(SlotFreeEvent::getReason)
				.containsOnly(EndReason.OUT_OF_MEMORY);
			assertThat(server.warnings()).filteredOn((line) -> line.contains("lack of memory")).hasSize(1);
			assertThat(server.connect().readSlot()).isZero();
		}
	}

	private static TestServer create(Link link, ListenerThreads threads, AtomicBoolean exhausted) {
		return TestServer.create(link, (builder) -> threads.applyTo(builder.customizer(
				(tcpServer) -> tcpServer.childOption(ChannelOption.ALLOCATOR, new ExhaustedAllocator(exhausted)))));
	}

	/**
	 * Runs out of memory from time to time.
	 */
	private static final class ExhaustedAllocator extends AbstractByteBufAllocator {

		private final AtomicBoolean exhausted;

		private ExhaustedAllocator(AtomicBoolean exhausted) {
			super(true);
			this.exhausted = exhausted;
		}

		@Override
		protected ByteBuf newHeapBuffer(int initialCapacity, int maxCapacity) {
			check();
			return ByteBufAllocator.DEFAULT.heapBuffer(initialCapacity, maxCapacity);
		}

		@Override
		protected ByteBuf newDirectBuffer(int initialCapacity, int maxCapacity) {
			check();
			return ByteBufAllocator.DEFAULT.directBuffer(initialCapacity, maxCapacity);
		}

		private void check() {
			if (this.exhausted.get()) {
				throw new OutOfMemoryError("stub: no direct memory");
			}
		}

		@Override
		public boolean isDirectBufferPooled() {
			return true;
		}

	}

}
