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

package io.callosum.server;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;

import javax.net.ssl.SSLSocket;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Mono;

import io.callosum.server.faults.Requirement;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

/**
 * Tests for the limits on who may connect and how many.
 */
@ParameterizedClass
@EnumSource
class ConnectionLimitsTests {

	@Parameter
	Transport transport;

	private final List<RefusalReason> refused = new CopyOnWriteArrayList<>();

	private final CallosumMetricsRecorder metrics = new CallosumMetricsRecorder() {

		@Override
		public void refused(RefusalReason reason) {
			ConnectionLimitsTests.this.refused.add(reason);
		}

	};

	// How many

	@Test
	void oneTooManyIsClosedWithoutAByteAndCounted() {
		try (TestServer server = limited(2).start()) {
			TestClient first = server.connect();
			assertThat(first.readSlot()).isZero();
			assertThat(server.connect().readSlot()).isOne();
			for (int i = 0; i < 20; i++) {
				assertThat(server.connect().isRefused()).isTrue();
			}
			TestServer.await("refusals", () -> assertThat(this.refused).hasSize(20));
			assertThat(this.refused).containsOnly(RefusalReason.MAX_CONNECTIONS);
			assertThat(server.events().of(SlotRequestEvent.class)).hasSize(2);
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
			assertThat(server.warnings()).singleElement().asString().contains("callosum.server.max-connections ");
			first.close();
			verifyPlace(server);
		}
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void oneTooManyOfAnAddressIsClosedAndTheOthersAreNot(boolean secure) throws IOException {
		try (TestServer server = TestServer
			.create(Link.of(this.transport, secure),
					(builder) -> builder.metricsRecorder(this.metrics).maxConnectionsPerAddress(2))
			.start()) {
			for (String address : new String[] { "127.0.0.2", "127.0.0.3" }) {
				assertThat(connectFrom(server, address, secure).readLine()).endsWith("\r\n");
				TestClient second = connectFrom(server, address, secure);
				assertThat(second.readLine()).endsWith("\r\n");
				assertThat(connectFrom(server, address, secure).isRefused()).isTrue();
				assertThat(connectFrom(server, address, secure).isRefused()).isTrue();
				second.close();
				TestServer.await("a place", () -> {
					TestClient third = connectFrom(server, address, secure);
					assertThat(third.readLine()).endsWith("\r\n");
				});
			}
			// The others are refused before the handshake and the slot request
			TestServer.await("three of each address",
					() -> assertThat(server.events().of(ConnectionEvent.class)).hasSize(6));
			assertThat(server.events().of(SlotRequestEvent.class)).hasSize(6);
			assertThat(this.refused).containsOnly(RefusalReason.MAX_CONNECTIONS_PER_ADDRESS);
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
			assertThat(server.warnings()).singleElement()
				.asString()
				.contains("127.0.0.2")
				.contains("callosum.server.max-connections-per-address");
		}
	}

	@Test
	void oneThatItsAddressRefusesTakesNoPlaceOfOthers() throws IOException {
		try (TestServer server = TestServer
			.create(this.transport, (builder) -> builder.maxConnections(2).maxConnectionsPerAddress(1))
			.start()) {
			assertThat(connectFrom(server, "127.0.0.2").readSlot()).isZero();
			for (int i = 0; i < 10; i++) {
				assertThat(connectFrom(server, "127.0.0.2").isRefused()).isTrue();
			}
			assertThat(connectFrom(server, "127.0.0.3").readSlot()).isOne();
			// A connection that the total limit refuses does not count towards its
			// address
			TestClient refused = connectFrom(server, "127.0.0.4");
			assertThat(refused.isRefused()).isTrue();
			server.server().connections().iterator().next().close();
			TestServer.await("a place", () -> assertThat(connectFrom(server, "127.0.0.4").readLine()).endsWith("\r\n"));
		}
	}

	@Test
	void aPlaceComesBackFromOneThatIsRefusedASlot() {
		try (TestServer server = limited(1)) {
			server.events().on(SlotRequestEvent.class, (event) -> event.reject(new NoSlotAvailableException("none")));
			server.start();
			for (int i = 1; i <= 20; i++) {
				int requests = i;
				TestServer.await("request " + i, () -> {
					assertThat(server.connect().isRefused()).isTrue();
					assertThat(server.events().of(SlotRequestEvent.class)).hasSize(requests);
				});
			}
		}
	}

	@Test
	void aPlaceComesBackWhenThePeerLeavesBeforeItsSlotComesAndOnlyOnce() {
		List<CompletableFuture<Integer>> answers = new CopyOnWriteArrayList<>();
		try (TestServer server = limited(2)) {
			server.events().on(SlotRequestEvent.class, (event) -> {
				CompletableFuture<Integer> answer = new CompletableFuture<>();
				answers.add(answer);
				event.assign(Mono.fromFuture(answer));
			});
			server.start();
			for (int i = 1; i <= 10; i++) {
				int requests = i;
				TestServer.await("request " + i, () -> {
					server.connect();
					assertThat(answers).hasSizeGreaterThanOrEqualTo(requests);
				});
				TestClient last = server.connect();
				last.close();
				server.closeClients();
				TestServer.await("the place of " + i,
						() -> assertThat(this.refused).filteredOn((reason) -> reason == RefusalReason.CONNECTION_GONE)
							.hasSizeGreaterThanOrEqualTo(requests));
			}
			// These late answers must not release a place a second time
			int slot = 0;
			for (CompletableFuture<Integer> answer : answers) {
				answer.complete(slot++);
			}
			int freed = slot;
			TestServer.await("late slots", () -> assertThat(server.events().of(SlotFreeEvent.class)).hasSize(freed));
			server.awaitAccepted().verifyNothingLeft();
			int before = answers.size();
			server.connect();
			server.connect();
			TestServer.await("two requests", () -> assertThat(answers).hasSize(before + 2));
			long refusedBefore = refusals(RefusalReason.MAX_CONNECTIONS);
			assertThat(server.connect().isRefused()).isTrue();
			TestServer.await("the refusal",
					() -> assertThat(refusals(RefusalReason.MAX_CONNECTIONS)).isEqualTo(refusedBefore + 1));
			answers.get(before).complete(0);
			answers.get(before + 1).complete(1);
		}
	}

	@Test
	void aPlaceIsTakenUntilTheListenersOfSlotFreeEventHaveReturned() {
		CompletableFuture<Void> returned = new CompletableFuture<>();
		try (TestServer server = limited(1)) {
			server.events().on(SlotFreeEvent.class, (event) -> returned.join());
			server.start();
			TestClient client = server.connect();
			assertThat(client.readSlot()).isZero();
			client.close();
			TestServer.await("SlotFreeEvent", () -> assertThat(server.events().of(SlotFreeEvent.class)).hasSize(1));
			assertThat(server.connect().isRefused()).isTrue();
			returned.complete(null);
			verifyPlace(server);
		}
	}

	@Test
	void aStormOfClientsNeverExceedsTheLimitAndLeavesEveryPlaceFree() {
		try (TestServer server = limited(5)) {
			List<Integer> open = new CopyOnWriteArrayList<>();
			server.events().on(ConnectionEvent.class, (event) -> open.add(server.server().connections().size()));
			server.start();
			List<Thread> threads = new ArrayList<>();
			for (int i = 0; i < 8; i++) {
				Thread thread = new Thread(() -> {
					for (int j = 0; j < 50; j++) {
						try (TestClient client = new TestClient(server.server().address())) {
							client.read();
						}
					}
				});
				thread.start();
				threads.add(thread);
			}
			threads.forEach(ConnectionLimitsTests::join);
			server.verifyNothingLeft();
			assertThat(open).allSatisfy((number) -> assertThat(number).isBetween(1, 5));
			List<TestClient> clients = new ArrayList<>();
			for (int i = 0; i < 5; i++) {
				TestClient client = server.connect();
				assertThat(client.readSlot()).isEqualTo(i);
				clients.add(client);
			}
			assertThat(server.connect().isRefused()).isTrue();
		}
	}

	// Who

	@ParameterizedTest
	@ValueSource(strings = { "127.0.0.1", "127.0.0.0/8", "10.0.0.0/8,127.0.0.1/32", "0.0.0.0/0", "::ffff:127.0.0.1",
			"::ffff:127.0.0.0/104" })
	void anAllowedAddressConnects(String allowed) {
		try (TestServer server = allowing(Link.plain(this.transport), allowed).start()) {
			assertThat(server.connect().readSlot()).isZero();
		}
	}

	@ParameterizedTest
	@ValueSource(strings = { "127.0.0.2", "10.0.0.0/8", "::1", "::/0", "127.0.0.128/25" })
	void anyOtherAddressIsClosedWithoutAByteAndCounted(String allowed) {
		verifyNotAllowed(allowed, false);
	}

	@Test
	void anyOtherAddressIsClosedBeforeAHandshake() {
		verifyNotAllowed("127.0.0.2", true);
	}

	private void verifyNotAllowed(String allowed, boolean secure) {
		try (TestServer server = allowing(Link.of(this.transport, secure), allowed).start()) {
			for (int i = 0; i < 5; i++) {
				TestClient client = server.connect();
				assertThat(client.isRefused()).isTrue();
				if (secure) {
					verifyNoHandshake(client);
				}
			}
			TestServer.await("refusals", () -> assertThat(this.refused).hasSize(5));
			assertThat(this.refused).containsOnly(RefusalReason.ADDRESS_NOT_ALLOWED);
			server.server().stop();
			assertThat(server.events().all()).noneMatch(SlotRequestEvent.class::isInstance)
				.noneMatch(ServerErrorEvent.class::isInstance);
			assertThat(server.warnings()).singleElement()
				.asString()
				.contains("127.0.0.1")
				.contains("callosum.server.allowed-addresses");
		}
	}

	private static void verifyNoHandshake(TestClient client) {
		assertThat(((SSLSocket) client.socket()).getSession().getCipherSuite()).isEqualTo("SSL_NULL_WITH_NULL_NULL");
	}

	@Test
	void aServerOnEveryAddressKnowsIpv4ClientsByTheirIpv4Address() {
		try (TestServer server = TestServer
			.create(this.transport,
					(builder) -> builder.host(null)
						.metricsRecorder(this.metrics)
						.maxConnectionsPerAddress(1)
						.allowedAddresses(List.of("127.0.0.1")))
			.start()) {
			TestClient client = server.connect();
			assertThat(client.readSlot()).isZero();
			assertThat(server.connect().isRefused()).isTrue();
			TestServer.await("the refusal",
					() -> assertThat(this.refused).containsExactly(RefusalReason.MAX_CONNECTIONS_PER_ADDRESS));
		}
	}

	@ParameterizedTest
	@ValueSource(strings = { "::1", "::/64", "[::1]/128", "::/0" })
	void anAllowedIpv6AddressConnects(String allowed) throws IOException {
		verifyIpv6(allowed, true);
	}

	@ParameterizedTest
	@ValueSource(strings = { "fd00::/8", "::2", "127.0.0.1", "0.0.0.0/0" })
	void anyOtherIpv6AddressIsClosed(String allowed) throws IOException {
		verifyIpv6(allowed, false);
	}

	private void verifyIpv6(String allowed, boolean connects) throws IOException {
		InetAddress loopback = InetAddress.getByName("::1");
		Requirement.met(isUsable(loopback), "IPv6");
		try (TestServer server = TestServer
			.create(this.transport, (builder) -> builder.host(null).allowedAddresses(List.of(allowed)))
			.start()) {
			Socket socket = new Socket();
			socket.connect(new InetSocketAddress(loopback, server.server().address().getPort()));
			TestClient client = server.connect(socket);
			assertThat(client.isRefused()).isEqualTo(!connects);
		}
	}

	private static boolean isUsable(InetAddress address) {
		try (ServerSocket socket = new ServerSocket(0, 1, address)) {
			return socket.isBound();
		}
		catch (IOException ex) {
			return false;
		}
	}

	@ParameterizedTest
	@ValueSource(strings = { "", "localhost", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0/8", "::1/129", "/8",
			"::ffff:127.0.0.1/95", "10.0.0.0/8/8" })
	void whatIsNoAddressIsRejected(String allowed) {
		assertThatIllegalArgumentException()
			.isThrownBy(() -> CallosumServer.builder().allowedAddresses(List.of(allowed)))
			.withMessageContaining("'" + allowed + "' is not an IP address or a range in CIDR notation");
	}

	@Test
	void theAddressesOfAnIpv6NetworkCountTogether() throws IOException {
		ConnectionLimits limits = new ConnectionLimits(
				new ServerSettings(CallosumServer.builder().maxConnectionsPerAddress(2).draft));
		SocketAddress first = address("2001:db8::1");
		assertThat(limits.admit(first)).isNull();
		assertThat(limits.admit(address("2001:db8::ffff:1:2:3"))).isNull();
		assertThat(limits.admit(address("2001:db8::2"))).isEqualTo(RefusalReason.MAX_CONNECTIONS_PER_ADDRESS);
		assertThat(limits.admit(address("2001:db8:0:1::2"))).isNull();
		limits.release(first);
		assertThat(limits.admit(address("2001:db8::3"))).isNull();
		assertThat(limits.admit(address("2001:db8::4"))).isEqualTo(RefusalReason.MAX_CONNECTIONS_PER_ADDRESS);
	}

	private static SocketAddress address(String address) throws IOException {
		return new InetSocketAddress(InetAddress.getByName(address), 1);
	}

	private long refusals(RefusalReason reason) {
		return this.refused.stream().filter(reason::equals).count();
	}

	private TestServer limited(int maxConnections) {
		return TestServer.create(this.transport,
				(builder) -> builder.metricsRecorder(this.metrics).maxConnections(maxConnections));
	}

	private TestServer allowing(Link link, String allowed) {
		return TestServer.create(link,
				(builder) -> builder.metricsRecorder(this.metrics).allowedAddresses(List.of(allowed.split(","))));
	}

	private static TestClient connectFrom(TestServer server, String address) throws IOException {
		return connectFrom(server, address, false);
	}

	private static TestClient connectFrom(TestServer server, String address, boolean secure) throws IOException {
		Socket socket = new Socket();
		socket.bind(new InetSocketAddress(address, 0));
		if (secure) {
			socket.connect(server.server().address());
			socket = TestTls.layeredSocket(socket);
		}
		return server.connect(socket);
	}

	/**
	 * Check that there is a place for another connection, now or soon.
	 */
	private static void verifyPlace(TestServer server) {
		TestServer.await("a place", () -> assertThat(server.connect().readLine()).endsWith("\r\n"));
	}

	private static void join(Thread thread) {
		try {
			thread.join();
		}
		catch (InterruptedException ex) {
			throw new IllegalStateException(ex);
		}
	}

}
