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

package io.callosum.sample;

import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.Socket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/**
 * Checks over HTTP who may read the page and close connections.
 */
@ParameterizedClass(name = "native transport: {0}")
@ValueSource(booleans = { true, false })
class PageAccessTests {

	@Parameter
	boolean nativeTransport;

	private RunningSample sample;

	@BeforeEach
	void start() {
		this.sample = new RunningSample(List.of(), "callosum.server.native-transport=" + this.nativeTransport);
	}

	@AfterEach
	void stop() throws IOException {
		this.sample.close();
	}

	@Test
	void thePagePushesAConnectionOff() throws Exception {
		Socket client = this.sample.connect();
		String id = id();
		assertThat(delete(id, "localhost", "http://localhost:" + this.sample.httpPort())).isEqualTo(204);
		assertThat(client.getInputStream().read()).isEqualTo(-1);
		Awaitility.await().atMost(Duration.ofSeconds(30)).until(() -> this.sample.server().connections().isEmpty());
		assertThat(delete(id, "localhost", "http://localhost:" + this.sample.httpPort())).isEqualTo(404);
	}

	@Test
	void noOtherPagePushesAConnectionOff() throws Exception {
		this.sample.connect();
		String id = id();
		int port = this.sample.httpPort();
		assertThat(delete(id, "localhost", null)).isEqualTo(403);
		for (String origin : List.of("null", "http://localhost", "http://localhost:" + (port + 1),
				"https://localhost:" + port, "http://127.0.0.1:" + port, "http://example.com",
				"http://localhost:" + port + ".example.com", "http://localhost:" + port + "/")) {
			assertThat(delete(id, "localhost", origin)).as(origin).isEqualTo(403);
		}
		assertThat(delete(id, "example.com", "http://example.com:" + port)).isEqualTo(403);
		assertThat(this.sample.server().connections()).hasSize(1);
	}

	@Test
	void aRequestThatIsRejectedLearnsHowToAsk() throws Exception {
		String page = "http://localhost:" + this.sample.httpPort();
		assertThat(this.sample.request("POST /fleet/reset", "Host: " + page.substring(7), "Content-Length: 0").body())
			.isEqualTo("Use " + page + ", and send it as the Origin header of what is not a GET\n");
	}

	@Test
	void noOtherSiteReadsWhatThePageReads() throws Exception {
		int port = this.sample.httpPort();
		for (String path : List.of("/", "/events", "/connections", "/actuator/callosum")) {
			assertThat(this.sample.request("GET " + path, "Host: example.com:" + port).status()).as(path)
				.isEqualTo(403);
			assertThat(this.sample.request("GET " + path, "Host: localhost:" + port, "Origin: http://example.com")
				.status()).as(path).isEqualTo(403);
		}
		assertThat(this.sample.request("GET /", "Host: localhost:" + port).status()).isEqualTo(200);
		assertThat(this.sample.request("GET /", "Host: 127.0.0.1:" + port).status()).isEqualTo(200);
	}

	@Test
	void thePageMayLoadNothingFromElsewhere() throws Exception {
		RunningSample.Response page = this.sample.request("GET /", "Host: localhost:" + this.sample.httpPort());
		assertThat(page.head()).contains("Content-Security-Policy: default-src 'self'")
			.contains("X-Content-Type-Options: nosniff");
		assertThat(page.body()).contains("<title>Callosum</title>").doesNotContain("http:", "https:", "//");
	}

	@Test
	void nobodyIsListenedToButThisMachine() throws Exception {
		List<InetAddress> others = new ArrayList<>(List.of(InetAddress.getByName("127.0.0.2")));
		NetworkInterface.networkInterfaces()
			.flatMap(NetworkInterface::inetAddresses)
			.filter((address) -> !address.getHostAddress().equals("127.0.0.1"))
			.forEach(others::add);
		for (InetAddress address : others) {
			for (int port : List.of(this.sample.httpPort(), this.sample.port())) {
				try (Socket socket = new Socket()) {
					assertThatExceptionOfType(IOException.class).as(address + ":" + port)
						.isThrownBy(() -> socket.connect(new InetSocketAddress(address, port), 5000))
						.isInstanceOf(ConnectException.class);
				}
			}
		}
	}

	private String id() {
		return this.sample.server().connections().iterator().next().id();
	}

	private int delete(String id, String host, String origin) throws IOException {
		String hostHeader = "Host: " + host + ":" + this.sample.httpPort();
		String request = "DELETE /connections/" + id;
		return ((origin != null) ? this.sample.request(request, hostHeader, "Origin: " + origin)
				: this.sample.request(request, hostHeader))
			.status();
	}

}
