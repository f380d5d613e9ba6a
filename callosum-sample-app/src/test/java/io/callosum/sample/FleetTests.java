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

import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Changes the size of the fleet and the weights of its servers, and watches how it evens
 * out.
 */
class FleetTests extends AbstractFleetTests {

	@Test
	void theFleetEvensOutByItselfAndIsAsked() {
		awaitEven(3, 60);
		await().until(() -> all().servers().stream().allMatch((server) -> server.rate() > 0));
		assertThat(all().settings().clients()).hasSize(12);
		assertThat(all().samples()).isNotEmpty();
	}

	@Test
	void weightsDrawConnections() throws Exception {
		awaitEven(3, 60);
		assertThat(change("PUT", "servers/C/weight/2")).isEqualTo(204);
		await().until(() -> all().settings().clients().size() == 12 && connections("C") >= 26
				&& connections("A") + connections("B") + connections("C") == 60);
		assertThat(server("C").weight()).isEqualTo(2);
		assertThat(change("PUT", "servers/C/weight/1")).isEqualTo(204);
		awaitEven(3, 60);
	}

	@Test
	void serversAndClientsAndConnectionsAreAddedUpToALimit() throws Exception {
		for (int server = 4; server <= 10; server++) {
			assertThat(change("POST", "servers")).isEqualTo(204);
		}
		assertThat(change("POST", "servers")).isEqualTo(409);
		for (int client = 13; client <= 50; client++) {
			assertThat(change("POST", "clients")).isEqualTo(204);
		}
		assertThat(change("POST", "clients")).isEqualTo(409);
		awaitEven(10, 250);
		assertThat(change("DELETE", "clients/7")).isEqualTo(204);
		assertThat(change("DELETE", "clients/7")).isEqualTo(404);
		await().until(() -> all().settings().clients().size() == 49);
		assertThat(change("POST", "clients")).isEqualTo(204);
		await().until(() -> all().settings().clients().size() == 50);
		assertThat(all().settings().clients()).as("the clients, one of them new").isSorted();
		assertThat(change("DELETE", "clients/7")).isEqualTo(204);
		assertThat(change("PUT", "pool-size/2")).isEqualTo(204);
		awaitEven(10, 98);
		assertThat(change("PUT", "pool-size/0")).isEqualTo(400);
		assertThat(change("PUT", "pool-size/21")).isEqualTo(400);
		assertThat(change("POST", "reset")).isEqualTo(204);
		awaitEven(3, 60);
	}

}
