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
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;

import io.netty.channel.epoll.EpollChannelOption;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

import io.callosum.server.SlotFreeEvent.Reason;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/**
 * Tests for a peer that vanishes without a word: in a network namespace of its own, whose
 * cable is pulled. Needs root and the command {@code ip}, and is skipped without.
 */
@ParameterizedClass
@EnumSource
class VanishedPeerIntegrationTests {

	private static final Duration SECOND = Duration.ofSeconds(1);

	private static final long PID = ProcessHandle.current().pid();

	private static final String NAMESPACE = "callosum-test-" + PID;

	private static final String LINK = "cal" + PID;

	/**
	 * Of the range for benchmarks of networks, RFC 2544, which nobody uses, and other
	 * ones for each process.
	 */
	private static final String SERVER = address(1);

	private static final String CLIENT = address(2);

	@Parameter
	Transport transport;

	private Process client;

	@BeforeEach
	void createNamespace() {
		assumeTrue("root".equals(System.getProperty("user.name")), "Skipped: only root may create a network namespace");
		assumeTrue(succeeds("ip", "netns", "list"), "Skipped: there is no command 'ip' for network namespaces");
		assumeTrue(succeeds("ip", "netns", "add", NAMESPACE), "Skipped: a network namespace cannot be created here");
		ip("link", "add", LINK, "type", "veth", "peer", "name", "eth0", "netns", NAMESPACE);
		ip("addr", "add", SERVER + "/30", "dev", LINK);
		ip("link", "set", LINK, "up");
		ip("-n", NAMESPACE, "addr", "add", CLIENT + "/30", "dev", "eth0");
		ip("-n", NAMESPACE, "link", "set", "eth0", "up");
	}

	@AfterEach
	void deleteNamespace() throws InterruptedException {
		if (this.client != null) {
			this.client.destroyForcibly().waitFor();
		}
		succeeds("ip", "link", "delete", LINK);
		succeeds("ip", "netns", "delete", NAMESPACE);
	}

	@Test
	void itsSlotComesBackWhereNobodyReadsItsBytes() {
		verifySlotComesBack(UnaryOperator.identity());
	}

	@Test
	void itsSlotComesBackWhereTheHandlerOnlyWrites() {
		verifySlotComesBack((builder) -> builder.connectionHandler(
				(connection) -> connection.outbound().sendString(Mono.just("hello")).then().then(Mono.never())));
	}

	/**
	 * The system does not ask a peer for a sign of life that has not acknowledged what
	 * was sent. Its own patience with that is a quarter of an hour.
	 */
	@Test
	void itsSlotComesBackWhereTheHandlerWritesAllTheTimeAndACustomizerLimitsThat() {
		assumeTrue(this.transport.isNative(), "Skipped: NIO has no option for the TCP user time-out");
		verifySlotComesBack((builder) -> builder
			.customizer((tcpServer) -> tcpServer.childOption(EpollChannelOption.TCP_USER_TIMEOUT, 3000))
			.connectionHandler((connection) -> Flux.interval(Duration.ofMillis(100))
				.concatMap((tick) -> connection.outbound().sendString(Mono.just("hello")).then())
				.then()));
	}

	private void verifySlotComesBack(UnaryOperator<CallosumServer.Builder> customizer) {
		try (TestServer server = TestServer
			.create(this.transport, (builder) -> customizer.apply(builder.host(SERVER).keepAlive(SECOND, SECOND, 2)))
			.start()) {
			connect(server.server().address().getPort());
			// For longer than it takes to notice that a peer has vanished
			Awaitility.await()
				.atMost(Duration.ofSeconds(30))
				.during(Duration.ofSeconds(5))
				.until(() -> server.server().connections().size() == 1);
			ip("-n", NAMESPACE, "link", "set", "eth0", "down");
			long start = System.nanoTime();
			TestServer.await("SlotFreeEvent", () -> assertThat(server.events().of(SlotFreeEvent.class)).hasSize(1));
			// 1 s + 2 * 1 s
			assertThat(System.nanoTime() - start).isBetween(TimeUnit.SECONDS.toNanos(1), TimeUnit.SECONDS.toNanos(8));
			assertThat(server.events().of(SlotFreeEvent.class).get(0).getReason()).isEqualTo(Reason.PEER_RESET);
			assertThat(server.slotsInUse()).isZero();
		}
	}

	/**
	 * Let a client connect that stays, and wait until it has its slot.
	 */
	private void connect(int port) {
		String script = "exec 3<>/dev/tcp/%s/%d; read -r slot <&3; echo $slot; exec cat <&3 > /dev/null"
			.formatted(SERVER, port);
		try {
			this.client = new ProcessBuilder("ip", "netns", "exec", NAMESPACE, "bash", "-c", script)
				.redirectError(ProcessBuilder.Redirect.INHERIT)
				.start();
			BufferedReader reader = this.client.inputReader(StandardCharsets.US_ASCII);
			assertThat(reader.readLine()).isEqualTo("0");
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	private static String address(int host) {
		return "198.18.%d.%d".formatted((PID / 64) % 256, (PID % 64) * 4 + host);
	}

	private static void ip(String... arguments) {
		String[] command = new String[arguments.length + 1];
		command[0] = "ip";
		System.arraycopy(arguments, 0, command, 1, arguments.length);
		assertThat(succeeds(command)).as(String.join(" ", command)).isTrue();
	}

	private static boolean succeeds(String... command) {
		try {
			return new ProcessBuilder(command).redirectErrorStream(true)
				.redirectOutput(ProcessBuilder.Redirect.DISCARD)
				.start()
				.waitFor() == 0;
		}
		catch (IOException ex) {
			return false;
		}
		catch (InterruptedException ex) {
			throw new IllegalStateException(ex);
		}
	}

}
