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
import java.net.SocketTimeoutException;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

import javax.net.ssl.SSLSocket;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

import io.callosum.server.TestClient;
import io.callosum.server.TestTls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

/**
 * Attacks by peers that begin a TLS handshake and do not continue.
 */
@ParameterizedClass
@EnumSource
class AttackByHandshakesIntegrationTests extends AttackFaults {

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
			// Ends with the first byte that can no longer be sent
			executor.scheduleWithFixedDelay(() -> dribbling.send("x"), 0, 100, TimeUnit.MILLISECONDS);
			lastAttack("first messages that do not end, and single bytes", unfinished);
		}
		finally {
			executor.shutdownNow();
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
	 * Return a part of a TLS record that contains a part of the first message of a
	 * client.
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
