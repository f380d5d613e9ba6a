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

package io.callosum.example;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Mono;

import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;

import io.callosum.client.CallosumClient;
import io.callosum.client.LeaseUnavailableException;
import io.callosum.client.autoconfigure.CallosumClientAutoConfiguration;
import io.callosum.server.BlockingConnectionHandler;
import io.callosum.server.CallosumServer;
import io.callosum.server.ServerErrorEvent;
import io.callosum.server.SlotFreeEvent;
import io.callosum.server.autoconfigure.CallosumServerAutoConfiguration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.awaitility.Awaitility.await;
import static org.hamcrest.Matchers.is;

/**
 * Runs the handler that expects a password, and the client that sends it.
 */
class PasswordTests {

	/**
	 * Longer than a busy machine may pause.
	 */
	private static final Duration LONG = Duration.ofSeconds(30);

	private final List<ServerErrorEvent> errors = new CopyOnWriteArrayList<>();

	private final List<SlotFreeEvent> freed = new CopyOnWriteArrayList<>();

	private final AtomicInteger handled = new AtomicInteger();

	@Test
	void aClientThatSendsThePasswordIsAnswered() {
		withClient("secret").run((context) -> {
			CallosumClient client = context.getBean(CallosumClient.class);
			assertThat(ask(client, "one").block(LONG)).isEqualTo("echo one");
			assertThat(ask(client, "two").block(LONG)).isEqualTo("echo two");
		});
		assertThat(this.errors).isEmpty();
	}

	@Test
	void aClientThatSendsTheWrongPasswordIsToldSoByEachAcquire() {
		withClient("another").run((context) -> {
			CallosumClient client = context.getBean(CallosumClient.class);
			// The first acquire may end before a connection is denied
			await().atMost(LONG).untilAsserted(() -> assertDenied(client));
			assertDenied(client);
		});
		assertThat(this.errors).isEmpty();
	}

	private static void assertDenied(CallosumClient client) {
		assertThatExceptionOfType(LeaseUnavailableException.class)
			.isThrownBy(() -> client.acquire(Duration.ofMillis(500)).block(LONG))
			.havingCause()
			.withMessage("The password was denied");
	}

	@Test
	void nothingIsAnsweredAfterTheWrongPassword() {
		runner("secret", LONG).run((context) -> {
			try (Socket socket = connect(context.getBean(CallosumServer.class))) {
				assertThat(send(socket, "guess\r\none\r\n").readAllBytes()).asString().isEqualTo("0\r\ndenied\r\n");
			}
		});
		assertThat(this.errors).isEmpty();
	}

	@ParameterizedTest
	@ValueSource(strings = { "", "sec", "secret", "secret\r\non" })
	void aClientThatLeavesInTheMiddleOfALineIsNoError(String sent) {
		runner("secret", LONG).run((context) -> {
			for (boolean reset : new boolean[] { false, true }) {
				try (Socket socket = connect(context.getBean(CallosumServer.class))) {
					assertThat(send(socket, sent).read()).isNotEqualTo(-1);
					socket.setSoLinger(reset, 0);
				}
			}
			await().atMost(LONG).untilAsserted(() -> assertThat(this.freed).hasSize(2));
			await().atMost(LONG).untilAtomic(this.handled, is(2));
		});
		assertThat(this.errors).isEmpty();
	}

	@ParameterizedTest
	@ValueSource(strings = { "", "secret" })
	void aClientThatHasSentNoWholeLineByTheDeadlineIsClosed(String sent) {
		runner("secret", Duration.ofSeconds(3)).run((context) -> {
			try (Socket socket = connect(context.getBean(CallosumServer.class))) {
				assertThat(send(socket, sent).readAllBytes()).asString().isEqualTo("0\r\n");
			}
		});
		assertThat(this.freed).hasSize(1);
		assertThat(this.errors).isEmpty();
	}

	@Test
	void aClientThatHasSentThePasswordHasNoDeadline() {
		Duration deadline = Duration.ofSeconds(10);
		runner("secret", deadline).run((context) -> {
			try (Socket socket = connect(context.getBean(CallosumServer.class))) {
				BufferedReader reader = reader(socket);
				send(socket, "secret\r\n");
				assertThat(reader.readLine()).isEqualTo("0");
				assertThat(reader.readLine()).isEqualTo("welcome");
				Mono.delay(deadline).block();
				send(socket, "one\r\n");
				assertThat(reader.readLine()).isEqualTo("echo one");
			}
		});
	}

	private static Mono<String> ask(CallosumClient client, String line) {
		return client.exchange((lease) -> lease.outbound()
			.sendString(Mono.just(line + "\r\n"))
			.then()
			.then(lease.inbound().receive().asString().next()));
	}

	private ApplicationContextRunner withClient(String password) {
		return runner(password, LONG).withConfiguration(AutoConfigurations.of(CallosumClientAutoConfiguration.class))
			.withUserConfiguration(PasswordClient.class)
			.withPropertyValues("callosum.client.servers=127.0.0.1:${local.callosum.server.port}",
					"callosum.client.acquire-timeout=30s");
	}

	private ApplicationContextRunner runner(String password, Duration deadline) {
		PasswordHandler handler = new PasswordHandler(password, deadline);
		return new ApplicationContextRunner()
			.withConfiguration(AutoConfigurations.of(CallosumServerAutoConfiguration.class))
			.withPropertyValues("callosum.server.host=127.0.0.1", "callosum.server.port=0")
			.withBean(BlockingConnectionHandler.class, () -> (connection) -> {
				try {
					handler.handle(connection);
				}
				finally {
					this.handled.incrementAndGet();
				}
			})
			.withInitializer((context) -> context.addApplicationListener((event) -> {
				if (event instanceof ServerErrorEvent error) {
					this.errors.add(error);
				}
				else if (event instanceof SlotFreeEvent free) {
					this.freed.add(free);
				}
			}));
	}

	private static Socket connect(CallosumServer server) throws IOException {
		Socket socket = new Socket(server.address().getAddress(), server.address().getPort());
		socket.setSoTimeout((int) LONG.toMillis());
		return socket;
	}

	private static BufferedReader reader(Socket socket) throws IOException {
		return new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII));
	}

	private static InputStream send(Socket socket, String text) throws IOException {
		socket.getOutputStream().write(text.getBytes(StandardCharsets.US_ASCII));
		return socket.getInputStream();
	}

}
