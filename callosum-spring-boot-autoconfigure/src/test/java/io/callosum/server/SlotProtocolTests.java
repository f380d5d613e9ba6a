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

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

import io.netty.handler.codec.LengthFieldPrepender;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;
import reactor.core.publisher.Mono;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for the first thing that a client sees: its slot.
 */
@ParameterizedClass
@EnumSource
class SlotProtocolTests {

	@Parameter
	Transport transport;

	@Test
	void aNewConnectionGetsTheLowestFreeSlot() {
		try (TestServer server = TestServer.create(this.transport).start()) {
			List<TestClient> clients = new ArrayList<>();
			for (int slot = 0; slot < 7; slot++) {
				clients.add(server.connect());
				assertThat(clients.get(slot).readLine()).isEqualTo(slot + "\r\n");
			}
			int left = 7;
			for (int slot : new int[] { 5, 1, 3 }) {
				clients.get(slot).close();
				server.awaitConnections(--left);
			}
			for (int slot : new int[] { 1, 3, 5, 7 }) {
				assertThat(server.connect().readLine()).isEqualTo(slot + "\r\n");
			}
		}
	}

	@Test
	void theSlotLineIsNotForTheCodecsOfACustomizer() {
		try (TestServer server = TestServer.create(this.transport,
				(builder) -> builder
					.customizer((tcpServer) -> tcpServer
						.doOnConnection((connection) -> connection.addHandlerLast(new LengthFieldPrepender(1))))
					.connectionHandler((connection) -> connection.outbound().sendString(Mono.just("answer")).then()))
			.start()) {
			assertThat(server.connect().readAll()).asString(StandardCharsets.US_ASCII).isEqualTo("0\r\n\006answer");
		}
	}

	@Test
	void clientsThatSendAndLeaveLeaveNothingBehindWhereNobodyReads() {
		try (TestServer server = TestServer.create(this.transport).start()) {
			byte[] kilobyte = new byte[1024];
			for (int i = 0; i < 2000; i++) {
				TestClient client = server.connect();
				if (i % 3 == 0) {
					client.readSlot();
				}
				client.send(kilobyte);
				if (i % 2 == 0) {
					client.close();
				}
				else {
					client.reset();
				}
			}
			server.awaitAccepted().verifyNothingLeft();
			server.verifyNextSlotIsZero();
		}
	}

}
