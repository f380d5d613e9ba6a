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

import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;

import org.junit.jupiter.api.Test;

import io.callosum.client.SimulatedClient.SimulatedLease;
import io.callosum.client.SimulatedServer.Mode;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for the rules by which a pool chooses its connections, in virtual time.
 */
class PoolRulesTests {

	private static final Duration MOMENT = Duration.ofMillis(50);

	private static SimulatedServer[] servers(int number) {
		return IntStream.range(0, number).mapToObj(SimulatedServer::new).toArray(SimulatedServer[]::new);
	}

	private static Rules roveOnly() {
		return Rules.DEFAULT.withReturning(false).withJoining(false).withFollowing(false);
	}

	// Fill

	@Test
	void fillsUpAtOnceAndSpreadsOverTheServers() {
		SimulatedServer[] servers = servers(5);
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(10)).start(servers);
		client.advance(MOMENT);
		assertThat(client.slots()).hasSize(10);
		assertThat(servers).allSatisfy((server) -> assertThat(server.connections).hasSize(2));
		assertThat(client.maxDialsInFlight).isEqualTo(4);
		assertThat(client.maxDialsInFlightPerServer).isEqualTo(1);
		client.stopAndVerify();
	}

	@Test
	void fillsUpFromASingleServer() {
		SimulatedServer[] servers = servers(1);
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(10)).start(servers);
		client.advance(MOMENT);
		assertThat(client.slots()).containsExactly(0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
		client.stopAndVerify();
	}

	@Test
	void fillsUpFromVeryManyServersWithOneConnectionEach() {
		SimulatedServer[] servers = servers(1000);
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(10)).start(servers);
		client.advance(MOMENT);
		assertThat(servers).allSatisfy((server) -> assertThat(server.connections).hasSizeLessThanOrEqualTo(1));
		assertThat(client.slots()).hasSize(10);
		client.stopAndVerify();
	}

	@Test
	void fillsWhatThePeerClosesAtOnceIfItHadServed() {
		SimulatedServer[] servers = servers(1);
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(1)).start(servers);
		client.advance(MOMENT);
		client.acquire().release();
		servers[0].closeAll();
		client.advance(Duration.ofMillis(2));
		assertThat(client.slots()).hasSize(1);
		client.stopAndVerify();
	}

	@Test
	void leavesAServerAloneThatClosesConnectionsBeforeTheyServe() {
		SimulatedServer[] servers = servers(1);
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(3)).start(servers);
		for (int i = 0; i < 60_000; i++) {
			servers[0].closeAll();
			client.advance(Duration.ofMillis(1));
		}
		// 0.5 s, 0.8, 1.28, 2.05, 3.28, 5.24, 8.39, 13.4, 21.5, each 20 % more or less
		assertThat(servers[0].dials).isBetween(8, 30);
		client.stopAndVerify();
	}

	@Test
	void leavesAServerAloneWhereTheInitializerFails() {
		SimulatedServer[] servers = servers(1);
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(1));
		client.initializes = true;
		client.start(servers);
		for (int i = 0; i < 60_000; i++) {
			List.copyOf(servers[0].connections)
				.forEach((connection) -> connection.close(CloseReason.INITIALIZER_FAILED, new RuntimeException()));
			client.advance(Duration.ofMillis(1));
		}
		assertThat(servers[0].dials).isBetween(6, 12);
		client.stopAndVerify();
	}

	@Test
	void leavesAServerAloneThatServesButTakesNoNewConnections() {
		SimulatedServer[] servers = servers(1);
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(3)).start(servers);
		client.advance(MOMENT);
		servers[0].mode = Mode.REFUSING;
		servers[0].connections.get(0).peerCloses(CloseReason.PEER_CLOSED);
		int before = servers[0].dials;
		for (int i = 0; i < 20_000; i++) {
			client.acquire().release();
			client.advance(Duration.ofMillis(1));
		}
		assertThat(servers[0].dials - before).isBetween(5, 12);
		client.stopAndVerify();
	}

	@Test
	void isFullAgainWithoutACallerAfterAllServersWereDownForTenMinutes() {
		SimulatedServer[] servers = servers(3);
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(10)).start(servers);
		client.advance(MOMENT);
		for (SimulatedServer server : servers) {
			server.crash();
		}
		client.advance(Duration.ofMinutes(10));
		assertThat(client.slots()).isEmpty();
		for (SimulatedServer server : servers) {
			server.mode = Mode.UP;
		}
		client.advance(Duration.ofSeconds(37));
		assertThat(client.slots()).hasSize(10);
		client.stopAndVerify();
	}

	@Test
	void isFullAgainAlsoWithoutReturn() {
		SimulatedServer[] servers = servers(3);
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(10, roveOnly())).start(servers);
		client.advance(MOMENT);
		for (SimulatedServer server : servers) {
			server.crash();
		}
		client.advance(Duration.ofMinutes(10));
		for (SimulatedServer server : servers) {
			server.mode = Mode.UP;
		}
		client.advance(Duration.ofSeconds(37));
		assertThat(client.slots()).hasSize(10);
		client.stopAndVerify();
	}

	@Test
	void aServerThatHangsDoesNotKeepThePoolFromTheOthers() {
		SimulatedServer[] servers = servers(3);
		servers[0].mode = Mode.SILENT;
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(10)).start(servers);
		client.advance(MOMENT);
		assertThat(client.slots()).hasSizeGreaterThanOrEqualTo(9);
		client.advance(Duration.ofSeconds(3));
		assertThat(client.slots()).hasSize(10);
		client.stopAndVerify();
	}

	@Test
	void aDialThatThrowsAnErrorIsAFailedDial() {
		SimulatedServer[] servers = servers(1);
		VirtualTimers timers = new VirtualTimers();
		int[] dials = new int[1];
		ConnectionPool pool = new ConnectionPool(SimulatedClient.settings(1), (dial) -> {
			dials[0]++;
			throw new NoClassDefFoundError("x");
		}, timers, new java.util.SplittableRandom(1), new PoolObserver() {
		});
		pool.start();
		pool.servers(ServerList.of(List.of(servers[0].address)));
		timers.advance(Duration.ofSeconds(10));
		assertThat(dials[0]).isGreaterThan(3);
		assertThat(pool.snapshot().servers().get(0).lastFailure()).contains("NoClassDefFoundError");
		pool.stop(true);
		assertThat(timers.size()).isZero();
	}

	// Rove and Keep

	@Test
	void dialsOnceAnIntervalAtRest() {
		SimulatedServer[] servers = servers(10);
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(10)).start(servers);
		client.advance(Duration.ofMinutes(1));
		int before = client.dialled.size();
		client.advance(Duration.ofMinutes(60));
		assertThat(client.dialled.size() - before).isBetween(680, 760);
		assertThat(client.pool.pending()).isLessThanOrEqualTo(2);
		client.stopAndVerify();
	}

	@Test
	void keepsALowerSlotAndClosesTheHighest() {
		SimulatedServer[] servers = servers(2);
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(2, roveOnly()));
		servers[0].says = 7;
		servers[1].says = 9;
		client.start(servers);
		client.advance(MOMENT);
		assertThat(client.slots()).containsExactly(7, 9);
		servers[1].says = 3;
		while (client.slots().get(0) == 7) {
			client.advance(Duration.ofSeconds(1));
		}
		assertThat(client.slots()).containsExactly(3, 7);
		assertThat(client.news).anyMatch((line) -> line.endsWith("REPLACED"));
		assertThat(client.connections()).hasSize(2);
		client.stopAndVerify();
	}

	@Test
	void turnsDownAnEqualSlot() {
		SimulatedServer[] servers = servers(2);
		servers[0].says = 7;
		servers[1].says = 7;
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(2)).start(servers);
		client.advance(Duration.ofMinutes(5));
		assertThat(client.news).containsExactly("ready c1", "ready c2");
		client.stopAndVerify();
	}

	@Test
	void replacesAnIdleConnectionBeforeALeasedOneOfTheSameSlot() {
		SimulatedServer[] servers = servers(3);
		servers[0].says = 7;
		servers[1].says = 7;
		servers[2].says = 7;
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(3, roveOnly())).start(servers);
		client.advance(MOMENT);
		SimulatedLease leased1 = client.acquire();
		SimulatedLease leased2 = client.acquire();
		servers[0].says = 1;
		servers[1].says = 1;
		servers[2].says = 1;
		while (client.slots().get(0) == 7) {
			client.advance(Duration.ofSeconds(1));
		}
		assertThat(leased1.connection().isOpen()).isTrue();
		assertThat(leased2.connection().isOpen()).isTrue();
		assertThat(client.snapshot().members()).noneMatch(ClientSnapshot.Member::retiring);
		client.stopAndVerify();
	}

	@Test
	void aLeasedConnectionThatIsReplacedRetiresAndIsClosedAtItsRelease() {
		SimulatedServer[] servers = servers(1);
		servers[0].says = 7;
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(1)).start(servers);
		client.advance(MOMENT);
		SimulatedLease lease = client.acquire();
		servers[0].says = 6;
		client.advance(Duration.ofMinutes(1));
		assertThat(client.slots()).containsExactly(6);
		assertThat(lease.connection().isOpen()).isTrue();
		assertThat(client.snapshot().members()).hasSize(2);
		lease.release();
		assertThat(lease.connection().closeReason).isEqualTo(CloseReason.REPLACED);
		assertThat(client.snapshot().members()).hasSize(1);
		client.stopAndVerify();
	}

	@Test
	void theDeathOfARetiringConnectionChangesNothing() {
		SimulatedServer[] servers = servers(1);
		servers[0].says = 7;
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(1, roveOnly())).start(servers);
		client.advance(MOMENT);
		SimulatedLease lease = client.acquire();
		servers[0].says = 6;
		client.advance(Duration.ofMinutes(1));
		lease.connection().answered = true;
		lease.connection().peerCloses(CloseReason.PEER_RESET);
		assertThat(client.slots()).containsExactly(6);
		int dials = client.dialled.size();
		client.advance(Duration.ofSeconds(3));
		assertThat(client.dialled.size() - dials).isLessThanOrEqualTo(1);
		lease.release();
		client.stopAndVerify();
	}

	// Lease

	@Test
	void lowestSlotLeasesTheIdleConnectionWithTheLowestSlot() {
		SimulatedServer[] servers = servers(2);
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(4)).start(servers);
		client.advance(MOMENT);
		assertThat(List.of(client.acquire(), client.acquire(), client.acquire(), client.acquire()))
			.extracting((lease) -> lease.connection().slot)
			.containsExactly(0, 0, 1, 1);
		client.stopAndVerify();
	}

	@Test
	void balancedLeasesWhereLatencyTimesLeasesIsLeast() {
		SimulatedServer[] servers = servers(2);
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(6, LeasePolicy.BALANCED)).start(servers);
		client.advance(MOMENT);
		// Unknown servers first: each gets one lease
		Map<InetSocketAddress, SimulatedLease> first = new HashMap<>();
		for (int i = 0; i < 2; i++) {
			SimulatedLease lease = client.acquire();
			assertThat(lease.connection().slot).isZero();
			first.put(lease.member.server.address, lease);
		}
		assertThat(first).hasSize(2);
		client.advance(Duration.ofMillis(10));
		first.get(servers[0].address).release();
		client.advance(Duration.ofMillis(15));
		first.get(servers[1].address).release();
		// 10 ms against 25 ms: 10, 20, then 25 before 30, then 30 before 50
		List<SimulatedLease> leases = new ArrayList<>();
		for (int i = 0; i < 4; i++) {
			leases.add(client.acquire());
		}
		assertThat(leases).extracting((lease) -> lease.member.server.address)
			.containsExactly(servers[0].address, servers[0].address, servers[1].address, servers[0].address);
		assertThat(leases).extracting((lease) -> lease.connection().slot).containsExactly(0, 1, 0, 2);
		client.stopAndVerify();
	}

	@Test
	void balancedTakesAPeakOfTheLatencyAtOnceAndForgetsItSlowly() {
		SimulatedServer[] servers = servers(2);
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(2, LeasePolicy.BALANCED)).start(servers);
		client.advance(MOMENT);
		SimulatedLease slow = client.acquire();
		SimulatedLease fast = client.acquire();
		client.advance(Duration.ofMillis(10));
		fast.release();
		client.advance(Duration.ofMillis(90));
		slow.release();
		for (int i = 0; i < 20; i++) {
			SimulatedLease lease = client.acquire();
			assertThat(lease.member.server).isSameAs(fast.member.server);
			client.advance(Duration.ofMillis(10));
			lease.release();
		}
		// Eventually, the slow one is tried again
		int leases = 0;
		SimulatedLease lease = client.acquire();
		while (lease.member.server == fast.member.server) {
			client.advance(Duration.ofMillis(10));
			lease.release();
			lease = client.acquire();
			assertThat(++leases).isLessThan(10_000);
		}
		client.stopAndVerify();
	}

	// Spread

	@Test
	void prefersAnEvenShareButYieldsToAGainOfTwo() {
		SimulatedServer[] servers = servers(2);
		servers[0].says = 5;
		servers[1].says = 5;
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(2, roveOnly())).start(servers);
		client.advance(MOMENT);
		servers[0].says = 4;
		client.advance(Duration.ofMinutes(5));
		// The connection to that server was replaced, but not the other one
		assertThat(client.slots()).containsExactly(4, 5);
		servers[0].says = 3;
		client.advance(Duration.ofMinutes(5));
		assertThat(client.slots()).containsExactly(3, 3);
		client.stopAndVerify();
	}

	@Test
	void withoutSpreadOnlySlotsCount() {
		SimulatedServer[] servers = servers(2);
		servers[0].says = 5;
		servers[1].says = 5;
		SimulatedClient client = new SimulatedClient(
				SimulatedClient.settings(2, roveOnly().withSpread(Rules.Spread.OFF)))
			.start(servers);
		client.advance(MOMENT);
		servers[0].says = 4;
		client.advance(Duration.ofMinutes(5));
		assertThat(client.slots()).containsExactly(4, 4);
		client.stopAndVerify();
	}

	@Test
	void withHardSpreadTheShareIsALimit() {
		SimulatedServer[] servers = servers(2);
		servers[0].says = 5;
		servers[1].says = 5;
		SimulatedClient client = new SimulatedClient(
				SimulatedClient.settings(2, roveOnly().withSpread(Rules.Spread.HARD)))
			.start(servers);
		client.advance(MOMENT);
		servers[0].says = 1;
		client.advance(Duration.ofMinutes(5));
		assertThat(client.slots()).containsExactly(1, 5);
		client.stopAndVerify();
	}

	@Test
	void theShareIsOfTheServersThatCanBeReached() {
		SimulatedServer[] servers = servers(2);
		servers[1].mode = Mode.REFUSING;
		servers[0].says = 5;
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(2)).start(servers);
		client.advance(MOMENT);
		assertThat(client.slots()).containsExactly(5, 5);
		servers[0].says = 4;
		client.advance(Duration.ofMinutes(1));
		assertThat(client.slots()).containsExactly(4, 4);
		client.stopAndVerify();
	}

	// Return and Follow

	@Test
	void returnsToARestartedServerAndBringsBackWhatWasLost() {
		SimulatedServer[] servers = servers(10);
		SimulatedClient[] clients = IntStream.range(0, 30)
			.mapToObj((i) -> new SimulatedClient(SimulatedClient.settings(20), new VirtualTimers(), i))
			.toArray(SimulatedClient[]::new);
		Arrays.stream(clients).forEach((client) -> client.start(servers));
		advance(clients, Duration.ofMinutes(10));
		assertThat(servers).allSatisfy((server) -> assertThat(server.connections.size()).isBetween(59, 61));
		servers[0].crash();
		advance(clients, Duration.ofSeconds(5));
		assertThat(servers[0].connections).isEmpty();
		servers[0].mode = Mode.UP;
		advance(clients, Duration.ofSeconds(10));
		assertThat(servers[0].connections.size()).isBetween(54, 66);
		Arrays.stream(clients).forEach(SimulatedClient::stopAndVerify);
	}

	@Test
	void withoutReturnARestartedServerWaitsForRovers() {
		SimulatedServer[] servers = servers(10);
		SimulatedClient[] clients = IntStream.range(0, 30)
			.mapToObj((i) -> new SimulatedClient(SimulatedClient.settings(20, roveOnly()), new VirtualTimers(), i))
			.toArray(SimulatedClient[]::new);
		Arrays.stream(clients).forEach((client) -> client.start(servers));
		advance(clients, Duration.ofMinutes(10));
		servers[0].crash();
		advance(clients, Duration.ofSeconds(5));
		servers[0].mode = Mode.UP;
		advance(clients, Duration.ofSeconds(10));
		assertThat(servers[0].connections.size()).isLessThan(30);
		Arrays.stream(clients).forEach(SimulatedClient::stopAndVerify);
	}

	@Test
	void clientsWhoseConnectionsAllDieAtOnceComeBackSpreadOut() {
		SimulatedServer[] servers = servers(3);
		SimulatedClient[] clients = IntStream.range(0, 300)
			.mapToObj((i) -> new SimulatedClient(SimulatedClient.settings(10), new VirtualTimers(), i))
			.toArray(SimulatedClient[]::new);
		Arrays.stream(clients).forEach((client) -> client.start(servers));
		advance(clients, Duration.ofSeconds(10));
		for (SimulatedServer server : servers) {
			server.closeAll();
		}
		int[] before = Arrays.stream(servers).mapToInt((server) -> server.dials).toArray();
		int most = 0;
		for (int i = 0; i < 70; i++) {
			int sum = Arrays.stream(servers).mapToInt((server) -> server.dials).sum();
			advance(clients, Duration.ofMillis(10));
			most = Math.max(most, Arrays.stream(servers).mapToInt((server) -> server.dials).sum() - sum);
		}
		int all = Arrays.stream(servers).mapToInt((server) -> server.dials).sum() - Arrays.stream(before).sum();
		assertThat(all).isGreaterThan(2000);
		assertThat(most).isLessThan(all / 5);
		assertThat(clients).allSatisfy((client) -> {
			assertThat(client.maxDialsInFlightPerServer).isEqualTo(1);
			assertThat(client.slots()).hasSize(10);
			client.stopAndVerify();
		});
	}

	private static void advance(SimulatedClient[] clients, Duration duration) {
		long step = Duration.ofMillis(5).toNanos();
		for (long nanos = 0; nanos < duration.toNanos(); nanos += step) {
			for (SimulatedClient client : clients) {
				client.timers.advance(step);
			}
		}
	}

	// Join

	@Test
	void dialsANewServerTwiceItsShareWithinTenSeconds() {
		SimulatedServer[] servers = servers(5);
		SimulatedServer[] four = Arrays.copyOf(servers, 4);
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(10)).start(four);
		for (SimulatedServer server : four) {
			server.says = 5;
		}
		servers[4].says = 9;
		client.advance(MOMENT);
		client.servers(servers);
		client.advance(Duration.ofSeconds(11));
		assertThat(servers[4].dials).isBetween(4, 7);
		client.stopAndVerify();
	}

	@Test
	void aNewServerGetsItsShareByJoinAndFollow() {
		SimulatedServer[] servers = servers(5);
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(20)).start(Arrays.copyOf(servers, 4));
		client.advance(Duration.ofMinutes(1));
		client.servers(servers);
		client.advance(Duration.ofSeconds(12));
		assertThat(servers[4].connections).hasSize(4);
		client.stopAndVerify();
	}

	@Test
	void anEmptyListChangesNothing() {
		SimulatedServer[] servers = servers(2);
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(4)).start(servers);
		client.advance(MOMENT);
		client.servers();
		client.advance(MOMENT);
		assertThat(client.slots()).hasSize(4);
		assertThat(client.snapshot().servers()).hasSize(2);
		client.stopAndVerify();
	}

	@Test
	void aServerThatLeavesTheListLosesItsIdleConnectionsAndKeepsTheLeasedOne() {
		SimulatedServer[] servers = servers(2);
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(4)).start(servers);
		client.advance(MOMENT);
		SimulatedLease lease = client.acquire();
		SimulatedServer gone = lease.connection().server;
		SimulatedServer left = (gone == servers[0]) ? servers[1] : servers[0];
		client.servers(left);
		client.advance(Duration.ofMinutes(1));
		assertThat(gone.connections).containsExactly(lease.connection());
		assertThat(left.connections).hasSize(4);
		int dials = gone.dials;
		client.advance(Duration.ofMinutes(10));
		assertThat(gone.dials).isEqualTo(dials);
		lease.release();
		assertThat(lease.connection().closeReason).isEqualTo(CloseReason.SERVER_REMOVED);
		client.stopAndVerify();
	}

	@Test
	void aDialInFlightToAServerThatLeavesTheListIsGivenUp() {
		SimulatedServer[] servers = servers(2);
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(2)).start(servers);
		assertThat(client.dialsInFlight).isEqualTo(2);
		PendingDial dial = client.dialled.stream()
			.filter((candidate) -> candidate.server().equals(servers[0].address))
			.findFirst()
			.orElseThrow();
		client.servers(servers[1]);
		assertThat(client.dialsInFlight).isEqualTo(1);
		SimulatedConnection late = new SimulatedConnection(servers[0], "late", false);
		assertThat(dial.connected(late, 0)).isNull();
		client.stopAndVerify();
	}

	// Eject

	@Test
	void ejectsAServerThatFailsThreeTimesInARowAndComesBack() {
		SimulatedServer[] servers = servers(3);
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(6)).start(servers);
		client.advance(MOMENT);
		for (int i = 0; i < 3; i++) {
			SimulatedLease lease = leaseAt(client, servers[0]);
			lease.discard(new RuntimeException("Nonsense"));
			client.advance(Duration.ofSeconds(2));
		}
		assertThat(client.news).contains("ejected server0");
		client.stopAndVerify();
	}

	private static SimulatedLease leaseAt(SimulatedClient client, SimulatedServer server) {
		List<SimulatedLease> others = new java.util.ArrayList<>();
		try {
			for (int i = 0; i < 100; i++) {
				SimulatedLease lease = client.acquire(Duration.ZERO);
				if (lease.member == null) {
					others.forEach(SimulatedLease::release);
					others.clear();
					client.advance(Duration.ofSeconds(1));
				}
				else if (lease.connection().server == server) {
					return lease;
				}
				else {
					others.add(lease);
				}
			}
			throw new IllegalStateException("No connection to " + server.address);
		}
		finally {
			others.forEach(SimulatedLease::release);
		}
	}

	@Test
	void anEjectedServerHasNoIdleConnectionsAndGetsNoDialForASecond() {
		SimulatedServer[] servers = servers(3);
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(12)).start(servers);
		client.advance(MOMENT);
		SimulatedLease held = leaseAt(client, servers[0]);
		for (int i = 0; i < 2; i++) {
			leaseAt(client, servers[0]).discard(new RuntimeException("Nonsense"));
		}
		held.connection().server.connections.stream()
			.filter((connection) -> connection != held.connection())
			.toList()
			.forEach((connection) -> connection.close(CloseReason.UNSOLICITED, null));
		assertThat(client.news).contains("ejected server0");
		assertThat(servers[0].connections).containsExactly(held.connection());
		assertThat(state(client, 0)).isEqualTo(ClientSnapshot.Server.State.EJECTED);
		int dials = servers[0].dials;
		client.advance(Duration.ofMillis(790));
		assertThat(servers[0].dials).isEqualTo(dials);
		client.advance(Duration.ofMillis(420));
		assertThat(client.news).contains("restored server0");
		held.release();
		assertThat(held.connection().closeReason).isEqualTo(CloseReason.SERVER_EJECTED);
		client.stopAndVerify();
	}

	@Test
	void ejectionsOfOneServerGrowLonger() {
		SimulatedServer[] servers = servers(3);
		servers[0].mode = Mode.SILENT;
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(6)).start(servers);
		client.advance(Duration.ofHours(1));
		long ejections = client.news.stream().filter("ejected server0"::equals).count();
		// Each is 1.6 times as long, up to two minutes, plus seconds for three failures
		assertThat(ejections).isBetween(20L, 45L);
		client.stopAndVerify();
	}

	@Test
	void aReleasedLeaseEndsTheRowOfFailures() {
		SimulatedServer[] servers = servers(3);
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(6)).start(servers);
		client.advance(MOMENT);
		for (int i = 0; i < 10; i++) {
			leaseAt(client, servers[0]).discard(new RuntimeException("Nonsense"));
			client.advance(Duration.ofSeconds(40));
			leaseAt(client, servers[0]).release();
		}
		assertThat(client.news).noneMatch((line) -> line.startsWith("ejected"));
		client.stopAndVerify();
	}

	@Test
	void failuresFarApartAreNoRow() {
		SimulatedServer[] servers = servers(3);
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(6)).start(servers);
		client.advance(MOMENT);
		for (int i = 0; i < 10; i++) {
			SimulatedLease lease;
			do {
				lease = client.acquire();
				if (lease.connection().server != servers[0]) {
					lease.discard(null);
					client.advance(Duration.ofSeconds(1));
				}
			}
			while (lease.connection().server != servers[0]);
			lease.discard(new RuntimeException("Nonsense"));
			client.advance(Duration.ofSeconds(121));
		}
		assertThat(client.news).noneMatch((line) -> line.startsWith("ejected"));
		client.stopAndVerify();
	}

	@Test
	void neverEjectsTheLastServerNorMoreThanHalf() {
		SimulatedServer[] servers = servers(4);
		for (SimulatedServer server : servers) {
			server.mode = Mode.SILENT;
		}
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(6)).start(servers);
		for (int i = 0; i < 1000; i++) {
			client.advance(Duration.ofMillis(500));
			assertThat(client.snapshot().servers())
				.filteredOn((server) -> server.state() == ClientSnapshot.Server.State.EJECTED)
				.hasSizeLessThanOrEqualTo(2);
		}
		client.stopAndVerify();
		SimulatedServer[] one = servers(1);
		SimulatedClient other = new SimulatedClient(SimulatedClient.settings(2)).start(one);
		other.advance(MOMENT);
		for (int i = 0; i < 10; i++) {
			leaseAt(other, one[0]).discard(new RuntimeException("Nonsense"));
		}
		assertThat(other.news).noneMatch((line) -> line.startsWith("ejected"));
		other.stopAndVerify();
	}

	@Test
	void anAcquireIsBlamedOnAServerThatCannotBeReachedUntilItIsFineAgain() {
		SimulatedServer[] servers = servers(2);
		servers[1].mode = Mode.REFUSING;
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(1)).start(servers);
		client.advance(Duration.ofMinutes(10));
		SimulatedClient.SimulatedLease lease = client.acquire();
		assertThat(failureOfAcquire(client)).hasCauseInstanceOf(Exception.class);
		servers[1].mode = Mode.UP;
		client.advance(Duration.ofMinutes(1));
		assertThat(failureOfAcquire(client)).hasNoCause();
		lease.release();
		client.stopAndVerify();
	}

	@Test
	void anAcquireIsBlamedOnAnInitializerThatFailedWhileTheNextOneRuns() {
		SimulatedServer[] servers = servers(1);
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(1));
		client.initializes = true;
		client.start(servers);
		client.advance(MOMENT);
		RuntimeException denied = new RuntimeException("denied");
		servers[0].connections.get(0).close(CloseReason.INITIALIZER_FAILED, denied);
		// Roving continues in the meantime
		client.advance(Duration.ofMinutes(1));
		assertThat(failureOfAcquire(client)).hasCause(denied);
		client.stopAndVerify();
	}

	private static LeaseUnavailableException failureOfAcquire(SimulatedClient client) {
		SimulatedClient.SimulatedLease waiting = client.acquire(Duration.ofMillis(100));
		client.advance(Duration.ofSeconds(1));
		return waiting.failure;
	}

	@Test
	void aServerThatCannotBeReachedIsNotEjected() {
		SimulatedServer[] servers = servers(3);
		servers[0].mode = Mode.REFUSING;
		SimulatedClient client = new SimulatedClient(SimulatedClient.settings(6)).start(servers);
		client.advance(Duration.ofMinutes(10));
		assertThat(client.news).contains("unreachable server0").doesNotContain("ejected server0");
		assertThat(client.news.stream().filter("unreachable server0"::equals)).hasSize(1);
		assertThat(state(client, 0)).isEqualTo(ClientSnapshot.Server.State.UNREACHABLE);
		assertThat(client.snapshot().servers().get(0).lastFailure()).contains("refused");
		servers[0].mode = Mode.UP;
		client.advance(Duration.ofSeconds(40));
		assertThat(client.news).contains("restored server0");
		assertThat(state(client, 0)).isEqualTo(ClientSnapshot.Server.State.REACHABLE);
		client.stopAndVerify();
	}

	private static ClientSnapshot.Server.State state(SimulatedClient client, int index) {
		return client.snapshot().servers().get(index).state();
	}

	// Age

	@Test
	void replacesWhatIsTooOldOneByOneAndDialsTheReplacementFirst() {
		SimulatedServer[] servers = servers(2);
		PoolSettings settings = SimulatedClient.settings(4);
		SimulatedClient client = new SimulatedClient(new PoolSettings(settings.name(), 4, 4, settings.rovingNanos(),
				1000, LeasePolicy.LOWEST_SLOT, null, Duration.ofMinutes(10).toNanos(), settings.rules()))
			.start(servers);
		client.advance(MOMENT);
		client.advance(Duration.ofMinutes(9).minus(MOMENT));
		assertThat(client.news).hasSize(4);
		for (int i = 0; i < 60_000; i++) {
			client.advance(Duration.ofMillis(1));
			assertThat(client.slots()).hasSize(4);
		}
		client.advance(MOMENT);
		assertThat(client.news.stream().filter((line) -> line.endsWith("AGED"))).hasSize(4);
		client.stopAndVerify();
	}

	@Test
	void theReplacementOfAnOldConnectionIsAwaitedAlsoIfItTakesLong() {
		SimulatedServer[] servers = servers(1);
		PoolSettings settings = SimulatedClient.settings(1);
		SimulatedClient client = new SimulatedClient(new PoolSettings(settings.name(), 1, 4, settings.rovingNanos(),
				1000, LeasePolicy.LOWEST_SLOT, null, Duration.ofMinutes(1).toNanos(), settings.rules()))
			.start(servers);
		client.advance(MOMENT);
		servers[0].mode = Mode.REFUSING;
		client.advance(Duration.ofMinutes(5));
		assertThat(client.slots()).hasSize(1);
		servers[0].mode = Mode.UP;
		client.advance(Duration.ofSeconds(40));
		assertThat(client.news.stream().filter((line) -> line.endsWith("AGED"))).hasSize(1);
		assertThat(client.slots()).hasSize(1);
		client.stopAndVerify();
	}

}
