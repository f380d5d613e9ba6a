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
import java.io.UncheckedIOException;
import java.net.HttpURLConnection;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.IntStream;

import javax.net.ssl.SSLSocket;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

import io.callosum.server.TestClient;
import io.callosum.server.TestTls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

/**
 * What hostile peers do to an application that has 256 MB of heap and of direct memory,
 * and the defaults of the server: an honest client beside them is always served, the web
 * server in the same process answers, it ends when it is told to, and nothing is left of
 * them.
 */
@ParameterizedClass
@EnumSource
class AttackIntegrationTests extends ApplicationFaults {

	/**
	 * Whether this machine does nothing else, and has to keep the promises: a slot within
	 * a second, or two with TLS, the end of the process within five, and all memory free
	 * again within ten. One that is busy may take longer.
	 */
	private static final boolean QUIET = Boolean.getBoolean("callosum.tests.quiet-machine");

	private static final Duration SERVED_WITHIN = QUIET ? Duration.ofSeconds(1) : Duration.ofMinutes(1);

	private static final Duration SERVED_WITH_TLS_WITHIN = QUIET ? Duration.ofSeconds(2) : Duration.ofMinutes(1);

	private static final Duration ENDS_WITHIN = QUIET ? Duration.ofSeconds(5) : Duration.ofMinutes(1);

	private static final Duration FREE_WITHIN = QUIET ? Duration.ofSeconds(10) : Duration.ofMinutes(2);

	private static final int WEB_TIMEOUT_MILLIS = 60_000;

	private static final long MEGABYTE = 1024 * 1024;

	private static final byte[] BYTES = new byte[64 * 1024];

	private ApplicationProcess.Launcher launcher;

	private String host = "127.0.0.1";

	private InetSocketAddress server;

	private Function<InetSocketAddress, HonestClient> honest = HonestClient::plain;

	private Duration servedWithin = SERVED_WITHIN;

	private Map<String, Long> before;

	@Test
	void peersThatSendWhatNobodyAsksForMuteNobody() {
		// With what is unread beyond the read-ahead, only the idle timeout notices that
		// they have left
		start(launcher().server("idle-timeout=1500ms", "completion-timeout=1s").arguments("--test.handler=true"));
		attack("bytes that are never read", () -> {
			Peers peers = Peers.connect(this.server, Behavior.STALL, 4000);
			peers.send(BYTES);
			verifyWebServerAnswers();
			peers.shutdownOutput();
			return peers;
		});
		attack("single bytes", () -> {
			Peers peers = Peers.connect(this.server, Behavior.STALL, 1500);
			for (int i = 0; i < 200; i++) {
				peers.send(new byte[1]);
			}
			return peers;
		});
		attack("lines without an end", () -> {
			byte[] lines = new byte[2 * BYTES.length];
			Arrays.fill(lines, (byte) '\n');
			return Peers.connect(this.server, Behavior.LINES, 150).send(lines);
		});
		attack("lines of peers that leave", () -> {
			byte[] lines = new byte[2 * BYTES.length];
			Arrays.fill(lines, (byte) '\n');
			Peers peers = Peers.connect(this.server, Behavior.LINES, 300).send(lines);
			peers.shutdownOutput();
			return peers;
		});
		attack("peers that leave before their slot is assigned",
				() -> Peers.comeAndGo(this.server, Behavior.ASSIGN_TOO_LATE, new byte[0], 2000));
		Supplier<Peers> waiting = () -> Peers.connect(this.server, Behavior.ASSIGN_TOO_LATE, 3000).send(BYTES);
		attack("bytes before a slot", waiting);
		lastAttack("bytes before a slot", waiting);
	}

	@Test
	void peersThatDoNotFinishTheirHandshakeMuteNobody() {
		this.honest = HonestClient::secure;
		this.servedWithin = SERVED_WITH_TLS_WITHIN;
		start(launcher().tls());
		attack("handshakes of peers that leave",
				() -> Peers.comeAndGo(this.server, Behavior.NONE, TestTls.clientHello(), 2000));
		attack("second handshakes", () -> {
			for (int i = 0; i < 20; i++) {
				verifySecondHandshakeIsRefused();
			}
			return Peers.none();
		});
		attack("first messages that are too long",
				() -> Peers.connect(this.server, Behavior.NONE, 4000).send(unfinishedClientHello(60_000, 16_000)));
		Supplier<Peers> unfinished = () -> Peers.connect(this.server, Behavior.NONE, 4000)
			.send(unfinishedClientHello(16_000, 15_000));
		attack("first messages that do not end", unfinished);
		ScheduledExecutorService executor = Executors.newSingleThreadScheduledExecutor();
		try (TestClient dribbling = new TestClient(this.server, TestTls.socket(null, "TLSv1.3"))) {
			dribbling.readSlot();
			// Ends with the first byte that cannot be sent any more
			executor.scheduleWithFixedDelay(() -> dribbling.send("x"), 0, 100, TimeUnit.MILLISECONDS);
			lastAttack("first messages that do not end, and single bytes", unfinished);
		}
		finally {
			executor.shutdownNow();
		}
	}

