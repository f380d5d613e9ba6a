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
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Sends the fleet requests of every kind, including those that it refuses.
 */
class FleetControllerTests extends AbstractFleetTests {

	@Test
	void whatIsDoneIsReported() throws Exception {
		List<String> reported = new ArrayList<>();
		for (String request : List.of("POST servers/A/freeze", "POST servers/A/unfreeze", "POST servers/A/stop",
				"POST servers/A/start", "POST servers/A/kill", "PUT servers/A/weight/0.5", "POST servers",
				"POST clients", "DELETE clients/7", "DELETE clients", "PUT pool-size/2", "POST pool-size/decrease",
				"POST pool-size/increase", "POST reset")) {
			long version = all().version();
			assertThat(change(request.split(" ")[0], request.split(" ")[1])).as(request).isEqualTo(204);
			reported.addAll(actions(version));
		}
		assertThat(reported).containsExactly("freeze A", "unfreeze A", "stop A", "start A", "kill A", "weight 0.5 A",
				"add D", "add client 13", "remove client 7", "remove client 13", "2 connections each",
				"1 connection each", "2 connections each", "reset");
		assertThat(change("POST", "rolling-restart")).isEqualTo(202);
		await().until(() -> actions().contains("restart A"));
	}

	@Test
	void theReadmeShowsEachRequest() throws Exception {
		List<String> requests = new ArrayList<>();
		Matcher rows = Pattern.compile("(?m)^\\| (`\\w+ /fleet.*?`) \\|")
			.matcher(Files.readString(Path.of("..", "README.md")));
		while (rows.find()) {
			Matcher names = Pattern.compile("`([^`]+)`").matcher(rows.group(1));
			while (names.find()) {
				String last = requests.isEmpty() ? "" : requests.get(requests.size() - 1);
				// A name without a slash replaces the last part of the previous request
				requests.add(names.group(1).contains("/") ? names.group(1)
						: last.substring(0, last.lastIndexOf('/') + 1) + names.group(1));
			}
		}
		for (String request : requests) {
			int status = change(request.split(" ")[0], request.split(" ")[1].substring("/fleet/".length()));
			assertThat(status).as(request).isBetween(200, 299);
		}
		assertThat(requests.stream().map((request) -> request.replaceAll("/[B\\d]+\\b", "/*")))
			.containsExactlyInAnyOrder("POST /fleet/servers", "POST /fleet/servers/*/stop",
					"POST /fleet/servers/*/kill", "POST /fleet/servers/*/start", "POST /fleet/servers/*/freeze",
					"POST /fleet/servers/*/unfreeze", "PUT /fleet/servers/*/weight/*", "POST /fleet/clients",
					"DELETE /fleet/clients/*", "DELETE /fleet/clients", "PUT /fleet/pool-size/*",
					"POST /fleet/pool-size/increase", "POST /fleet/pool-size/decrease", "POST /fleet/rolling-restart",
					"POST /fleet/reset");
	}

	@Test
	void aRequestThatIsRefusedIsAnsweredWithASentenceAndNotReported() throws Exception {
		assertRefused("POST", "servers/Z/stop", 404, "There is no server Z");
		assertRefused("POST", "servers/A/jump", 404,
				"There is no such action, only start, stop, kill, freeze and unfreeze");
		assertRefused("DELETE", "clients/99", 404, "There is no client 99");
		assertRefused("PUT", "servers/A/weight/0", 400, "The weight must be more than 0 and at most 10");
		assertRefused("PUT", "servers/A/weight/NaN", 400, "The weight must be more than 0 and at most 10");
		assertRefused("PUT", "servers/A/weight/much", 400, "The path must end with a number");
		assertRefused("PUT", "pool-size/0", 400, "Each client keeps from 1 to 20 connections");
		assertRefused("PUT", "pool-size/many", 400, "The path must end with a number");
		assertThat(actions()).isEmpty();
		assertThat(change("POST", "servers/A/kill")).isEqualTo(204);
		assertRefused("POST", "servers/A/freeze", 409, "Server A is not running");
		// These requests have no effect
		assertThat(change("POST", "servers/A/stop")).isEqualTo(204);
		assertThat(change("POST", "servers/A/kill")).isEqualTo(204);
		assertThat(change("POST", "servers/A/unfreeze")).isEqualTo(204);
		assertThat(change("POST", "servers/B/start")).isEqualTo(204);
		assertThat(change("PUT", "servers/B/weight/1")).isEqualTo(204);
		assertThat(actions()).containsExactly("kill A");
	}

	@Test
	void noOtherPageSeesOrChangesTheFleet() throws Exception {
		String host = "Host: localhost:" + this.sample.httpPort();
		for (String request : List.of("POST /fleet/servers", "POST /fleet/servers/A/kill",
				"PUT /fleet/servers/A/weight/2", "POST /fleet/clients", "DELETE /fleet/clients/1",
				"DELETE /fleet/clients", "PUT /fleet/pool-size/2", "POST /fleet/pool-size/increase",
				"POST /fleet/pool-size/decrease", "POST /fleet/rolling-restart", "POST /fleet/reset", "GET /fleet",
				"GET /fleet/stream", "GET /fleet/stream?format=text")) {
			assertThat(this.sample.request(request, host, "Origin: http://example.com").status()).as(request)
				.isEqualTo(403);
			if (!request.startsWith("GET")) {
				assertThat(this.sample.request(request, host, "Content-Length: 0").status()).as(request).isEqualTo(403);
			}
		}
		awaitEven(3, 60);
		assertThat(all().events()).noneMatch((event) -> event.type().equals("action"));
	}

	@Test
	void thePageLoadsNothingFromElsewhere() throws Exception {
		RunningSample.Response page = this.sample.request("GET /fleet", "Host: localhost:" + this.sample.httpPort());
		assertThat(page.head()).contains("Content-Security-Policy: default-src 'self'", "text/html");
		assertThat(page.body()).contains("<title>Callosum fleet</title>").doesNotContain("http:", "https:", "//");
	}

	@Test
	void theFleetCanBeSwitchedOff() throws Exception {
		try (RunningSample other = new RunningSample(List.of(), "sample.fleet.enabled=false")) {
			String host = "Host: localhost:" + other.httpPort();
			for (String request : List.of("GET /fleet", "GET /fleet/stream", "GET /fleet/stream?format=text",
					"POST /fleet/servers", "POST /fleet/reset")) {
				RunningSample.Response response = other.request(request, host,
						"Origin: http://localhost:" + other.httpPort(), "Content-Length: 0");
				assertThat(response.status()).as(request).isEqualTo(404);
				assertThat(response.body()).as(request)
					.isEqualTo("The fleet is disabled; set sample.fleet.enabled=true to enable it\n");
			}
			assertThat(other.request("GET /fleet.html", host).status()).isEqualTo(404);
			assertThat(other.bean(FleetBoard.class).since(-1).servers()).isEmpty();
			assertThat(other.bean(SlotBoard.class).since(-1).fleet()).isFalse();
		}
		assertThat(this.sample.bean(SlotBoard.class).since(-1).fleet()).isTrue();
	}

	private void assertRefused(String method, String path, int status, String reason) throws IOException {
		RunningSample.Response response = request(method, path);
		assertThat(response.status()).as(path).isEqualTo(status);
		assertThat(response.body()).as(path).isEqualTo(reason + "\n");
		assertThat(response.head()).as(path).contains("text/plain");
	}

}
