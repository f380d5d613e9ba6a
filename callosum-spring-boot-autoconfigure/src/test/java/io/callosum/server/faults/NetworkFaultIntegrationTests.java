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

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

import io.callosum.server.TestClient;
import io.callosum.server.TestTls;
import io.callosum.server.Transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/**
 * Faults of the network between a server and its peers: no slot stays with a peer that is
 * gone, and none is taken from one that is not. The cases share a server, and each has
 * its own {@link Behavior}, because clients are cut off by their addresses.
 */
@ParameterizedClass
@MethodSource("servers")
@Execution(ExecutionMode.CONCURRENT)
class NetworkFaultIntegrationTests {

	private final Server server;

	private final ApplicationProcess application;

	/**
	 * Keeps references, because a TLS socket without any says goodbye to its peer.
	 */
	private final List<TestClient> clients = new ArrayList<>();

	NetworkFaultIntegrationTests(Server server) {
		this.server = server;
		this.application = server.application;
	}

	static Stream<Server> servers() {
		return Stream.of(Transport.values())
			.flatMap((transport) -> Stream.of(new Server(transport, false), new Server(transport, true)));
	}

	@BeforeParameterizedClassInvocation
	static void start(Server server, @TempDir Path directory) {
		server.start(directory);
	}

	@AfterParameterizedClassInvocation
	static void end(Server server) {
		server.end();
	}

	@Test
	void theSlotOfAPeerThatVanishesComesBackWhereNobodyReadsItsBytes() throws IOException {
		verifySlotOfVanishedPeerComesBack(Behavior.NONE, "PEER_RESET", Duration.ofSeconds(6));
	}

	@Test
	void theSlotOfAPeerThatVanishesComesBackWhereTheApplicationNeverReads() throws IOException {
		verifySlotOfVanishedPeerComesBack(Behavior.STALL, "PEER_RESET", Duration.ofSeconds(6));
	}

	@Test
	void theSlotOfAPeerThatVanishesComesBackWhereTheApplicationHasMuchToWrite() throws IOException {
		verifySlotOfVanishedPeerComesBack(Behavior.FLOOD, "WRITE_TIMEOUT", Duration.ofMillis(4500));
	}

	/**
	 * The system does not probe a peer that has not acknowledged what was sent. Its own
	 * timeout for that is a quarter of an hour.
	 */
	@Test
	void theSlotOfAPeerThatVanishesComesBackUnderALimitOfACustomizer() throws IOException {
		assumeTrue(this.server.transport.isNative(), "NIO has no option for the TCP user timeout");
		verifySlotOfVanishedPeerComesBack(Behavior.TICK, "PEER_RESET", Duration.ofSeconds(6));
	}

	@Test
	void theSlotOfAPeerThatAFirewallRejectsComesBack() throws IOException {
		try (Socket socket = Behavior.ASSIGN.connect(this.server.address)) {
			client(socket).readSlot();
			this.server.namespace.reject(client(Behavior.ASSIGN));
			awaitFree(Behavior.ASSIGN, "PEER_RESET");
		}
	}

	@Test
	void aPeerThatIsAwayForLessThanTheKeepAliveAllowsStaysAndLosesNothing() throws IOException {
		try (Socket socket = Behavior.ECHO.connect(this.server.address)) {
			TestClient client = client(socket);
			client.readSlot();
			assertThat(client.send("hello").read(5)).hasSize(5);
			// Until the client's system has acknowledged that: otherwise, the server's
			// system sends it again, and does not probe
			stays(Behavior.ECHO, Duration.ofMillis(500));
			this.server.namespace.cut(client(Behavior.ECHO));
			client.send("still there?");
			// At least one probe in vain, and time for the machine before the last one
			stays(Behavior.ECHO, Duration.ofMillis(2500));
			this.server.namespace.mend(client(Behavior.ECHO));
			assertThat(client.read(12)).asString(StandardCharsets.US_ASCII).isEqualTo("still there?");
			assertThat(this.application.output()).doesNotContain(Behavior.ECHO.name());
		}
		awaitFree(Behavior.ECHO, "PEER_CLOSED");
	}

