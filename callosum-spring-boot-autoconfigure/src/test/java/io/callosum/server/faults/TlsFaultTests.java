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
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.UnaryOperator;

import javax.net.ssl.SSLSocket;

import io.callosum.server.CallosumServer;
import io.callosum.server.Link;
import io.callosum.server.ListenerThreads;
import io.callosum.server.ServerErrorEvent;
import io.callosum.server.SlotRequestEvent;
import io.callosum.server.TestClient;
import io.callosum.server.TestServer;
import io.callosum.server.TestTls;
import io.callosum.server.Transport;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Faults of TLS that connections without it do not have.
 */
class TlsFaultTests {

	@FaultTest
	void aPeerThatLeavesAtAnyByteOfItsHandshakeIsNoErrorAndAsksForNoSlot(Transport transport) {
		byte[] hello = TestTls.clientHello();
		try (TestServer server = secure(transport, UnaryOperator.identity()).start().expectNextSlot(0)) {
			for (int length = 0; length <= hello.length; length += (length < 12) ? 1 : 37) {
				for (Departure departure : new Departure[] { Departure.CUT, Departure.RST }) {
					departure.leave(server.connectRaw().send(Arrays.copyOf(hello, length)));
				}
			}
			// Also when the server has answered
			for (int i = 0; i < 10; i++) {
				TestClient client = server.connectRaw().send(hello);
				client.read(1 + 50 * i);
				client.reset();
			}
			server.awaitAccepted().verifyNothingLeft();
			assertThat(server.events().of(SlotRequestEvent.class)).isEmpty();
			Faults.verifyNoError(server);
		}
	}

	@FaultTest
	void whateverIsNoHandshakeIsClosedAndLoggedOnce(Transport transport, Noise noise) {
		try (TestServer server = secure(transport, UnaryOperator.identity()).start().expectNextSlot(0)) {
			for (int i = 0; i < 3; i++) {
				TestClient client = server.connectRaw().send(noise.bytes());
				server.awaitAccepted().verifyNothingLeft();
				client.close();
			}
			assertThat(server.events().of(SlotRequestEvent.class)).isEmpty();
			assertThat(server.events().of(ServerErrorEvent.class)).hasSize(3);
			assertThat(server.warnings()).singleElement().asString().hasSizeLessThan(300).doesNotContain("\n");
			Faults.verifyNoStackTrace(server);
		}
	}

	@FaultTest
	void aSecondHandshakeAsksForNoSecondSlot(Transport transport, ListenerThreads threads, Version version)
			throws IOException {
		try (TestServer server = secure(transport,
				(builder) -> threads.applyTo(builder.connectionHandler(Faults::echo)))
			.start()
			.expectNextSlot(0)) {
			SSLSocket socket = TestTls.socket(null, version.protocol);
			TestClient client = server.connect(socket);
			assertThat(client.readSlot()).isZero();
			boolean answered = true;
			for (int i = 0; i < 5 && answered; i++) {
				answered = answersAfterHandshake(socket, client);
			}
			// In TLS 1.3, this only changes the keys
			assertThat(answered).isEqualTo(version == Version.TLS_1_3);
			client.close();
			server.awaitAccepted().verifyNothingLeft();
			assertThat(server.events().of(SlotRequestEvent.class)).hasSize(1);
			assertThat(server.warnings()).hasSizeLessThanOrEqualTo(1);
		}
	}

	private static boolean answersAfterHandshake(SSLSocket socket, TestClient client) {
		try {
			socket.startHandshake();
			return client.send("hello\n").readLine().equals("hello\n");
		}
		catch (IOException | UncheckedIOException ex) {
			return false;
		}
	}

	private static TestServer secure(Transport transport, UnaryOperator<CallosumServer.Builder> customizer) {
		return TestServer.create(Link.of(transport, true), customizer);
	}

	/**
	 * Versions of TLS.
	 */
	enum Version {

		TLS_1_2("TLSv1.2"), TLS_1_3("TLSv1.3");

		private final String protocol;

		Version(String protocol) {
			this.protocol = protocol;
		}

	}

	/**
	 * What a peer sends instead of a handshake.
	 */
	enum Noise {

		HTTP {
			@Override
			byte[] bytes() {
				return "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
			}
		},

		ZEROS {
			@Override
			byte[] bytes() {
				return new byte[1000];
			}
		},

		CONTROL_CHARACTERS {
			@Override
			byte[] bytes() {
				return "\r\n2026-01-01 ERROR forged\r\n".repeat(100).getBytes(StandardCharsets.US_ASCII);
			}
		},

		APPLICATION_DATA_FIRST {
			@Override
			byte[] bytes() {
				return record(23, new byte[64]);
			}
		},

		HELLO_OF_NOTHING {
			@Override
			byte[] bytes() {
				return record(22, new byte[] { 1, 0, 0, 0 });
			}
		},

		HELLO_AND_NOISE {
			@Override
			byte[] bytes() {
				byte[] hello = TestTls.clientHello();
				byte[] bytes = Arrays.copyOf(hello, hello.length + 500);
				Arrays.fill(bytes, hello.length, bytes.length, (byte) 'x');
				return bytes;
			}
		},

		BROKEN_HELLO {
			@Override
			byte[] bytes() {
				byte[] hello = TestTls.clientHello();
				Arrays.fill(hello, 40, hello.length, (byte) 0xff);
				return hello;
			}
		};

		abstract byte[] bytes();

		private static byte[] record(int type, byte[] content) {
			byte[] bytes = new byte[content.length + 5];
			bytes[0] = (byte) type;
			bytes[1] = 3;
			bytes[2] = 3;
			bytes[3] = (byte) (content.length >> 8);
			bytes[4] = (byte) content.length;
			System.arraycopy(content, 0, bytes, 5, content.length);
			return bytes;
		}

	}

}
