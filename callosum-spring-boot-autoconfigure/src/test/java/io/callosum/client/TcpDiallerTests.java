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

package io.callosum.client;

import java.io.IOException;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.ProtocolException;
import java.net.Socket;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

import io.netty.channel.ConnectTimeoutException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;
import org.mockito.Answers;
import reactor.core.publisher.Mono;
import reactor.netty.tcp.TcpClient;

import io.callosum.client.ScriptedServer.Script;
import io.callosum.client.TestNetwork.TestDial;
import io.callosum.server.Link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.mockito.BDDMockito.given;
import static org.mockito.Mockito.mock;

/**
 * Tests for {@link TcpDialler}: from the dial to the slot line.
 *
 * @author The Callosum authors
 */
@ParameterizedClass
@EnumSource
class TcpDiallerTests {

	private final Link link;

	private final ScriptedServer server;

	private TestNetwork network;

	TcpDiallerTests(Link link) {
		this.link = link;
		this.server = new ScriptedServer(link.isSecure());
		this.network = new TestNetwork(link);
	}

	@AfterEach
	void close() {
		this.network.close();
		this.server.close();
	}

	@Test
	void aSlotLineIsASlot() {
		this.server.script(Script.send("17\r\n"));
		TestDial dial = this.network.connect(this.server);
		assertThat(dial.slot()).isEqualTo(17);
		dial.awaitReports("connected", "initialized");
	}

	@Test
	void aSlotLineMayComeInPieces() {
		this.server.script((peer) -> {
			for (char c : "2147483647\r\n".toCharArray()) {
				peer.send(String.valueOf(c));
			}
		});
		assertThat(this.network.connect(this.server).slot()).isEqualTo(Integer.MAX_VALUE);
	}

	@Test
	void aServerThatSpeaksFirstNeedsAnInitializer() {
		this.server.script(Script.send("3\r\nhello\r\n"));
		TestDial dial = this.network.dial(this.server.address());
		dial.awaitReports("connected", "closed UNSOLICITED");
	}

	@Test
	void aConnectionThatIsTurnedDownIsClosedAtOnce() {
		TestDial dial = this.network.dial(this.server.address(), false);
		assertThat(this.server.awaitPeer().awaitClose()).isTrue();
		dial.awaitReports("connected");
	}

	@Test
	void dialsThatBeginWhileTheNetworkIsClosedLeaveNothing() {
		this.server.script(Script.silent());
		CompletableFuture<Void> closed = new CompletableFuture<>();
		CompletableFuture<Void> blocked = new CompletableFuture<>();
		this.network.transport().timers().schedule(() -> {
			blocked.complete(null);
			closed.join();
		}, 0);
		blocked.join();
		for (int i = 0; i < 16; i++) {
			this.network.dial(this.server.address());
		}
		this.network.transport().close();
		// Longer than the other event loops need to end
		closed.completeOnTimeout(null, 100, TimeUnit.MILLISECONDS);
		TestNetwork.verifyNoThreadLeft();
		assertThat(this.network.warnings()).noneMatch((warning) -> warning.contains("event executor terminated"));
	}

	@Test
	void anythingButASlotLineIsAFailure() {
		this.server.script(Script.send("HTTP/1.1 400 Bad Request\r\n"));
		TestDial dial = this.network.dial(this.server.address());
		dial.awaitReports("failed NO_SLOT");
		assertThat(dial.cause()).isInstanceOf(ProtocolException.class)
			.hasMessage("Expected a slot line, but received 'H'");
		this.server.awaitAllClosed();
	}

	@Test
	void aServerThatClosesOrResetsBeforeItsSlotLineIsAFailure() {
		List<Script> scripts = List.of((peer) -> peer.close(), (peer) -> peer.cut(), (peer) -> peer.reset(),
				(peer) -> peer.send("1").close());
		for (Script script : scripts) {
			this.server.script(script);
			TestDial dial = this.network.dial(this.server.address());
			// A reset may arrive before the system reports that it has connected
			TestNetwork.await("failed",
					() -> assertThat(dial.reports()).singleElement().asString().startsWith("failed "));
		}
	}

