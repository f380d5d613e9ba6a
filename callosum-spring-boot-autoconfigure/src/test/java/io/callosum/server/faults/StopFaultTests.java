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

package io.callosum.server.faults;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

import io.netty.channel.Channel;
import reactor.netty.resources.LoopResources;

import io.callosum.server.FreePort;
import io.callosum.server.Link;
import io.callosum.server.ListenerThreads;
import io.callosum.server.ServerStoppedEvent;
import io.callosum.server.SlotFreeEvent;
import io.callosum.server.TestClient;
import io.callosum.server.TestServer;
import io.callosum.server.TestTls;
import io.callosum.server.Transport;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Faults while a server stops and starts.
 */
class StopFaultTests {

	@FaultTest
	void aStopThatFailsWithAnErrorEndsAndTheServerCanBeStartedAgain(Transport transport) throws Exception {
		AtomicBoolean fails = new AtomicBoolean();
		LoopResources loops = LoopResources.create("test", 1, 1, true);
		LoopResources failing = (nativeTransport) -> {
			if (fails.get()) {
				throw new NoClassDefFoundError("missing");
			}
			return loops.onServer(nativeTransport);
		};
		try (TestServer server = TestServer.create(transport, (builder) -> builder.loopResources(failing)).start()) {
			fails.set(true);
			CompletableFuture.runAsync(server.server()::stop).get(30, TimeUnit.SECONDS);
			assertThat(server.server().isRunning()).isFalse();
			assertThat(server.events().of(ServerStoppedEvent.class)).hasSize(1);
			fails.set(false);
			server.start();
			server.verifyNextSlotIsZero();
		}
		finally {
			loops.dispose();
		}
	}

	@FaultTest
	void aStopInAStormOfConnectsAndHandshakesLeavesNothing(Link link, ListenerThreads threads) throws Exception {
		AtomicBoolean over = new AtomicBoolean();
		int port = FreePort.find();
		List<CompletableFuture<Void>> storm = new ArrayList<>();
		try (TestServer server = TestServer.create(link, (builder) -> threads.applyTo(builder.port(port)))) {
			for (int i = 0; i < 4; i++) {
				boolean shaking = link.isSecure() && i % 2 == 0;
				storm.add(CompletableFuture.runAsync(() -> connectUntil(over, port, shaking)));
			}
			for (int round = 1; round <= 4; round++) {
				server.start();
				int accepted = server.measured("accepted");
				TestServer.await("the storm",
						() -> assertThat(server.measured("accepted")).isGreaterThan(accepted + 20));
				server.server().stop();
				int atStop = server.measured("accepted");
				server.verifyNothingLeft();
				assertThat(server.events().all()).last().isInstanceOf(ServerStoppedEvent.class);
				assertThat(server.measured("accepted")).isEqualTo(atStop);
			}
			over.set(true);
			CompletableFuture.allOf(storm.toArray(CompletableFuture[]::new)).get(30, TimeUnit.SECONDS);
			Faults.verifyNoError(server);
			server.start();
		}
		finally {
			over.set(true);
		}
	}

	private static void connectUntil(AtomicBoolean over, int port, boolean shaking) {
		byte[] hello = TestTls.clientHello();
		while (!over.get()) {
			try (Socket socket = new Socket()) {
				socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 5000);
				if (shaking) {
					socket.getOutputStream().write(hello);
				}
				Faults.pause(1000);
			}
			catch (IOException ex) {
				Faults.pause(1000);
			}
		}
	}

	@FaultTest
	void everyConnectionIsGoneBeforeAServerThatStartsAgainGivesItsSlots(Link link, ListenerThreads threads) {
		try (TestServer server = TestServer.create(link, threads::applyTo)) {
			for (int round = 1; round <= 5; round++) {
				server.start();
				List<TestClient> clients = new ArrayList<>();
				for (int i = 0; i < 5; i++) {
					clients.add(server.connect());
					assertThat(clients.get(i).readSlot()).isEqualTo(i);
				}
				server.server().stop();
				assertThat(server.events().of(SlotFreeEvent.class)).hasSize(5 * round);
				assertThat(clients).allSatisfy((client) -> assertThat(client.read()).isEqualTo(-1));
			}
			Faults.verifyNoError(server);
			server.start();
		}
	}

	@FaultTest
	void aStopInTheMiddleOfAnswersOnTheirWayLosesNoSlot(Link link, ListenerThreads threads) {
		try (TestServer server = TestServer.create(link, threads::applyTo).expectAnswersThatOutliveTheStop()) {
			DelayedSlots slots = new DelayedSlots(server);
			for (int round = 0; round < 5; round++) {
				server.start();
				for (int i = 0; i < 10; i++) {
					server.connect();
				}
				Faults.pause(3000);
				server.server().stop();
				server.closeClients();
				slots.awaitAllFreed(server);
				server.verifyNothingLeft();
			}
			slots.verifyNoneFreedTwice();
			Faults.verifyNoError(server);
			server.start().expectNextSlot(0);
		}
	}

	@FaultTest
	void aPortThatIsClosedBehindTheServersBackLeavesOpenConnectionsAlone(Link link) {
		CompletableFuture<Channel> listening = new CompletableFuture<>();
		try (TestServer server = TestServer
			.create(link,
					(builder) -> builder.connectionHandler(Faults::echo)
						.customizer((tcpServer) -> tcpServer.doOnBound((bound) -> listening.complete(bound.channel()))))
			.start()) {
			TestClient client = server.connect();
			assertThat(client.readSlot()).isZero();
			listening.join().close().awaitUninterruptibly();
			assertThat(server.server().isListening()).isFalse();
			server.awaitConnections(1);
			assertThat(client.send("still here\n").readLine()).isEqualTo("still here\n");
			server.server().stop();
			assertThat(client.read()).isEqualTo(-1);
			server.start();
			assertThat(server.connect().readSlot()).isZero();
			Faults.verifyNoError(server);
		}
	}

}
