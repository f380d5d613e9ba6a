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

import java.lang.ref.WeakReference;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;

import javax.net.ssl.SSLHandshakeException;

import io.netty.channel.ChannelOption;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.socket.nio.NioChannelOption;
import jdk.net.ExtendedSocketOptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;
import reactor.core.publisher.Mono;
import reactor.netty.resources.LoopResources;

import io.callosum.client.ScriptedServer.Peer;
import io.callosum.client.ScriptedServer.Script;
import io.callosum.server.Link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/**
 * Tests for the lifecycle of a connection of the pool, over sockets: how it begins, and
 * how its end is noticed.
 *
 * @author The Callosum authors
 */
@ParameterizedClass
@EnumSource
class TcpConnectionTests extends AbstractScriptedServerTests {

	/**
	 * The ways in which a server may end a connection.
	 */
	private static final List<Consumer<Peer>> ENDS = List.of(Peer::close, Peer::shutdownOutput, Peer::cut, Peer::reset);

	TcpConnectionTests(Link link) {
		super(link);
	}

	@Test
	void theEndOfAnIdleConnectionIsNoticedAtOnce() {
		CallosumClient client = start((builder) -> builder);
		for (int i = 0; i < ENDS.size(); i++) {
			this.clients.awaitRest(client);
			String id = client.snapshot().members().get(0).connectionId();
			int closed = i + 1;
			ENDS.get(i).accept(awaitPeer(client));
			TestClientPool.await("noticed", () -> assertThat(this.clients.closed(client)).hasSize(closed));
			assertThat(client.snapshot().members()).extracting(ClientSnapshot.Member::connectionId).doesNotContain(id);
		}
		assertThat(this.clients.closed(client)).containsOnly(CloseReason.PEER_CLOSED, CloseReason.PEER_RESET);
	}

	@Test
	void theEndOfALeasedConnectionIsNoticedAtOnceThoughNobodyReceives() {
		CallosumClient client = start((builder) -> builder);
		for (int i = 0; i < ENDS.size(); i++) {
			CallosumLease lease = client.acquire().block(TIMEOUT);
			int closed = i + 1;
			ENDS.get(i).accept(awaitPeer(client));
			TestClientPool.await("noticed", () -> assertThat(this.clients.closed(client)).hasSize(closed));
			lease.release();
		}
		assertThat(this.clients.closed(client)).containsOnly(CloseReason.PEER_CLOSED, CloseReason.PEER_RESET);
	}

	/**
	 * Return the server's end of the only connection of a client. Skips dials that the
	 * client has turned down.
	 */
	private Peer awaitPeer(CallosumClient client) {
		int slot = client.snapshot().members().get(0).slot();
		Peer peer = this.server.awaitPeer();
		while (peer.slot() != slot) {
			peer = this.server.awaitPeer();
		}
		return peer;
	}

	@Test
	void anAcquireEndsInTimeWhateverADialWaitsFor() throws Exception {
		try (FullServer dropsPackets = new FullServer();
				ScriptedServer silent = new ScriptedServer(this.link.isSecure());
				ScriptedServer sendsNoSlot = new ScriptedServer(this.link.isSecure())) {
			silent.script(Script.silent());
			sendsNoSlot.script((peer) -> peer.send("12"));
			for (InetSocketAddress address : List.of(dropsPackets.address(), silent.address(), sendsNoSlot.address())) {
				// Each phase of a dial may take 20 seconds
				CallosumClient client = this.clients.start(this.link, (builder) -> builder, address);
				assertThatExceptionOfType(LeaseUnavailableException.class)
					.isThrownBy(() -> client.acquire(Duration.ofMillis(300)).block(Duration.ofSeconds(15)))
					.satisfies((unavailable) -> assertThat(unavailable.getReason())
						.isEqualTo(LeaseUnavailableException.Reason.TIMEOUT))
					.withMessageContaining("no connection within 300 ms");
				client.stop();
			}
		}
	}

	@Test
	void theSlotIsThatOfTheServer() {
		Peer[] peers = new Peer[3];
		CallosumClient client = start((builder) -> builder.poolSize(3));
		this.clients.awaitRest(client);
		assertThat(client.snapshot().members()).extracting(ClientSnapshot.Member::slot).containsExactly(0, 1, 2);
		for (int i = 0; i < peers.length; i++) {
			peers[i] = this.server.awaitPeer();
			assertThat(peers[i].slot()).isLessThan(3);
		}
	}

	@Test
	void aCertificateForAnotherNameIsRefused() {
		if (!this.link.isSecure()) {
			return;
		}
		try (ScriptedServer other = new ScriptedServer(ClientTls.certificate("other.internal"))) {
			CallosumClient client = this.clients.start(this.link, (builder) -> builder, other.address());
			TestClientPool.await("unreachable",
					() -> assertThat(client.snapshot().servers()).extracting(ClientSnapshot.Server::state)
						.contains(ClientSnapshot.Server.State.UNREACHABLE));
			assertThatExceptionOfType(LeaseUnavailableException.class)
				.isThrownBy(() -> client.acquire(Duration.ZERO).block(TIMEOUT))
				.withCauseInstanceOf(SSLHandshakeException.class);
		}
	}

