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

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import reactor.core.publisher.Mono;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

/**
 * Tests for a {@link BlockingConnectionHandler} and the streams of a connection.
 */
@ParameterizedClass
@EnumSource
class BlockingConnectionHandlerTests {

	private static final Duration LONG = Duration.ofHours(1);

	private final List<String> stored = new CopyOnWriteArrayList<>();

	private final CountDownLatch atWork = new CountDownLatch(1);

	private final CountDownLatch gate = new CountDownLatch(1);

	private final CompletableFuture<Throwable> end = new CompletableFuture<>();

	@Parameter
	Link link;

	@Test
	void requestsAreAnsweredByCodeThatBlocks() {
		try (TestServer server = create(this::answer).start()) {
			this.gate.countDown();
			for (int i = 0; i < 20; i++) {
				TestClient client = server.connect();
				client.readSlot();
				assertThat(client.send("one\n").readLine()).isEqualTo("one\n");
				assertThat(client.send("two\n").readLine()).isEqualTo("two\n");
				client.close();
			}
			server.verifyNothingLeft();
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
			assertThat(server.warnings()).isEmpty();
		}
	}

	@Test
	void megabytesAreEchoed() {
		byte[] bytes = Payload.of(4_000_000);
		try (TestServer server = create((connection) -> connection.inputStream().transferTo(connection.outputStream()))
			.start()) {
			TestClient client = server.connect();
			CompletableFuture<?> sent = CompletableFuture.runAsync(() -> client.send(bytes));
			client.readSlot();
			Payload.verify(client.read(bytes.length), bytes);
			sent.join();
		}
	}

	@ParameterizedTest
	@EnumSource
	void whatAPeerHasSentBeforeItLeftIsProcessed(HandlerCompletionTests.Leave leave) {
		try (TestServer server = create(this::answer).start()) {
			TestClient client = server.connect();
			client.readSlot();
			StringBuilder lines = new StringBuilder();
			IntStream.range(0, 20).forEach((line) -> lines.append("line ").append(line).append('\n'));
			client.send(lines.toString());
			TestServer.await("the handler", () -> assertThat(this.atWork.getCount()).isZero());
			leave.accept(client);
			TestServer.await("the slot", () -> {
				assertThat(server.events().of(SlotFreeEvent.class)).hasSize(1);
				assertThat(server.server().connections()).isEmpty();
			});
			this.gate.countDown();
			TestServer.await("all lines", () -> assertThat(this.stored).hasSize(20));
			server.verifyNothingLeft();
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
			assertThat(server.warnings()).isEmpty();
		}
	}

	@Test
	void aHandlerThatPushesForEverEndsAtTheTimeout() {
		try (TestServer server = create((connection) -> {
			connection.inputStream();
			OutputStream out = connection.outputStream();
			try {
				while (true) {
					out.write("tick\n".getBytes(StandardCharsets.US_ASCII));
					this.atWork.countDown();
					Mono.delay(Duration.ofMillis(1)).block();
				}
			}
			catch (IOException ex) {
				this.end.complete(ex);
				throw ex;
			}
		}, (builder) -> builder.completionTimeout(Duration.ofMillis(300))).start()) {
			TestClient client = server.connect();
			client.readSlot();
			TestServer.await("the handler", () -> assertThat(this.atWork.getCount()).isZero());
			client.reset();
			assertThat(this.end).succeedsWithin(Duration.ofSeconds(30));
			server.verifyNothingLeft();
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
		}
	}

	@Test
	void aHandlerThatReturnsHasAllThatItWroteDelivered() {
		byte[] bytes = Payload.of(1_000_000);
		try (TestServer server = create((connection) -> connection.outputStream().write(bytes)).start()) {
			TestClient client = server.connect();
			client.readSlot();
			Payload.verify(client.readAll(), bytes);
			TestServer.await("the end",
					() -> assertThat(server.events().of(SlotFreeEvent.class)).singleElement()
						.extracting(SlotFreeEvent::getReason)
						.isEqualTo(EndReason.HANDLER_COMPLETED));
		}
	}

