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

import java.lang.management.ManagementFactory;
import java.time.Duration;
import java.util.Collection;
import java.util.List;

import com.sun.management.OperatingSystemMXBean;
import org.junit.jupiter.api.Test;

import org.springframework.context.annotation.Primary;

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

	@Test
	void aFailureToUpdateDoesNotEndTheFleet() throws Exception {
		this.sample.close();
		this.sample = new RunningSample(List.of(FailingBoard.class), "sample.fleet.enabled=true");
		FailingBoard board = this.sample.bean(FailingBoard.class);
		await().until(() -> board.failures == 3);
		awaitEven(3, 60);
	}

	@Test
	void atRestTheFleetTakesLittleOfAProcessor() {
		awaitEven(3, 60);
		// On a slow machine, it takes the JVM longer to warm up
		await().pollDelay(Duration.ZERO).untilAsserted(() -> assertThat(processorShare()).isLessThan(0.15));
	}

	/**
	 * Return the share of a processor that this process takes in the next ten seconds:
	 * the time on processors, not the time that passes, so other processes make little
	 * difference. Much of it is what a JVM needs to warm up, and to track each buffer.
	 */
	private static double processorShare() {
		OperatingSystemMXBean system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
		long start = System.nanoTime();
		long before = system.getProcessCpuTime();
		await().pollDelay(Duration.ofSeconds(10)).until(() -> true);
		return (double) (system.getProcessCpuTime() - before) / (System.nanoTime() - start);
	}

	@Primary
	static class FailingBoard extends FleetBoard {

		private volatile int failures;

		@Override
		synchronized void update(Collection<FleetServer> servers, Collection<FleetClient> clients, int poolSize,
				boolean rolling) {
			if (this.failures < 3) {
				this.failures++;
				throw new IllegalStateException("Not yet");
			}
			super.update(servers, clients, poolSize, rolling);
		}

	}

}
