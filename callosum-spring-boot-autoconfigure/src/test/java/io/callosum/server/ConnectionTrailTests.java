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

import java.util.List;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for what the log says about each connection at DEBUG and TRACE.
 */
class ConnectionTrailTests {

	private final Logger logger = (Logger) LoggerFactory.getLogger(CallosumServer.class);

	@AfterEach
	void restore() {
		this.logger.setLevel(null);
	}

	@Test
	void atDebugALifeIsThreeLines() {
		this.logger.setLevel(Level.DEBUG);
		try (TestServer server = TestServer.create(Transport.NIO)) {
			server.start();
			TestClient client = server.connect();
			client.readSlot();
			String connection = "DEBUG Connection c1 of /127.0.0.1:" + client.socket().getLocalPort();
			client.close();
			TestServer.await("end", () -> assertThat(trail(server)).hasSize(3));
			assertThat(trail(server)).containsExactly(connection + " accepted", connection + " has slot 0",
					connection + " ended: PEER_CLOSED");
		}
	}

	@Test
	void atDebugARefusalSaysWhy() {
		this.logger.setLevel(Level.DEBUG);
		try (TestServer server = TestServer.create(Transport.NIO, (builder) -> builder.maxConnections(1))) {
			server.events()
				.on(SlotRequestEvent.class, (event) -> event.reject(new NoSlotAvailableException("none")))
				.on(ServerStartedEvent.class, (event) -> server.expectNobodyNext());
			server.start();
			assertThat(server.connect().readAll()).isEmpty();
			TestServer.await("end",
					() -> assertThat(trail(server)).last().asString().endsWith(" refused: NO_SLOT_AVAILABLE"));
		}
	}

	@Test
	void atTraceThereIsEveryEvent() {
		this.logger.setLevel(Level.TRACE);
		try (TestServer server = TestServer.create(Transport.NIO)) {
			server.start();
			server.connect().readSlot();
			server.closeClients();
			TestServer.await("end", () -> assertThat(server.logged(Level.TRACE))
				.anyMatch((line) -> line.startsWith("TRACE Publishing SlotFreeEvent[connection=c1, slot=0")));
		}
	}

	@Test
	void byDefaultThereIsNothing() {
		try (TestServer server = TestServer.create(Transport.NIO)) {
			server.start();
			server.connect().readSlot();
			server.closeClients();
			server.verifyNothingLeft();
			assertThat(trail(server)).isEmpty();
		}
	}

	private static List<String> trail(TestServer server) {
		return server.logged(Level.DEBUG).stream().filter((line) -> line.startsWith("DEBUG Connection")).toList();
	}

}