	@Test
	void aServerThatSaysNothingIsAFailureAfterTheSlotTimeout() {
		this.network.close();
		this.network = new TestNetwork(this.link, (builder) -> builder.slotTimeout(Duration.ofMillis(300)));
		this.server.script((peer) -> peer.send("12"));
		TestDial dial = this.network.dial(this.server.address());
		dial.awaitReports("failed NO_SLOT");
		assertThat(dial.cause()).isInstanceOf(TimeoutException.class)
			.hasMessageContaining("No slot line from localhost/127.0.0.1:")
			.hasMessageEndingWith("within 300 ms");
		this.server.awaitAllClosed();
	}

	@Test
	void aServerThatRefusesIsUnreachable() throws IOException {
		// Bound but not listening, so that no other process can get the port
		try (Socket refusing = new Socket()) {
			refusing.bind(new InetSocketAddress("127.0.0.1", 0));
			TestDial dial = this.network.dial((InetSocketAddress) refusing.getLocalSocketAddress());
			dial.awaitReports("failed UNREACHABLE");
			assertThat(dial.cause()).isInstanceOf(ConnectException.class);
		}
	}

	@Test
	void theConnectTimeoutCoversTls() {
		if (!this.link.isSecure()) {
			return;
		}
		this.network.close();
		this.network = new TestNetwork(this.link, (builder) -> builder.connectTimeout(Duration.ofMillis(300)));
		this.server.script(Script.silent());
		long start = System.nanoTime();
		TestDial dial = this.network.dial(this.server.address());
		dial.awaitReports("failed UNREACHABLE");
		assertThat(Duration.ofNanos(dial.endedAt() - start)).isBetween(Duration.ofMillis(300), Duration.ofSeconds(15));
		assertThat(dial.cause()).isInstanceOf(ConnectTimeoutException.class);
		this.server.awaitAllClosed();
	}

	@Test
	void theConnectTimeoutCoversAServerThatDropsPackets() throws Exception {
		this.network.close();
		this.network = new TestNetwork(this.link, (builder) -> builder.connectTimeout(Duration.ofMillis(300)));
		try (FullServer full = new FullServer()) {
			long start = System.nanoTime();
			TestDial dial = this.network.dial(full.address());
			dial.awaitReports("failed UNREACHABLE");
			assertThat(Duration.ofNanos(dial.endedAt() - start)).isGreaterThanOrEqualTo(Duration.ofMillis(300));
			assertThat(dial.cause()).isInstanceOf(ConnectTimeoutException.class).hasMessageEndingWith("within 300 ms");
		}
	}

	@Test
	void aDialThatCompletesWithoutAConnectionIsAFailureAfterTheConnectTimeout() {
		this.network.close();
		TcpClient empty = mock(TcpClient.class, Answers.RETURNS_SELF);
		given(empty.connect()).will((invocation) -> Mono.empty());
		this.network = new TestNetwork(this.link,
				(builder) -> builder.connectTimeout(Duration.ofMillis(100)).customizer((client) -> empty));
		TestDial dial = this.network.dial(this.server.address());
		dial.awaitReports("failed UNREACHABLE");
		assertThat(dial.cause()).isInstanceOf(ConnectTimeoutException.class);
	}

	@Test
	void aDialThatIsGivenUpClosesItsConnectionAndSaysNothing() {
		this.server.script((peer) -> {
		});
		TestDial dial = this.network.dial(this.server.address());
		ScriptedServer.Peer peer = this.server.awaitPeer();
		dial.giveUp();
		peer.awaitClose();
		TestNetwork.await("closed", () -> assertThat(this.network.channels()).isEmpty());
		for (int i = 0; i < 50; i++) {
			this.network.dial(this.server.address()).giveUp();
		}
		TestNetwork.await("closed", () -> assertThat(this.network.channels()).isEmpty());
		assertThat(dial.reports()).isEmpty();
	}

}
