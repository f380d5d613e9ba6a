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
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

import io.callosum.server.FreePort;
import io.callosum.server.TestClient;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Faults of the process of an application: it continues, or ends gracefully, and no slot
 * is lost.
 */
@ParameterizedClass
@EnumSource
class ProcessFaultIntegrationTests extends ApplicationFaults {

	@Test
	void anApplicationWithoutAWebServerStaysUpUntilItsContextCloses() {
		this.application = launcher().start();
		// The main thread has ended by then, and only one thread of the server is left
		this.application.awaitOutput("Started StandaloneApplication");
		assertThat(this.application.endsWithin(Duration.ofSeconds(1))).isFalse();
		TestClient client = connect();
		assertThat(client.readSlot()).isZero();
		this.application.closeInput();
		assertThat(client.read()).isEqualTo(-1);
		assertThat(this.application.awaitEnd()).isZero();
		assertThat(this.application.output()).contains("FREE 0 SERVER_STOPPED", "Callosum server stopped");
	}

	@Test
	void aServerStartsWhereTheRuntimeLacksTheModuleOfKeepAlive() {
		this.application = launcher()
			.options("--limit-modules=java.base,java.desktop,java.instrument,java.logging,"
					+ "java.management,java.naming,java.sql,java.xml,jdk.crypto.ec,jdk.httpserver,jdk.management,"
					+ "jdk.unsupported")
			.start();
		assertThat(connect().readSlot()).isZero();
		assertThat(this.application.warnings()).hasSize(this.transport.isNative() ? 0 : 1)
			.allMatch((line) -> line.contains("lacks the module jdk.net"));
		// Without that module, the process cannot be inspected either
		this.application.closeInput();
		assertThat(this.application.awaitEnd()).isZero();
	}

