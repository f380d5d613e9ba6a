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
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.net.URI;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

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
	 * The promise is one second, and two with TLS. This is for a machine that is busy
	 * with other things too.
	 */
	private static final Duration SERVED_WITHIN = Duration.ofMinutes(1);

	/**
	 * The promise is five seconds.
	 */
	private static final Duration ENDS_WITHIN = Duration.ofMinutes(1);

	private static final long MEGABYTE = 1024 * 1024;

	private static final byte[] BYTES = new byte[64 * 1024];

	private InetSocketAddress server;

	private Function<InetSocketAddress, HonestClient> honest = HonestClient::plain;

	private Map<String, Long> before;

	@Test
	void peersThatSendWhatNobodyAsksForMuteNobody() {
		// With what is unread beyond the read-ahead, only the idle timeout notices that
		// they have left
		start(launcher().server("idle-timeout=5s", "completion-timeout=3s").arguments("--test.handler=true"));
		attack("bytes that are never read", () -> {
			try (Peers peers = Peers.connect(this.server, Behavior.STALL, 4000)) {
				peers.send(BYTES);
				verifyWebServerAnswers();
				peers.shutdownOutput();
				verifyWebServerAnswers();
			}
		});
		attack("single bytes", () -> {
			try (Peers peers = Peers.connect(this.server, Behavior.STALL, 1500)) {
				for (int i = 0; i < 200; i++) {
					peers.send(new byte[1]);
				}
				verifyWebServerAnswers();
			}
		});
		attack("lines without an end", () -> {
			byte[] lines = new byte[2 * BYTES.length];
			Arrays.fill(lines, (byte) '\n');
			try (Peers peers = Peers.connect(this.server, Behavior.LINES, 150)) {
				peers.send(lines);
				verifyWebServerAnswers();
			}
		});
		attack("peers that leave before their slot is assigned",
				() -> Peers.comeAndGo(this.server, Behavior.ASSIGN_TOO_LATE, new byte[0], 2000));
		try (Peers waiting = Peers.connect(this.server, Behavior.ASSIGN_TOO_LATE, 3000)) {
			waiting.send(BYTES);
			beside("bytes before a slot", this::verifyWebServerAnswers);
			verifyEndsWhenTold();
		}
	}

	@Test
	void peersThatDoNotFinishTheirHandshakeMuteNobody() {
		this.honest = HonestClient::secure;
		start(launcher().tls());
		attack("handshakes of peers that leave",
				() -> Peers.comeAndGo(this.server, Behavior.NONE, TestTls.clientHello(), 2000));
		attack("second handshakes", () -> {
			for (int i = 0; i < 20; i++) {
				verifySecondHandshakeIsRefused();
			}
		});
		attack("first messages that are too long", () -> {
			try (Peers peers = Peers.connect(this.server, Behavior.NONE, 4000)) {
				peers.send(unfinishedClientHello(60_000, 16_000));
				verifyWebServerAnswers();
			}
		});
		try (Peers unfinished = Peers.connect(this.server, Behavior.NONE, 4000)) {
			unfinished.send(unfinishedClientHello(16_000, 15_000));
			beside("first messages that do not end", this::verifyWebServerAnswers);
			verifyEndsWhenToldThoughAPeerDribbles();
		}
	}

	private void start(ApplicationProcess.Launcher launcher) {
		// To look for leaks would take most of the time
		this.application = launcher.options("-Dio.netty.leakDetection.level=simple", "-Dio.netty.maxDirectMemory=-1")
			.server("slot-timeout=4s")
			.arguments("--test.web-server=true")
			.start();
		this.server = this.application.address();
		assertThat(this.application.warnings()).singleElement()
			.asString()
			.contains("-XX:MaxDirectMemorySize=", "-Dio.netty.maxDirectMemory=");
		beside("nobody else", this::verifyWebServerAnswers);
		this.application.awaitNothingLeft();
		this.before = this.application.state();
	}

	/**
	 * Attack the server, and wait until nothing is left of that.
	 */
	private void attack(String name, Runnable attack) {
		beside(name, attack);
		ApplicationProcess.await(name, () -> {
			this.application.awaitNothingLeft();
			Map<String, Long> state = this.application.state();
			assertThat(state.get("heap")).as("heap").isLessThan(this.before.get("heap") + 48 * MEGABYTE);
			assertThat(state.get("descriptors")).as("descriptors").isLessThan(this.before.get("descriptors") + 20);
		});
	}

	/**
	 * Do something beside an honest client, which is served before, meanwhile and after.
	 */
	private void beside(String name, Runnable attack) {
		try (HonestClient honest = this.honest.apply(this.server)) {
			honest.awaitServed();
			attack.run();
			honest.awaitServed();
			assertThat(honest.longest()).as(name).isLessThan(SERVED_WITHIN);
		}
	}

	private void verifyWebServerAnswers() {
		try {
			HttpURLConnection connection = (HttpURLConnection) URI
				.create("http://127.0.0.1:" + this.application.webPort())
				.toURL()
				.openConnection();
			connection.setConnectTimeout((int) SERVED_WITHIN.toMillis());
			connection.setReadTimeout((int) SERVED_WITHIN.toMillis());
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

	private void verifyEndsWhenToldThoughAPeerDribbles() {
		ScheduledExecutorService executor = Executors.newSingleThreadScheduledExecutor();
		try (TestClient dribbling = new TestClient(this.server, TestTls.socket(null, "TLSv1.3"))) {
			dribbling.readSlot();
			// Ends with the first byte that cannot be sent any more
			executor.scheduleWithFixedDelay(() -> dribbling.send("x"), 0, 100, TimeUnit.MILLISECONDS);
			verifyEndsWhenTold();
		}
		finally {
			executor.shutdownNow();
		}
	}

	private void verifyEndsWhenTold() {
		this.application.signal("TERM");
		assertThat(this.application.endsWithin(ENDS_WITHIN)).as("end of the process").isTrue();
		assertThat(this.application.output()).contains("Callosum server stopped")
			.doesNotContain("did not drain in time");
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
