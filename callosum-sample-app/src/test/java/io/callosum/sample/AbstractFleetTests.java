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
import java.time.Duration;
import java.util.List;

import org.awaitility.Awaitility;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;

import io.callosum.sample.FleetBoard.Server;
import io.callosum.sample.FleetBoard.Update;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Runs the sample with its fleet during each test, and controls it over HTTP, as from a
 * terminal.
 */
abstract class AbstractFleetTests {

	RunningSample sample;

	@BeforeEach
	void start() {
		this.sample = new RunningSample(List.of(), "sample.fleet.enabled=true");
	}

	@AfterEach
	void stop() throws IOException {
		this.sample.close();
	}

	/**
	 * Wait until as many connections as there should be are spread as evenly as they are
	 * guaranteed to be.
	 */
	void awaitEven(int servers, int connections) {
		await().untilAsserted(() -> {
			List<Server> all = all().servers();
			assertThat(all).hasSize(servers).allMatch((server) -> server.state().equals("running"));
			assertThat(all.stream().mapToInt(Server::connections).sum()).isEqualTo(connections);
			assertThat(all.stream().mapToInt(Server::connections).max().getAsInt()
					- all.stream().mapToInt(Server::connections).min().getAsInt())
				.isLessThanOrEqualTo(2);
		});
	}

	int connections(String server) {
		return server(server).connections();
	}

	Server server(String name) {
		return all().servers().stream().filter((server) -> server.name().equals(name)).findFirst().orElseThrow();
	}

	Update all() {
		return this.sample.bean(FleetBoard.class).since(-1);
	}

	List<String> actions() {
		return actions(-1);
	}

	/**
	 * Return what users did after a version, according to the feed.
	 */
	List<String> actions(long version) {
		return this.sample.bean(FleetBoard.class)
			.since(version)
			.events()
			.stream()
			.filter((event) -> event.type().equals("action"))
			.map((event) -> (event.server() != null) ? event.text() + " " + event.server() : event.text())
			.toList();
	}

	int change(String method, String path) throws IOException {
		return request(method, path).status();
	}

	RunningSample.Response request(String method, String path) throws IOException {
		String host = "localhost:" + this.sample.httpPort();
		return this.sample.request(method + " /fleet/" + path, "Host: " + host, "Origin: http://" + host,
				"Content-Length: 0");
	}

	static ConditionFactory await() {
		return Awaitility.await().atMost(Duration.ofMinutes(3));
	}

}
