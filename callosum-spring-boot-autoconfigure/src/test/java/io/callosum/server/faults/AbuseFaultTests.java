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

import java.io.UncheckedIOException;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

import io.callosum.server.Link;
import io.callosum.server.ServerErrorEvent;
import io.callosum.server.SlotRequestEvent;
import io.callosum.server.TestClient;
import io.callosum.server.TestServer;
import io.callosum.server.WireTap;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Faults that a peer commits on purpose.
 */
class AbuseFaultTests {

	@FaultTest
	void noPeerChoosesTheRateOfTheLogOrWhatIsInIt(Link link) {
		String forged = "\r\n2026-01-01 00:00:00 ERROR forged\r\n";
		try (TestServer server = TestServer
			.create(link, (builder) -> builder.maxConnectionsPerAddress(20).maxConnections(15))
			.expectNextSlot(0)) {
			AtomicBoolean refusing = new AtomicBoolean();
			server.events().on(SlotRequestEvent.class, (event) -> {
				if (refusing.get()) {
					throw new IllegalStateException("refused");
				}
			});
			server.start();
			for (int i = 0; i < 40; i++) {
				// No handshake, over the limit, or not yet gone
				send(server.connectRaw(), forged);
			}
			server.closeClients();
			server.awaitAccepted().verifyNothingLeft();
			refusing.set(true);
			for (int i = 0; i < 40; i++) {
				send(server.connect(), forged);
			}
			server.closeClients();
			server.awaitAccepted().verifyNothingLeft();
			refusing.set(false);
			List<String> warnings = server.warnings();
			assertThat(warnings).hasSizeLessThanOrEqualTo(4)
				.allSatisfy((line) -> assertThat(line).doesNotContain("\n").doesNotContain("forged"));
			assertThat(server.events().of(ServerErrorEvent.class)).isNotEmpty();
		}
	}

	@FaultTest
	void aFloodThatNobodyReadsIsDiscardedInLittleMemoryAndHoldsUpNobody(Link link) {
		WireTap tap = new WireTap();
		Faults.Memory memory = new Faults.Memory();
		AtomicBoolean over = new AtomicBoolean();
		ExecutorService thread = Executors.newSingleThreadExecutor();
		try (TestServer server = TestServer.create(link, (builder) -> builder.customizer(tap).customizer(memory))
			.start()) {
			TestClient flooding = server.connect();
			assertThat(flooding.readSlot()).isZero();
			CompletableFuture<Void> flood = CompletableFuture.runAsync(() -> {
				byte[] bytes = new byte[100_000];
				while (!over.get()) {
					flooding.send(bytes);
				}
			}, thread);
			try {
				for (int i = 0; i < 20; i++) {
					TestClient client = server.connect();
					assertThat(client.readSlot()).isOne();
					client.close();
					server.awaitConnections(1);
				}
				tap.awaitBytesRead(16_000_000);
				assertThat(memory.held()).isLessThan(1_000_000);
				assertThat(flood).isNotDone();
			}
			finally {
				over.set(true);
			}
			flood.orTimeout(60, TimeUnit.SECONDS).join();
			Faults.verifyNoError(server);
		}
		finally {
			thread.shutdownNow();
		}
	}

	@FaultTest
	void manyWhoConnectAndSayNothingHoldUpNobody(Link link) {
		try (TestServer server = TestServer.create(link).start()) {
			int silent = Faults.storm(link) / 4;
			for (int i = 0; i < silent; i++) {
				server.connectRaw();
			}
			TestServer.await("all", () -> assertThat(server.measured("accepted")).isEqualTo(silent));
			// Without TLS, they have slots
			int slots = link.isSecure() ? 0 : silent;
			TestServer.await("slots", () -> assertThat(server.server().connections()).hasSize(slots));
			TestClient client = server.connect();
			assertThat(client.readSlot()).isEqualTo(slots);
			server.closeClients();
			server.awaitAccepted().verifyNothingLeft();
			Faults.verifyNoError(server);
		}
	}

	private static void send(TestClient client, String text) {
		try {
			client.send(text);
		}
		catch (UncheckedIOException ex) {
			// The server was faster
			client.close();
		}
	}

}
