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

import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

import org.awaitility.Awaitility;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import reactor.netty.resources.LoopResources;

import io.callosum.sample.FleetServer.State;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

/**
 * Controls one server of the fleet.
 */
class FleetServerTests {

	private final LoopResources loops = LoopResources.create("fleet-test", 1, 1, true);

	private final FleetServer server = new FleetServer("A", this.loops);

	private final ExecutorService executor = Executors.newCachedThreadPool();

	@AfterEach
	void close() {
		this.server.close();
		this.executor.shutdownNow();
		this.loops.disposeLater(Duration.ZERO, Duration.ofSeconds(5)).block();
	}

	@Test
	void aKillEndsAStopThatIsInProgress() throws Exception {
		this.server.start();
		try (Socket socket = new Socket(InetAddress.getByName("127.0.0.1"), this.server.address().port())) {
			send(socket, "hello 1\r\n");
			await().until(() -> this.server.connections() == 1);
			// A line that never ends keeps the server from closing the connection
			CompletableFuture<Void> talk = CompletableFuture.runAsync(() -> sendSlowly(socket), this.executor);
			CompletableFuture<Void> stop = CompletableFuture.runAsync(this.server::stop, this.executor);
			await().until(() -> this.server.state() == State.STOPPING);
			assertThat(stop).isNotDone();
			// A kill that waited for the stop would take 30 seconds
			CompletableFuture.runAsync(this.server::kill, this.executor).get(15, TimeUnit.SECONDS);
			assertThat(this.server.state()).isEqualTo(State.STOPPED);
			stop.get(15, TimeUnit.SECONDS);
			talk.get(15, TimeUnit.SECONDS);
		}
	}

	@Test
	void aServerComesBackOnItsPortUnlessThatIsTaken() throws Exception {
		assertThat(this.server.start()).isTrue();
		assertThat(this.server.start()).isFalse();
		int port = this.server.address().port();
		this.server.stop();
		assertThat(this.server.start()).isTrue();
		assertThat(this.server.address().port()).isEqualTo(port);
		this.server.kill();
		try (ServerSocket taken = new ServerSocket(port, 1, InetAddress.getByName("127.0.0.1"))) {
			assertThat(this.server.start()).isTrue();
			assertThat(this.server.address().port()).isNotEqualTo(taken.getLocalPort());
			assertThat(this.server.state()).isEqualTo(State.RUNNING);
		}
	}

	@Test
	void aServerThatWasClosedDoesNotStart() {
		this.server.close();
		assertThat(this.server.start()).isFalse();
		assertThat(this.server.state()).isEqualTo(State.STOPPED);
	}

	@Test
	void aStopOrKillUnfreezesTheServer() {
		assertThatIllegalStateException().isThrownBy(this.server::freeze).withMessage("Server A is not running");
		this.server.start();
		assertThat(this.server.freeze()).isTrue();
		assertThat(this.server.freeze()).isFalse();
		assertThat(this.server.state()).isEqualTo(State.FROZEN);
		this.server.kill();
		this.server.start();
		assertThat(this.server.state()).isEqualTo(State.RUNNING);
		assertThat(this.server.unfreeze()).isFalse();
	}

	private static void sendSlowly(Socket socket) {
		try {
			for (int i = 0; i < 1000; i++) {
				send(socket, "x");
				TimeUnit.MILLISECONDS.sleep(20);
			}
		}
		catch (IOException ex) {
			// The server has closed the connection
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
		}
	}

	private static void send(Socket socket, String text) throws IOException {
		socket.getOutputStream().write(text.getBytes(StandardCharsets.US_ASCII));
	}

	private static ConditionFactory await() {
		return Awaitility.await().atMost(Duration.ofSeconds(30));
	}

}
