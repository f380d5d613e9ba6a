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

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntConsumer;
import java.util.regex.Pattern;

import ch.qos.logback.classic.Level;
import io.netty.buffer.ByteBufAllocatorMetric;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.ChannelOption;
import org.reactivestreams.Publisher;
import reactor.netty.tcp.TcpServer;

import io.callosum.server.CallosumConnection;
import io.callosum.server.CallosumTcpServerCustomizer;
import io.callosum.server.Link;
import io.callosum.server.ServerErrorEvent;
import io.callosum.server.TestServer;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * What the tests of several families of faults need.
 */
final class Faults {

	/**
	 * How many clients make a storm. Set a higher number for a longer run.
	 */
	private static final int STORM = Integer.getInteger("callosum.faults.storm", 1000);

	/**
	 * How {@link TestServer#logged} ends a line that has a stack trace.
	 */
	private static final Pattern STACK_TRACE = Pattern.compile(" \\[[\\w.$]+]$");

	private Faults() {
	}

	/**
	 * Return how many clients make a storm. A handshake costs as much as ten connects.
	 */
	static int storm(Link link) {
		return link.isSecure() ? STORM / 10 : STORM;
	}

	/**
	 * Run a task the given number of times, in four threads.
	 */
	static void inThreads(int times, IntConsumer task) {
		ExecutorService executor = Executors.newFixedThreadPool(4);
		try {
			List<CompletableFuture<?>> futures = new ArrayList<>();
			for (int i = 0; i < times; i++) {
				int number = i;
				futures.add(CompletableFuture.runAsync(() -> task.accept(number), executor));
			}
			CompletableFuture.allOf(futures.toArray(CompletableFuture[]::new)).orTimeout(60, TimeUnit.SECONDS).join();
		}
		finally {
			executor.shutdownNow();
		}
	}

	static void pause(int maxMicros) {
		LockSupport.parkNanos(ThreadLocalRandom.current().nextInt(maxMicros) * 1000L);
	}

	/**
	 * Handle a connection so that its client can see that it is alive.
	 */
	static Publisher<Void> echo(CallosumConnection connection) {
		return connection.outbound().send(connection.inbound().receive().retain()).then();
	}

	/**
	 * Check that no error was reported, and nothing logged about a peer.
	 */
	static void verifyNoError(TestServer server) {
		assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
		assertThat(server.warnings()).isEmpty();
		verifyNoStackTrace(server);
	}

	/**
	 * Check that no stack trace is logged above the debug level.
	 */
	static void verifyNoStackTrace(TestServer server) {
		assertThat(server.logged(Level.INFO)).noneMatch((line) -> STACK_TRACE.matcher(line).find());
	}

	/**
	 * Throw anything.
	 */
	@SuppressWarnings("unchecked")
	static <T extends Throwable> void sneak(Throwable throwable) throws T {
		throw (T) throwable;
	}

	/**
	 * What the connections of one server, and nobody else, hold in buffers. Unpooled, so
	 * that released memory is no longer counted.
	 */
	static final class Memory implements CallosumTcpServerCustomizer {

		private final UnpooledByteBufAllocator allocator = new UnpooledByteBufAllocator(true);

		@Override
		public TcpServer customize(TcpServer server) {
			return server.childOption(ChannelOption.ALLOCATOR, this.allocator);
		}

		long held() {
			ByteBufAllocatorMetric metric = this.allocator.metric();
			return metric.usedDirectMemory() + metric.usedHeapMemory();
		}

	}

}
