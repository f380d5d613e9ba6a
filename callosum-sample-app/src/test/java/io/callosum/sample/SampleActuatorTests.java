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

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;

import com.jayway.jsonpath.JsonPath;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;

import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.context.SpringBootTest.WebEnvironment;

import io.callosum.server.autoconfigure.LocalCallosumServerPort;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Looks at the sample as an operator does, over HTTP.
 */
@SpringBootTest(webEnvironment = WebEnvironment.RANDOM_PORT,
		properties = { "callosum.server.port=0", "management.endpoint.callosum.access=unrestricted" })
class SampleActuatorTests {

	private final HttpClient http = HttpClient.newHttpClient();

	@LocalCallosumServerPort
	private int port;

	@Value("${local.server.port}")
	private int httpPort;

	@Test
	void healthTellsThatTheServerIsUp() throws Exception {
		HttpResponse<String> health = get("health");
		assertThat(health.statusCode()).isEqualTo(200);
		assertThat(JsonPath.<String>read(health.body(), "$.components.callosum.status")).isEqualTo("UP");
		assertThat(JsonPath.<String>read(health.body(), "$.components.callosum.details.address"))
			.isEqualTo("127.0.0.1:" + this.port);
	}

	@Test
	void metricsCountTheConnections() throws Exception {
		try (Socket socket = connect()) {
			readSlot(socket);
			// Counted after the slot line has been written
			Awaitility.await().atMost(Duration.ofSeconds(30)).untilAsserted(() -> {
				String metric = get("metrics/callosum.server.connections.active").body();
				assertThat(JsonPath.<Double>read(metric, "$.measurements[0].value")).isPositive();
			});
		}
	}

	@Test
	void theEndpointShowsAConnectionWithoutItsAddressAndPushesItOff() throws Exception {
		try (Socket socket = connect()) {
			int slot = readSlot(socket);
			String connections = get("callosum").body();
			String id = JsonPath.<List<String>>read(connections, "$.connections[?(@.slot==" + slot + ")].id").get(0);
			assertThat(connections).doesNotContain("remoteAddress");
			HttpResponse<String> delete = this.http.send(
					HttpRequest.newBuilder(uri("callosum/" + id)).DELETE().timeout(Duration.ofSeconds(30)).build(),
					HttpResponse.BodyHandlers.ofString());
			assertThat(delete.statusCode()).isEqualTo(204);
			assertThat(socket.getInputStream().read()).isEqualTo(-1);
		}
		Awaitility.await()
			.atMost(Duration.ofSeconds(30))
			.untilAsserted(() -> assertThat(get("callosum").body()).contains("\"connections\":[]"));
	}

	private Socket connect() throws IOException {
		Socket socket = new Socket(InetAddress.getLoopbackAddress(), this.port);
		socket.setSoTimeout(30_000);
		return socket;
	}

	private static int readSlot(Socket socket) throws IOException {
		return Integer
			.parseInt(new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII))
				.readLine());
	}

	private HttpResponse<String> get(String path) throws IOException, InterruptedException {
		return this.http.send(HttpRequest.newBuilder(uri(path)).timeout(Duration.ofSeconds(30)).build(),
				HttpResponse.BodyHandlers.ofString());
	}

	private URI uri(String path) {
		return URI.create("http://127.0.0.1:" + this.httpPort + "/actuator/" + path);
	}

}