	@Test
	void theSslProviderIsAskedAtEachDial() {
		if (!this.link.isSecure()) {
			return;
		}
		AtomicInteger asked = new AtomicInteger();
		CallosumClient client = start((builder) -> builder.rovingInterval(Duration.ofHours(1)).sslProvider(() -> {
			asked.incrementAndGet();
			return ClientTls.provider();
		}));
		this.clients.awaitRest(client);
		String id = client.snapshot().members().get(0).connectionId();
		int before = asked.get();
		assertThat(client.exchange((lease) -> Mono.just(lease.connectionId())).block(TIMEOUT)).isEqualTo(id);
		assertThat(asked).hasValue(before);
		awaitPeer(client).close();
		TestClientPool.await("again", () -> assertThat(asked.get()).isGreaterThan(before));
	}

	@Test
	void aClientWorksOnGivenLoopsAndLeavesThemAlone() {
		this.server.script(Script.echo());
		LoopResources loops = LoopResources.create("given-loops", 2, true);
		try {
			CallosumClient client = start((builder) -> builder.loopResources(loops).poolSize(4));
			this.clients.awaitRest(client);
			assertThat(this.clients.loops(client)).hasSizeGreaterThan(1);
			client.stop();
			assertThat(loops.isDisposed()).isFalse();
		}
		finally {
			loops.disposeLater(Duration.ZERO, TIMEOUT).block();
		}
	}

	@Test
	void nothingOfTheCallerIsLeftInTheConnectionThatItHasCaused() throws Exception {
		this.server.script(Script.echo());
		CallosumClient client = start((builder) -> builder);
		InheritableThreadLocal<Object> local = new InheritableThreadLocal<>();
		AtomicReference<WeakReference<Object>> reference = new AtomicReference<>();
		Thread caller = new Thread(() -> {
			Object value = new byte[1000];
			local.set(value);
			reference.set(new WeakReference<>(value));
			client.exchange((lease) -> Mono.just(1))
				.contextWrite((context) -> context.put("key", value))
				.block(TIMEOUT);
		});
		caller.start();
		caller.join();
		TestClientPool.await("collected", () -> {
			System.gc();
			assertThat(reference.get().get()).isNull();
		});
		assertThat(client.snapshot().members()).hasSize(1);
	}

	@Test
	void stopLetsLeasesEndAndStartBeginsAnew() {
		this.server.script(Script.echo());
		CallosumClient client = start((builder) -> builder.poolSize(2));
		this.clients.awaitRest(client);
		CallosumLease lease = client.acquire().block(TIMEOUT);
		Thread stopper = new Thread(() -> client.stop(TIMEOUT));
		stopper.start();
		TestClientPool.await("stopping", () -> assertThat(client.snapshot().members()).hasSize(1));
		assertThat(lease.outbound()
			.sendString(Mono.just("ping\r\n"))
			.then()
			.then(lease.inbound().receive().asString().next())
			.block(TIMEOUT)).isEqualTo("ping\r\n");
		lease.release();
		TestClientPool.await("stopped", () -> assertThat(client.isRunning()).isFalse());
		assertThatExceptionOfType(LeaseUnavailableException.class).isThrownBy(() -> client.acquire().block(TIMEOUT));
		this.server.awaitNobody();
		client.start();
		assertThat(client.exchange((again) -> Mono.just(again.slot())).block(TIMEOUT)).isZero();
	}

	@Test
	void stopCutsALeaseThatDoesNotEnd() {
		CallosumClient client = start((builder) -> builder);
		CallosumLease lease = client.acquire().block(TIMEOUT);
		Mono<Void> received = lease.inbound().receive().then().cache();
		received.subscribe((nothing) -> {
		}, (error) -> {
		});
		client.stop(Duration.ofMillis(100));
		assertThat(client.isRunning()).isFalse();
		assertThatExceptionOfType(Exception.class).isThrownBy(() -> received.block(TIMEOUT))
			.withCauseInstanceOf(ConnectionLostException.class);
		lease.release();
	}

	@Test
	void namesOfTheHostsFileAreFound() {
		InetSocketAddress address = this.server.address();
		CallosumClient client = start((builder) -> builder.servers(ServerAddress.of("localhost:" + address.getPort())));
		assertThat(client.exchange((lease) -> Mono.just(lease.server().getHostString())).block(TIMEOUT))
			.isEqualTo("localhost");
	}

	@Test
	void theSystemProbesIdleConnections() {
		CallosumClient client = start((builder) -> builder.rovingInterval(Duration.ofHours(1))
			.keepAlive(Duration.ofSeconds(61), Duration.ofSeconds(11), 4));
		this.clients.awaitRest(client);
		assertThat(this.clients.channels(client)).allSatisfy((channel) -> {
			assertThat(channel.config().getOption(ChannelOption.SO_KEEPALIVE)).isTrue();
			boolean epoll = this.link.transport().isNative();
			assertThat(channel.config()
				.getOption(epoll ? EpollChannelOption.TCP_KEEPIDLE
						: NioChannelOption.of(ExtendedSocketOptions.TCP_KEEPIDLE)))
				.isEqualTo(61);
			assertThat(channel.config()
				.getOption(epoll ? EpollChannelOption.TCP_KEEPCNT
						: NioChannelOption.of(ExtendedSocketOptions.TCP_KEEPCOUNT)))
				.isEqualTo(4);
		});
	}

}
