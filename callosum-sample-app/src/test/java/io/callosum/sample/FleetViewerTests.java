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

import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import io.callosum.sample.FleetBoard.Event;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Reads what viewers see of the fleet while it changes, and leaves in the middle.
 */
class FleetViewerTests extends AbstractFleetTests {

	@Test
	void theFeedReportsWhatClientsDo() throws Exception {
		FleetBoard board = this.sample.bean(FleetBoard.class);
		Set<String> types = new LinkedHashSet<>();
		Predicate<List<String>> seen = (expected) -> {
			board.since(-1).events().stream().map(Event::type).forEach(types::add);
			return types.containsAll(expected);
		};
		awaitEven(3, 60);
		await().until(() -> seen.test(List.of("kept", "turned down")));
		assertThat(change("POST", "servers/A/kill")).isEqualTo(204);
		await().until(() -> seen.test(List.of("lost", "action")) && connections("B") + connections("C") == 60);
		assertThat(change("POST", "servers/A/start")).isEqualTo(204);
		await().until(() -> seen.test(List.of("returned", "replaced")));
		awaitEven(3, 60);
		assertThat(change("POST", "servers/B/freeze")).isEqualTo(204);
		await().until(() -> seen.test(List.of("ejected")));
		assertThat(change("POST", "servers/B/unfreeze")).isEqualTo(204);
		await().until(() -> seen.test(List.of("restored")));
	}

	@ParameterizedTest
	@ValueSource(strings = { "/events", "/fleet/stream", "/fleet/stream?format=text" })
	void noBufferIsLostWhenViewersLeaveInTheMiddleOfAnUpdate(String path) throws Exception {
		awaitEven(3, 60);
		for (int i = 0; i < 500; i++) {
			try (Socket viewer = new Socket(InetAddress.getByName("127.0.0.1"), this.sample.httpPort())) {
				viewer.setSoTimeout(30_000);
				viewer.setSoLinger(true, 0);
				viewer.getOutputStream()
					.write(("GET " + path + " HTTP/1.1\r\nHost: localhost:" + this.sample.httpPort() + "\r\n\r\n")
						.getBytes(StandardCharsets.US_ASCII));
				// Some do not even wait for the first byte
				viewer.getInputStream().readNBytes(i % 10 * 50);
			}
		}
	}

}
