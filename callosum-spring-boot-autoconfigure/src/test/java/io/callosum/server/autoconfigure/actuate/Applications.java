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

package io.callosum.server.autoconfigure.actuate;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

import org.awaitility.Awaitility;
import org.awaitility.core.ThrowingRunnable;

import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.autoconfigure.task.TaskExecutionAutoConfiguration;
import org.springframework.boot.convert.ApplicationConversionService;
import org.springframework.boot.test.context.assertj.AssertableApplicationContext;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.boot.test.context.runner.ContextConsumer;
import org.springframework.context.ApplicationContext;
import org.springframework.context.ApplicationContextInitializer;
import org.springframework.context.ApplicationEvent;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.event.GenericApplicationListener;
import org.springframework.core.ResolvableType;

import io.callosum.server.CallosumServer;
import io.callosum.server.CallosumServerEvent;
import io.callosum.server.ConnectionHandler;
import io.callosum.server.autoconfigure.CallosumServerAutoConfiguration;

/**
 * Applications with a server on an ephemeral port, and clients of it.
 */
final class Applications {

	private Applications() {
	}

	static ApplicationContextRunner runner(Class<?>... autoConfigurations) {
		return new ApplicationContextRunner()
			.withInitializer(
					(context) -> context.getEnvironment().setConversionService(new ApplicationConversionService()))
			.withConfiguration(
					AutoConfigurations.of(TaskExecutionAutoConfiguration.class, CallosumServerAutoConfiguration.class))
			.withConfiguration(AutoConfigurations.of(autoConfigurations))
			.withPropertyValues("callosum.server.host=127.0.0.1", "callosum.server.port=0",
					"callosum.server.shutdown=immediate");
	}

	static String transport(boolean nativeTransport) {
		return "callosum.server.native-transport=" + nativeTransport;
	}

	/**
	 * Add a listener as a bean method with {@code @EventListener} would.
	 */
	static <E extends CallosumServerEvent> ApplicationContextInitializer<ConfigurableApplicationContext> on(
			Class<E> type, Consumer<E> listener) {
		return (context) -> context.addApplicationListener(new GenericApplicationListener() {

			@Override
			public boolean supportsEventType(ResolvableType eventType) {
				return ResolvableType.forClass(type).isAssignableFrom(eventType);
			}

			@Override
			public void onApplicationEvent(ApplicationEvent event) {
				listener.accept(type.cast(event));
			}

		});
	}

	static CallosumServer server(ApplicationContext context) {
		return context.getBean(CallosumServer.class);
	}

	static void await(ThrowingRunnable assertion) {
		Awaitility.await().atMost(Duration.ofSeconds(30)).pollInterval(Duration.ofMillis(5)).untilAsserted(assertion);
	}

	/**
	 * Run a check while the server of an application drains, because a connection waits
	 * for an answer.
	 */
	static void whileDraining(ApplicationContextRunner runner, ContextConsumer<AssertableApplicationContext> check) {
		CompletableFuture<Void> asked = new CompletableFuture<>();
		ConnectionHandler neverAnswers = (
				connection) -> connection.inbound().receive().doOnNext((question) -> asked.complete(null)).then();
		runner.withBean(ConnectionHandler.class, () -> neverAnswers)
			.withPropertyValues("callosum.server.shutdown-quiet-period=1h")
			.run((context) -> {
				try (Clients clients = new Clients()) {
					CallosumServer server = server(context);
					clients.slot(server);
					Clients.send(clients.first(), "?");
					asked.join();
					Thread drain = new Thread(() -> server.stop(Duration.ofMinutes(1)));
					drain.start();
					check.accept(context);
					clients.leave();
					drain.join();
				}
			});
	}

	/**
	 * Clients that are closed at the end.
	 */
	static final class Clients implements AutoCloseable {

		private final Deque<Socket> sockets = new ArrayDeque<>();

		/**
		 * Connect, and do not wait for anything.
		 */
		Socket connect(CallosumServer server) {
			try {
				Socket socket = new Socket(InetAddress.getLoopbackAddress(), server.address().getPort());
				socket.setSoTimeout(30_000);
				this.sockets.add(socket);
				return socket;
			}
			catch (IOException ex) {
				throw new UncheckedIOException(ex);
			}
		}

		/**
		 * Connect, and wait for the slot.
		 * @return the slot, or -1 if the connection is refused
		 */
		int slot(CallosumServer server) {
			return readSlot(connect(server));
		}

		static int readSlot(Socket socket) {
			StringBuilder line = new StringBuilder();
			int read;
			while ((read = read(socket)) != '\n') {
				if (read == -1) {
					return -1;
				}
				line.append((char) read);
			}
			return Integer.parseInt(line.toString().trim());
		}

		/**
		 * Read a byte.
		 * @return the byte, or -1 if the server has closed the connection
		 */
		static int read(Socket socket) {
			try {
				return socket.getInputStream().read();
			}
			catch (SocketException ex) {
				return -1;
			}
			catch (IOException ex) {
				throw new UncheckedIOException(ex);
			}
		}

		static void send(Socket socket, String text) {
			try {
				socket.getOutputStream().write(text.getBytes());
			}
			catch (IOException ex) {
				throw new UncheckedIOException(ex);
			}
		}

		Socket first() {
			return this.sockets.getFirst();
		}

		@Override
		public void close() {
			leave();
		}

		/**
		 * Close all connections.
		 */
		void leave() {
			while (!this.sockets.isEmpty()) {
				try {
					this.sockets.removeFirst().close();
				}
				catch (IOException ex) {
					throw new UncheckedIOException(ex);
				}
			}
		}

	}

}