	@Test
	void anApplicationThatIsToldToEndInAConnectStormFreesAllSlotsBefore() throws Exception {
		this.application = launcher().server("shutdown-quiet-period=200ms").start();
		InetSocketAddress address = this.application.address();
		ExecutorService executor = Executors.newCachedThreadPool();
		for (int i = 0; i < 16; i++) {
			executor.execute(() -> {
				try {
					while (true) {
						Socket socket = new Socket();
						socket.connect(address);
						TestClient client = new TestClient(address, socket);
						synchronized (this.clients) {
							this.clients.add(client);
						}
						client.readLine();
					}
				}
				catch (IOException ex) {
					// The port is closed
				}
			});
		}
		ApplicationProcess.await("clients", () -> assertThat(this.application.count("CONNECTED 500")).isOne());
		this.application.signal("TERM");
		// 128 + SIGTERM
		assertThat(this.application.awaitEnd()).isEqualTo(143);
		executor.shutdown();
		assertThat(executor.awaitTermination(30, TimeUnit.SECONDS)).isTrue();
		for (TestClient client : this.clients) {
			while (client.read() != -1) {
				// Only the end may follow
			}
		}
		String output = this.application.output();
		assertThat(output.lines().filter((line) -> line.startsWith("FREE ")).count())
			.isEqualTo(output.lines().filter((line) -> line.startsWith("CONNECTED ")).count())
			.isGreaterThan(500);
		assertThat(output).contains("Callosum server stopped").doesNotContain("ERROR");
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void anApplicationThatIsToldToEndCutsNoneOfItsBusyClientsInTheMiddleOfARequest(boolean secure) throws Exception {
		// None of them is ever quiet for that long: all have to end between two requests
		ApplicationProcess.Launcher launcher = launcher().server("shutdown-quiet-period=1h")
			.arguments("--test.database=200ms");
		this.application = (secure ? launcher.tls() : launcher).start();
		List<TestClient> clients = secure ? connectSecurely(200) : connect(Behavior.NONE, 200);
		Set<String> answered = ConcurrentHashMap.newKeySet();
		ExecutorService executor = Executors.newCachedThreadPool();
		List<Future<?>> ends = new ArrayList<>();
		for (int i = 0; i < clients.size(); i++) {
			TestClient client = clients.get(i);
			int number = i;
			ends.add(executor.submit(() -> askWithoutAPause(client, number, answered)));
		}
		ApplicationProcess.await("answers", () -> assertThat(answered).hasSizeGreaterThan(2 * clients.size()));
		this.application.signal("TERM");
		assertThat(this.application.awaitEnd()).isEqualTo(143);
		executor.shutdown();
		for (Future<?> end : ends) {
			end.get(30, TimeUnit.SECONDS);
		}
		String output = this.application.output();
		String processed = "PROCESSED ";
		assertThat(output.lines()
			.filter((line) -> line.startsWith(processed))
			.map((line) -> line.substring(processed.length()))).containsExactlyInAnyOrderElementsOf(answered);
		assertThat(output.lines().filter((line) -> line.contains(" HANDLER_COMPLETED "))).hasSize(clients.size());
		assertThat(this.application.warnings()).isEmpty();
	}

	private List<TestClient> connectSecurely(int count) {
		for (int i = 0; i < count; i++) {
			TestClient client = TestClient.secure(this.application.address());
			this.clients.add(client);
			client.readSlot();
		}
		return List.copyOf(this.clients);
	}

	/**
	 * Request one answer after another until the server closes the connection.
	 */
	private static void askWithoutAPause(TestClient client, int number, Set<String> answered) {
		for (int i = 0; true; i++) {
			String request = number + "-" + i;
			try {
				client.send(request + "\n");
			}
			catch (UncheckedIOException ex) {
				// Closed after the last answer
				return;
			}
			String answer = client.readLine();
			if (answer.isEmpty()) {
				return;
			}
			assertThat(answer).isEqualTo(request + "\n");
			answered.add(request);
		}
	}

	@Test
	void aServerThatIsKilledLeavesItsClientsAndItsPortAtOnce() {
		int port = FreePort.find();
		this.application = launcher().start("127.0.0.1", port);
		IntStream.range(0, 200).forEach((i) -> assertThat(connect().readSlot()).isEqualTo(i));
		long killed = System.nanoTime();
		this.application.kill();
		this.clients.forEach((client) -> assertThat(client.read()).isEqualTo(-1));
		assertThat(System.nanoTime() - killed).isLessThan(TimeUnit.SECONDS.toNanos(20));
		this.application = launcher().start("127.0.0.1", port);
		assertThat(this.application.port()).isEqualTo(port);
		closeClients();
		assertThat(connect().readSlot()).isZero();
	}

	@Test
	void noErrorOfAListenerLosesASlotOrHarmsAnotherConnection() {
		this.application = launcher().start();
		TestClient other = connect(Behavior.ECHO);
		assertThat(other.readSlot()).isZero();
		for (Behavior behavior : List.of(Behavior.CONNECTION_STACK_OVERFLOW, Behavior.CONNECTION_OUT_OF_MEMORY,
				Behavior.FREE_STACK_OVERFLOW)) {
			for (int i = 0; i < 10; i++) {
				try (TestClient client = connect(behavior)) {
					assertThat(client.readSlot()).as(behavior.name()).isPositive();
				}
			}
		}
		for (int i = 0; i < 10; i++) {
			assertThat(connect(Behavior.REQUEST_STACK_OVERFLOW).isRefused()).isTrue();
		}
		assertThat(other.send("hello").read(5)).asString(StandardCharsets.US_ASCII).isEqualTo("hello");
		ApplicationProcess.await("errors", () -> {
			assertThat(this.application.count("ERROR StackOverflowError")).isEqualTo(30);
			assertThat(this.application.count("ERROR OutOfMemoryError")).isEqualTo(10);
		});
		ApplicationProcess.await("slots",
				() -> assertThat(this.application.state()).containsEntry("slots", 1L).containsEntry("sockets", 1L));
		// Two kinds about listeners, and one about refusals
		assertThat(this.application.warnings()).hasSize(3);
	}

	@Test
	void aPortThatNeedsPrivilegesIsNamedWithItsKeyAndTheRemedy() throws Exception {
		int port = 1;
		Path limit = Path.of("/proc/sys/net/ipv4/ip_unprivileged_port_start");
		// Read as lines, with a buffer, because such a file can only be read in one piece
		Requirement.met(Files.exists(limit) && Integer.parseInt(Files.readAllLines(limit).get(0)) > port,
				"a system that reserves port " + port);
		ApplicationProcess.Launcher launcher = launcher();
		if ("root".equals(System.getProperty("user.name"))) {
			Requirement.met(Commands.succeed("setpriv", "--inh-caps=-net_bind_service",
					"--bounding-set=-net_bind_service", "true"),
					"the command 'setpriv', and permission to give up privileges");
			launcher.prefix("setpriv", "--inh-caps=-net_bind_service", "--bounding-set=-net_bind_service");
		}
		this.application = launcher.start("127.0.0.1", port);
		assertThat(this.application.awaitEnd()).isNotZero();
		assertThat(this.application.output())
			.contains("APPLICATION FAILED TO START", "127.0.0.1:1: this process has no permission to use port 1",
					"callosum.server.port")
			.doesNotContain("\tat ");
	}

}