	@Test
	void aHandlerThatThrowsHasItsConnectionClosedAndIsReported() {
		try (TestServer server = create((connection) -> {
			throw new IllegalArgumentException("throws");
		}).start()) {
			assertThat(server.connect().readLine()).isEqualTo("0\r\n");
			TestServer.await("the error", () -> assertThat(server.events().of(ServerErrorEvent.class)).singleElement()
				.satisfies((event) -> assertThat(event.getError()).isInstanceOf(IllegalArgumentException.class)));
			TestServer.await("the slot", () -> assertThat(server.events().of(SlotFreeEvent.class)).singleElement()
				.satisfies((event) -> assertThat(event.getReason()).isEqualTo(EndReason.HANDLER_FAILED)));
		}
	}

	@Test
	void aResetIsNoErrorOfAHandlerThatReadsLines() {
		try (TestServer server = create((connection) -> new BufferedReader(
				new InputStreamReader(connection.inputStream(), StandardCharsets.US_ASCII))
			.lines()
			.forEach(this.stored::add)).start()) {
			TestClient client = server.connect();
			client.readSlot();
			client.send("one\n");
			TestServer.await("the line", () -> assertThat(this.stored).hasSize(1));
			client.reset();
			server.verifyNothingLeft();
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
			assertThat(server.warnings()).isEmpty();
		}
	}

	@Test
	void aDrainEndsTheStream() {
		try (TestServer server = create(this::answer, (builder) -> builder.shutdownQuietPeriod(LONG)).start()) {
			this.gate.countDown();
			TestClient client = server.connect();
			client.readSlot();
			assertThat(client.send("one\n").readLine()).isEqualTo("one\n");
			server.server().stop(Duration.ofSeconds(30));
			assertThat(client.readAll()).isEmpty();
			assertThat(server.events().of(SlotFreeEvent.class)).extracting(SlotFreeEvent::getReason)
				.containsExactly(EndReason.HANDLER_COMPLETED);
		}
	}

	@Test
	void aHandlerMayStopTheServer() {
		CompletableFuture<CallosumServer> stopped = new CompletableFuture<>();
		try (TestServer server = create((connection) -> stopped.join().stop(Duration.ofSeconds(10))).start()) {
			stopped.complete(server.server());
			server.connect().readSlot();
			TestServer.await("the stop", () -> assertThat(server.server().isRunning()).isFalse());
		}
	}

	@Test
	void handlersOfBothKindsAreRefused() {
		assertThatIllegalStateException().isThrownBy(() -> CallosumServer.builder()
			.connectionHandler((connection) -> Mono.empty())
			.blockingConnectionHandler((connection) -> {
			}, null)
			.build()).withMessageContaining("not both");
	}

	private void answer(CallosumConnection connection) throws IOException {
		BufferedReader reader = new BufferedReader(
				new InputStreamReader(connection.inputStream(), StandardCharsets.US_ASCII));
		OutputStream out = connection.outputStream();
		String line;
		while ((line = reader.readLine()) != null) {
			this.atWork.countDown();
			try {
				this.gate.await();
			}
			catch (InterruptedException ex) {
				throw new UncheckedIOException(new IOException("interrupted", ex));
			}
			this.stored.add(line);
			out.write((line + "\n").getBytes(StandardCharsets.US_ASCII));
		}
	}

	private TestServer create(BlockingConnectionHandler handler) {
		return create(handler, (builder) -> builder);
	}

	private TestServer create(BlockingConnectionHandler handler, UnaryOperator<CallosumServer.Builder> customizer) {
		return TestServer.create(this.link, (builder) -> customizer
			.apply(builder.completionTimeout(LONG).blockingConnectionHandler(handler, null)));
	}

}