	@Test
	void aPeerThatVanishesInItsHandshakeIsClosedAtTheTimeout() throws IOException {
		assumeTrue(this.server.tls, "Without TLS there is no handshake");
		try (Socket socket = Behavior.ASSIGN_LATE.connect(this.server.address)) {
			socket.getOutputStream().write(TestTls.clientHello(), 0, 100);
			this.server.namespace.cut(client(Behavior.ASSIGN_LATE));
			this.application.awaitOutput("ERROR SslHandshakeTimeoutException");
			assertThat(this.application.count("ERROR SslHandshakeTimeoutException")).isOne();
			assertThat(this.application.output()).doesNotContain(Behavior.ASSIGN_LATE.name());
		}
	}

	private void verifySlotOfVanishedPeerComesBack(Behavior behavior, String reason, Duration atLeast)
			throws IOException {
		// A peer that does not read is timed from when it gets its slot, any other from
		// the cut
		long start = System.nanoTime();
		try (Socket socket = behavior.connect(this.server.address)) {
			client(socket).readSlot();
			// Until the client's system has acknowledged the slot line
			stays(behavior, Duration.ofMillis(500));
			this.server.namespace.cut(client(behavior));
			awaitFree(behavior, reason);
			assertThat(System.nanoTime() - start).isBetween(atLeast.toNanos(), TimeUnit.SECONDS.toNanos(30));
		}
	}

	private void stays(Behavior behavior, Duration duration) {
		Awaitility.await()
			.atMost(Duration.ofMinutes(1))
			.during(duration)
			.until(() -> !this.application.output().contains(behavior.name()));
	}

	private void awaitFree(Behavior behavior, String reason) {
		ApplicationProcess.await("end of " + behavior,
				() -> assertThat(this.application.output().lines()).filteredOn((line) -> line.endsWith(behavior.name()))
					.singleElement()
					.asString()
					.matches("FREE [0-9]+ " + reason + " " + behavior));
	}

	/**
	 * Return a client for a socket, which the test closes: closing TLS could wait for the
	 * network.
	 */
	private TestClient client(Socket socket) throws IOException {
		TestClient client = new TestClient(this.server.address,
				this.server.tls ? TestTls.layeredSocket(socket) : socket);
		this.clients.add(client);
		return client;
	}

	private String client(Behavior behavior) {
		return behavior.address(this.server.address.getAddress()).getHostAddress();
	}

	private static final class Server {

		private final Transport transport;

		private final boolean tls;

		private NetworkNamespace namespace;

		private ApplicationProcess application;

		private InetSocketAddress address;

		private Server(Transport transport, boolean tls) {
			this.transport = transport;
			this.tls = tls;
		}

		private void start(Path directory) {
			this.namespace = new NetworkNamespace();
			this.namespace.requireFirewall();
			ApplicationProcess.Launcher launcher = ApplicationProcess.launcher(directory, this.transport)
				.prefix(this.namespace.prefix())
				// A peer is given up on after 10 s, or after 8 s with the TCP user
				// timeout
				.server("keep-alive.idle=2s", "keep-alive.interval=1s", "keep-alive.count=8", "write-timeout=5s",
						"ssl.handshake-timeout=6s");
			if (this.tls) {
				launcher.tls();
			}
			if (this.transport.isNative()) {
				launcher.arguments("--test.tcp-user-timeout=8000");
			}
			this.application = launcher.start(this.namespace.host(), 0);
			this.address = this.application.address();
		}

		private void end() {
			if (this.application != null) {
				try (ApplicationProcess application = this.application) {
					application.awaitNothingLeft();
				}
			}
			if (this.namespace != null) {
				this.namespace.close();
			}
		}

		@Override
		public String toString() {
			return this.transport + (this.tls ? " with TLS" : "");
		}

	}

}
