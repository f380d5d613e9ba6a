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

package io.callosum.benchmark;

import java.net.InetSocketAddress;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.event.EventListener;

import io.callosum.benchmark.Rival.RunningServer;
import io.callosum.server.CallosumServer;
import io.callosum.server.ConnectionEvent;
import io.callosum.server.ConnectionHandler;
import io.callosum.server.ServerErrorEvent;
import io.callosum.server.SlotFreeEvent;
import io.callosum.server.SlotRequestEvent;

/**
 * Applications with the starter.
 *
 * @author The Callosum authors
 */
final class CallosumRival {

	private CallosumRival() {
	}

	static RunningServer start(Transport transport) {
		return start(Listeners.class, transport);
	}

	static RunningServer startWithTaskExecutor(Transport transport) {
		return start(Listeners.class, transport, "--callosum.server.listener-execution=task-executor");
	}

	static RunningServer startWithOwnSlots(Transport transport) {
		return start(OwnSlots.class, transport);
	}

	static RunningServer startEcho(Transport transport) {
		return start(Echo.class, transport);
	}

	private static <A extends SlotCounts> RunningServer start(Class<A> application, Transport transport,
			String... arguments) {
		SpringApplication springApplication = new SpringApplication(application);
		springApplication.setDefaultProperties(Map.of("callosum.server.port", 0, "callosum.server.worker-threads",
				SocketOptions.WORKER_THREADS, "callosum.server.native-transport", transport == Transport.EPOLL));
		var context = springApplication.run(arguments);
		InetSocketAddress address = Objects.requireNonNull(context.getBean(CallosumServer.class).address());
		return new RunningServer(address.getPort(), context.getBean(application));
	}

	/**
	 * A listener for each event of a connection.
	 */
	@Configuration(proxyBeanMethods = false)
	@EnableAutoConfiguration
	static class Listeners implements SlotCounts {

		private final AtomicLong requests = new AtomicLong();

		private final AtomicLong connections = new AtomicLong();

		private final AtomicLong frees = new AtomicLong();

		@EventListener
		void slotRequest(SlotRequestEvent event) {
			this.requests.incrementAndGet();
		}

		@EventListener
		void connection(ConnectionEvent event) {
			this.connections.incrementAndGet();
		}

		@EventListener
		void slotFree(SlotFreeEvent event) {
			this.frees.incrementAndGet();
		}

		@EventListener
		void serverError(ServerErrorEvent event) {
			System.err.println(event.getError());
		}

		@Override
		public long taken() {
			return this.requests.get();
		}

		@Override
		public long freed() {
			return this.frees.get();
		}

	}

	/**
	 * The same listeners, and a handler that sends back what it receives.
	 */
	@Configuration(proxyBeanMethods = false)
	static class Echo extends Listeners {

		@Bean
		ConnectionHandler connectionHandler() {
			return (connection) -> connection.outbound().send(connection.inbound().receive().retain());
		}

	}

	/**
	 * Two listeners that manage the slots.
	 */
	@Configuration(proxyBeanMethods = false)
	@EnableAutoConfiguration
	static class OwnSlots implements SlotCounts {

		private final HeapSlots slots = new HeapSlots();

		@EventListener
		void slotRequest(SlotRequestEvent event) {
			event.assign(this.slots.take());
		}

		@EventListener
		void slotFree(SlotFreeEvent event) {
			this.slots.free(event.getSlot());
		}

		@Override
		public long taken() {
			return this.slots.taken();
		}

		@Override
		public long freed() {
			return this.slots.freed();
		}

	}

}