	@Test
	void peersOfOneIpv6NetworkHaveNoMoreConnectionsThanOneAddress() {
		try (Ipv6Networks networks = new Ipv6Networks()) {
			List<InetAddress> peers = networks.addNetwork(500);
			List<InetAddress> neighbors = IntStream.range(0, 20)
				.mapToObj((i) -> networks.addNetwork(1).get(0))
				.toList();
			this.honest = (server) -> HonestClient.from(neighbors, server);
			this.host = "::1";
			start(launcher().server("max-connections-per-address=5"));
			Supplier<Peers> neighborhood = () -> {
				Peers connected = Peers.connect(this.server, peers);
				assertThat(connected.awaitSlots()).isEqualTo(5);
				return connected;
			};
			attack("addresses of one network", neighborhood);
			lastAttack("addresses of one network", neighborhood);
		}
	}

	private void start(ApplicationProcess.Launcher launcher) {
		// To look for leaks would take most of the time
		this.launcher = launcher.options("-Dio.netty.leakDetection.level=simple", "-Dio.netty.maxDirectMemory=-1")
			.server("slot-timeout=4s")
			.arguments("--test.web-server=true");
		start();
		assertThat(this.application.warnings()).singleElement()
			.asString()
			.contains("-XX:MaxDirectMemorySize=", "-Dio.netty.maxDirectMemory=");
	}

	private void start() {
		this.application = this.launcher.start(this.host, 0);
		this.server = this.application.address();
		beside("nobody else", Peers::none).close();
		this.application.awaitNothingLeft();
		this.before = this.application.state();
	}

	/**
	 * Attack the server, and wait until nothing is left of that. On a quiet machine, do
	 * it once more to end the process meanwhile.
	 */
	private void attack(String name, Supplier<Peers> attack) {
		beside(name, attack).close();
		long start = System.nanoTime();
		ApplicationProcess.await(name, this::verifyFree);
		verifyTime(name, "free again", start, FREE_WITHIN);
		this.application.awaitNothingLeft();
		if (QUIET) {
			lastAttack(name, attack);
			this.application.close();
			start();
		}
	}

	private void lastAttack(String name, Supplier<Peers> attack) {
		Peers peers = beside(name, attack);
		try {
			long start = System.nanoTime();
			this.application.signal("TERM");
			this.application.awaitEnd();
			verifyTime(name, "ended", start, ENDS_WITHIN);
			assertThat(this.application.output()).contains("Callosum server stopped")
				.doesNotContain("did not drain in time");
		}
		finally {
			peers.close();
		}
	}

	private void verifyFree() {
		Map<String, Long> state = this.application.state();
		assertThat(state.get("slots")).as("slots").isZero();
		verifyNoMore(state, "descriptors", 20);
		verifyNoMore(state, "heap", 48 * MEGABYTE);
		// Netty's allocator keeps some megabytes for the next buffers
		verifyNoMore(state, "direct", 16 * MEGABYTE);
		verifyNoMore(state, "netty", 16 * MEGABYTE);
	}

	private void verifyNoMore(Map<String, Long> state, String what, long than) {
		assertThat(state.get(what)).as(what).isLessThan(this.before.get(what) + than);
	}

	/**
	 * Let an attack begin beside an honest client, which is served before, meanwhile and
	 * after.
	 */
	private Peers beside(String name, Supplier<Peers> attack) {
		try (HonestClient honest = this.honest.apply(this.server)) {
			honest.awaitServed();
			Peers peers = attack.get();
			verifyWebServerAnswers();
			honest.awaitServed();
			verifyTime(name, "served", honest.longest(), this.servedWithin);
			return peers;
		}
	}

	private void verifyTime(String name, String what, long start, Duration limit) {
		verifyTime(name, what, Duration.ofNanos(System.nanoTime() - start), limit);
	}

	private void verifyTime(String name, String what, Duration time, Duration limit) {
		System.out.printf("%s, %s: %s within %d ms%n", name, this.transport, what, time.toMillis());
		assertThat(time).as(name + ": " + what).isLessThan(limit);
	}

	private void verifyWebServerAnswers() {
		try {
			HttpURLConnection connection = (HttpURLConnection) URI
				.create("http://127.0.0.1:" + this.application.webPort())
				.toURL()
				.openConnection();
			connection.setConnectTimeout(WEB_TIMEOUT_MILLIS);
			connection.setReadTimeout(WEB_TIMEOUT_MILLIS);
			assertThat(connection.getResponseCode()).isEqualTo(204);
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	private void verifySecondHandshakeIsRefused() {
		SSLSocket socket = TestTls.socket(null, "TLSv1.2");
		try (TestClient client = new TestClient(this.server, socket)) {
			client.readSlot();
			assertThatThrownBy(() -> {
				socket.startHandshake();
				assertThat(socket.getInputStream().read()).isEqualTo(-1);
				throw new IOException("closed");
			}).isInstanceOf(IOException.class).isNotInstanceOf(SocketTimeoutException.class);
		}
	}

	/**
	 * Return a part of a TLS record that is a part of the first message of a client.
	 */
	private static byte[] unfinishedClientHello(int announced, int sent) {
		byte[] bytes = new byte[sent];
		int record = Math.min(announced + 4, 16 * 1024);
		byte[] header = { 22, 3, 1, (byte) (record >> 8), (byte) record, 1, (byte) (announced >> 16),
				(byte) (announced >> 8), (byte) announced, 3, 3 };
		System.arraycopy(header, 0, bytes, 0, header.length);
		return bytes;
	}

}
