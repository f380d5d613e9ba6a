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
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;

import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import org.awaitility.Awaitility;
import org.awaitility.core.ThrowingRunnable;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.AfterTestExecutionCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import reactor.netty.tcp.SslProvider;

import io.callosum.server.BufferLeaks;
import io.callosum.server.CallosumConnection;
import io.callosum.server.CallosumServer;
import io.callosum.server.Link;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * The clients of a test, which are stopped when it ends.
 * <p>
 * At the end of each test, there must be no lease and no pending acquire. There must be a
 * socket for each connection of the pool and no others, except those of dials, and the
 * servers must have these connections, with the slots that the clients know. After the
 * stop, nothing may be left: no connection, timer, dial, thread or buffer.
 */
final class TestClientPool implements AfterTestExecutionCallback, AfterEachCallback {

	static {
		BufferLeaks.watch();
	}

	private final List<Watched> clients = new CopyOnWriteArrayList<>();

	private final List<CallosumServer> servers = new CopyOnWriteArrayList<>();

	/**
	 * Compare the connections of a server with those of the clients when the test ends.
	 */
	CallosumServer compare(CallosumServer server) {
		this.servers.add(server);
		return server;
	}

	/**
	 * Create a client that, by default, has one connection and does not rove during a
	 * test.
	 */
	CallosumClient create(Link link, UnaryOperator<CallosumClient.Builder> customizer, InetSocketAddress... servers) {
		return create(link, customizer, TcpTransport::open, servers);
	}

	CallosumClient create(Link link, UnaryOperator<CallosumClient.Builder> customizer,
			ClientTransport.Factory transportFactory, InetSocketAddress... servers) {
		Set<Channel> channels = ConcurrentHashMap.newKeySet();
		List<CallosumClientEvent> events = new CopyOnWriteArrayList<>();
		CallosumClient.Builder builder = CallosumClient.builder()
			.name("test" + this.clients.size())
			.poolSize(1)
			.rovingInterval(Duration.ofHours(1))
			.connectTimeout(Duration.ofSeconds(20))
			.slotTimeout(Duration.ofSeconds(20))
			.acquireTimeout(Duration.ofSeconds(20))
			.nativeTransport(link.transport().isNative())
			.eventPublisher((event) -> events.add((CallosumClientEvent) event))
			.customizer((client) -> client.doOnChannelInit((observer, channel, remoteAddress) -> {
				channels.add(channel);
				channel.closeFuture().addListener((closed) -> channels.remove(channel));
			}));
		if (servers.length > 0) {
			builder.servers(Arrays.stream(servers)
				.map((server) -> new ServerAddress(server.getHostString(), server.getPort()))
				.toArray(ServerAddress[]::new));
		}
		if (link.isSecure()) {
			SslProvider provider = ClientTls.provider();
			builder.sslProvider(() -> provider);
		}
		List<WatchedTransport> transports = new CopyOnWriteArrayList<>();
		CallosumClient client = new CallosumClient(customizer.apply(builder).settings(), (settings, ids) -> {
			WatchedTransport transport = new WatchedTransport(transportFactory.open(settings, ids));
			transports.add(transport);
			return transport;
		});
		this.clients.add(new Watched(client, channels, events, transports));
		return client;
	}

	/**
	 * Create and start a client.
	 */
	CallosumClient start(Link link, UnaryOperator<CallosumClient.Builder> customizer, InetSocketAddress... servers) {
		CallosumClient client = create(link, customizer, servers);
		client.start();
		return client;
	}

	private Watched watched(CallosumClient client) {
		return this.clients.stream().filter((watched) -> watched.client == client).findFirst().orElseThrow();
	}

	List<CallosumClientEvent> events(CallosumClient client) {
		return watched(client).events;
	}

	/**
	 * Return the reasons for which connections were closed, in order.
	 */
	List<CloseReason> closed(CallosumClient client) {
		return events(client).stream()
			.filter(ConnectionClosedEvent.class::isInstance)
			.map((event) -> ((ConnectionClosedEvent) event).getReason())
			.toList();
	}

