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

import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.function.Predicate;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import io.callosum.sample.FleetBoard.Event;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Stops, kills and freezes servers of the fleet, and watches where their connections go.
 */
class FleetRecoveryTests extends AbstractFleetTests {

	@ParameterizedTest
	@ValueSource(strings = { "stop", "kill" })
	void theConnectionsOfAServerThatStopsMoveAndComeBack(String action) throws Exception {
		awaitEven(3, 60);
		int port = server("A").port();
		assertThat(change("POST", "servers/A/" + action)).isEqualTo(204);
		// Bound in the meantime, so that no other process can get the port
		try (Socket bound = new Socket()) {
			bound.setReuseAddress(true);
			bound.bind(new InetSocketAddress("127.0.0.1", port));
			// Check the feed at once, because it forgets old events
			await().until(() -> hasEvent("lost", "A"));
			await().until(() -> hasEvent("kept", "B"));
			await().until(() -> server("A").state().equals("stopped") && connections("A") == 0
					&& connections("B") + connections("C") == 60);
			assertThat(change("POST", "servers/A/start")).isEqualTo(204);
		}
		await().until(() -> hasEvent("returned", "A"));
		awaitEven(3, 60);
		assertThat(server("A").port()).isEqualTo(port);
	}

	@Test
	void aFrozenServerIsLeftAndComesBack() throws Exception {
		awaitEven(3, 60);
		assertThat(change("POST", "servers/B/freeze")).isEqualTo(204);
		await().until(() -> server("B").state().equals("frozen") && connections("B") == 0);
		await().until(
				() -> hasEvent("closed", "B") && hasEvent("ejected", "B") && connections("A") + connections("C") == 60);
		assertThat(change("POST", "servers/B/unfreeze")).isEqualTo(204);
		awaitEven(3, 60);
		assertThat(change("POST", "reset")).isEqualTo(204);
		awaitEven(3, 60);
		await().until(() -> all().settings().failed() == 0);
	}

	private boolean hasEvent(String type, String server) {
		Predicate<Event> matches = (event) -> event.type().equals(type) && server.equals(event.server());
		return all().events().stream().anyMatch(matches);
	}

}
