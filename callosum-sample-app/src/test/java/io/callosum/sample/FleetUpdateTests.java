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
 * Makes updates of the fleet fail, and measures how much of a processor updates take.
 */
class FleetUpdateTests extends AbstractFleetTests {

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