	/**
	 * Wait until the pool is full, with a socket for each member, and there are no
	 * leases.
	 */
	void awaitRest(CallosumClient client) {
		Watched watched = watched(client);
		await("at rest", () -> {
			ClientSnapshot snapshot = client.snapshot();
			assertThat(snapshot.members()).hasSize(snapshot.poolSize()).noneMatch(ClientSnapshot.Member::leased);
			assertThat(snapshot.pending()).isZero();
			assertThat(watched.channels).hasSize(snapshot.poolSize());
		});
	}

	/**
	 * Return the channels that are open, including those of dials.
	 */
	Set<Channel> channels(CallosumClient client) {
		return watched(client).channels;
	}

	/**
	 * Return the event loops that the connections of a client are on.
	 */
	Set<EventLoop> loops(CallosumClient client) {
		return watched(client).channels.stream().map(Channel::eventLoop).collect(Collectors.toSet());
	}

	static void await(String what, ThrowingRunnable assertion) {
		Awaitility.await(what)
			.atMost(Duration.ofSeconds(60))
			.pollInterval(Duration.ofMillis(5))
			.untilAsserted(assertion);
	}

	@Override
	public void afterTestExecution(ExtensionContext context) {
		if (context.getExecutionException().isEmpty()) {
			this.clients.forEach(Watched::verifyRest);
			this.servers.stream().filter(CallosumServer::isRunning).forEach(this::verifySlots);
		}
	}

	private void verifySlots(CallosumServer server) {
		int port = server.address().getPort();
		await("slots", () -> {
			Map<Integer, Integer> expected = new HashMap<>();
			this.clients.forEach((watched) -> watched.slots(port, expected));
			Map<Integer, Integer> slots = server.connections()
				.stream()
				.collect(Collectors.toMap((connection) -> ((InetSocketAddress) connection.remoteAddress()).getPort(),
						CallosumConnection::announcedSlot));
			assertThat(slots).isEqualTo(expected);
		});
	}

	@Override
	public void afterEach(ExtensionContext context) {
		try {
			this.clients.forEach((watched) -> watched.client.stop());
			this.clients.forEach(Watched::verifyNothingLeft);
			TestNetwork.verifyNoThreadLeft();
			BufferLeaks.verifyNone();
		}
		finally {
			this.clients.forEach((watched) -> watched.client.stop());
			this.clients.clear();
			this.servers.clear();
		}
	}

	private record Watched(CallosumClient client, Set<Channel> channels, List<CallosumClientEvent> events,
			List<WatchedTransport> transports) {

		private void verifyRest() {
			await("rest", () -> {
				ClientSnapshot snapshot = this.client.snapshot();
				assertThat(snapshot.members()).noneMatch(ClientSnapshot.Member::leased);
				assertThat(snapshot.pending()).isZero();
				int dials = this.transports.stream().mapToInt(WatchedTransport::dials).sum();
				assertThat(this.channels).hasSizeBetween(snapshot.members().size(), snapshot.members().size() + dials);
				snapshot.members().forEach(this::verifySlot);
			});
		}

		private void verifySlot(ClientSnapshot.Member member) {
			ScriptedServer server = ScriptedServer.at(member.server());
			if (server != null) {
				assertThat(server.firstLine(port(member))).isEqualTo(member.slot() + "\r\n");
			}
		}

		/**
		 * Add the slots of a server by the port on the client's side.
		 */
		private void slots(int serverPort, Map<Integer, Integer> slots) {
			this.client.snapshot()
				.members()
				.stream()
				.filter((member) -> member.server().getPort() == serverPort)
				.forEach((member) -> slots.put(port(member), member.slot()));
		}

		private int port(ClientSnapshot.Member member) {
			return this.transports.get(this.transports.size() - 1).port(member.connectionId());
		}

		private void verifyNothingLeft() {
			ClientSnapshot snapshot = this.client.snapshot();
			assertThat(this.client.isRunning()).isFalse();
			assertThat(snapshot.members()).isEmpty();
			assertThat(snapshot.pending()).isZero();
			// An event loop that has ended does not complete close futures
			await("sockets", () -> assertThat(this.channels).noneMatch(Channel::isOpen));
			this.transports.forEach(WatchedTransport::verifyNothingLeft);
			long ready = this.events.stream().filter(ConnectionReadyEvent.class::isInstance).count();
			assertThat(this.events.stream().filter(ConnectionClosedEvent.class::isInstance).count())
				.isGreaterThanOrEqualTo(ready);
		}

	}

}
