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

package io.callosum.client;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for what a pool guarantees: while nothing fails, joins or leaves, connections per
 * server differ by at most 2, or by at most 1 if only slots count, in any fleet.
 */
class PoolBalanceTests {

	private static final int FLEETS = Integer.getInteger("callosum.test.fleets", 40);

	private static final double[] EQUAL = { 1 };

	private static final double[] WEIGHTS = { 0.5, 1, 1.5, 2, 4 };

	@Test
	void connectionsPerServerDifferByAtMostTwoAtRest() {
		verifyFleets(Rules.Spread.SOFT, EQUAL, 1);
	}

	@Test
	void connectionsPerServerDifferByAtMostOneAtRestWithoutSpread() {
		verifyFleets(Rules.Spread.OFF, EQUAL, 0);
	}

	@Test
	void connectionsAreInProportionToTheWeightsAtRest() {
		verifyFleets(Rules.Spread.SOFT, WEIGHTS, 1);
	}

	@Test
	void connectionsAreInProportionToTheWeightsAtRestWithoutSpread() {
		verifyFleets(Rules.Spread.OFF, WEIGHTS, 0);
	}

	private void verifyFleets(Rules.Spread spread, double[] weights, int slack) {
		long seed = Long.getLong("callosum.test.seed", System.nanoTime());
		System.out.println("PoolBalanceTests: seed " + seed + ", " + spread + ", weights " + Arrays.toString(weights));
		SplittableRandom random = new SplittableRandom(seed);
		for (int fleet = 0; fleet < FLEETS; fleet++) {
			int poolSize = random.nextInt(1, 13);
			SimulatedServer[] servers = IntStream.range(0, random.nextInt(1, 13))
				.mapToObj((i) -> new SimulatedServer(i, weights[random.nextInt(weights.length)]))
				.toArray(SimulatedServer[]::new);
			VirtualTimers timers = new VirtualTimers();
			List<SimulatedClient> clients = new ArrayList<>();
			int size = random.nextInt(1, 31);
			Rules rules = Rules.DEFAULT.withSpread(spread);
			long latest = SimulatedClient.T.toNanos() * random.nextInt(1, 20);
			for (int i = 0; i < size; i++) {
				SimulatedClient client = new SimulatedClient(SimulatedClient.settings(poolSize, rules), timers,
						random.nextLong());
				clients.add(client);
				timers.schedule(() -> client.start(servers), random.nextLong(latest));
			}
			timers.advance(latest + SimulatedClient.T.toNanos() * 60 * Math.max(poolSize, servers.length));
			verifyBalance(servers, slack, "seed " + seed + ", fleet " + fleet + ": " + size + " clients, pool size "
					+ poolSize + ", " + servers.length + " servers");
			assertThat(Arrays.stream(servers).mapToInt((server) -> server.connections.size()).sum())
				.isEqualTo(size * poolSize);
			clients.forEach((client) -> client.pool.stop(true));
			assertThat(timers.size()).isZero();
			assertThat(servers).allSatisfy((server) -> assertThat(server.connections).isEmpty());
		}
	}

	/**
	 * Verify that no slot is more than the slack above the lowest slot that is free on
	 * any server. With equal servers, this limits the difference of their connections to
	 * the slack plus 1.
	 */
	private void verifyBalance(SimulatedServer[] servers, int slack, String fleet) {
		int highest = 0;
		int lowestFree = Integer.MAX_VALUE;
		int most = 0;
		int fewest = Integer.MAX_VALUE;
		boolean equal = true;
		for (SimulatedServer server : servers) {
			highest = Math.max(highest,
					server.connections.stream().mapToInt((connection) -> connection.slot).max().orElse(0));
			int free = server.allocate();
			lowestFree = Math.min(lowestFree, server.announced(free));
			server.release(free);
			most = Math.max(most, server.connections.size());
			fewest = Math.min(fewest, server.connections.size());
			equal &= server.announced(3) == 3;
		}
		assertThat(highest - lowestFree).as(fleet).isLessThanOrEqualTo(slack);
		if (equal) {
			assertThat(most - fewest).as(fleet).isLessThanOrEqualTo(slack + 1);
		}
	}

	@Test
	void aFleetOfAverageSizeIsEvenSoon() {
		SimulatedServer[] servers = IntStream.range(0, 10)
			.mapToObj(SimulatedServer::new)
			.toArray(SimulatedServer[]::new);
		VirtualTimers timers = new VirtualTimers();
		List<SimulatedClient> clients = new ArrayList<>();
		for (int i = 0; i < 40; i++) {
			clients.add(new SimulatedClient(SimulatedClient.settings(20), timers, i).start(servers));
		}
		timers.advance(Duration.ofMinutes(1));
		verifyBalance(servers, 1, "40 clients, pool size 20, 10 servers");
		clients.forEach((client) -> client.pool.stop(true));
	}

}
