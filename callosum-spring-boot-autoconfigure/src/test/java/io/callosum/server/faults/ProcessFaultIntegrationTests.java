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
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;

import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

import io.callosum.server.TestClient;
import io.callosum.server.Transport;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * What befalls the process of an application, or the machine it runs on: it goes on, or
 * ends in good order, and no slot is lost.
 */
@ParameterizedClass
@EnumSource
class ProcessFaultIntegrationTests {

	@Parameter
	Transport transport;

	@TempDir
	private Path directory;

	private final List<TestClient> clients = new ArrayList<>();

	private ApplicationProcess application;

	@AfterEach
	void end() {
		closeClients();
		if (this.application != null) {
			this.application.close();
		}
	}

	@Test
	void anApplicationWithoutAWebServerStaysUpUntilItsContextCloses() {
		this.application = launcher().start();
		// The thread of main is done then, and no thread of the server but one is left
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
				// Nothing but the end is to come
			}
		}
		String output = this.application.output();
		assertThat(output.lines().filter((line) -> line.startsWith("FREE ")).count())
			.isEqualTo(output.lines().filter((line) -> line.startsWith("CONNECTED ")).count())
			.isGreaterThan(500);
		assertThat(output).contains("Callosum server stopped").doesNotContain("ERROR");
	}

	@Test
	void aServerThatIsKilledLeavesItsClientsAndItsPortAtOnce() {
		this.application = launcher().start();
		InetSocketAddress address = this.application.address();
		IntStream.range(0, 200).forEach((i) -> assertThat(connect().readSlot()).isEqualTo(i));
		long killed = System.nanoTime();
		this.application.kill();
		this.clients.forEach((client) -> assertThat(client.read()).isEqualTo(-1));
		assertThat(System.nanoTime() - killed).isLessThan(TimeUnit.SECONDS.toNanos(5));
		this.application = launcher().start("127.0.0.1", address.getPort());
		assertThat(this.application.port()).isEqualTo(address.getPort());
		long sockets = this.application.state().get("sockets");
		closeClients();
		assertThat(connect().readSlot()).isZero();
		closeClients();
		this.application.awaitNothingLeft(sockets);
	}

	@Test
	void aServerWithoutFileDescriptorsLeftSaysSoAndGoesOnWhenThereAreSomeAgain() {
		Requirement.command("prlimit");
		this.application = launcher().prefix("prlimit", "--nofile=200:200").start();
		IntStream.range(0, 300).forEach((i) -> connect());
		this.application.awaitOutput("Cannot accept connections");
		this.clients.subList(0, 290).forEach(TestClient::close);
		this.clients.get(299).readSlot();
		closeClients();
		verifyNextSlotIsZero();
		assertThat(this.application.warnings()).singleElement().asString().contains("Cannot accept connections");
	}

	@Test
	void aServerWithoutDirectMemoryLeftGetsItsSlotsBackAndGoesOnWhenThereIsSomeAgain() {
		this.application = launcher().options("-XX:MaxDirectMemorySize=32m").arguments("--test.handler=true").start();
		assertThat(connect(Behavior.ECHO).readSlot()).isZero();
		long sockets = this.application.state().get("sockets") - 1;
		this.application.command("hog");
		// What they send is held unread, in more than what is allocated already has room
		// for. Not many at once, because the JVM tries hard to find memory for each.
		Awaitility.await("failures")
			.atMost(Duration.ofMinutes(2))
			.pollInterval(Duration.ofMillis(200))
			// Who has been closed for it cannot send
			.ignoreExceptionsInstanceOf(UncheckedIOException.class)
			.untilAsserted(() -> {
				IntStream.range(0, 5).forEach((i) -> connect(Behavior.STALL).send("x".repeat(60_000)));
				assertThat(this.application.output().split("FREE [0-9]+ CONNECTION_FAILED", -1)).hasSizeGreaterThan(3);
			});
		closeClients();
		this.application.awaitNothingLeft(sockets);
		this.application.command("release");
		TestClient client = connect(Behavior.ECHO);
		assertThat(client.readSlot()).isZero();
		assertThat(client.send("hello").read(5)).asString(StandardCharsets.US_ASCII).isEqualTo("hello");
		// Not one for each connection
		assertThat(this.application.warnings()).hasSizeLessThan(4);
	}

	@Test
	void aServerThatWasFrozenHasClosedNoConnectionAndAcceptsNewOnes() throws Exception {
		this.application = launcher().server("idle-timeout=3s", "write-timeout=3s", "slot-timeout=3s", "backlog=16")
			.start();
		long sockets = this.application.state().get("sockets");
		List<TestClient> readers = connect(Behavior.FLOOD, 3);
		List<TestClient> talkers = connect(Behavior.ECHO, 20);
		ScheduledExecutorService executor = Executors.newScheduledThreadPool(4);
		AtomicInteger sent = new AtomicInteger();
		executor.scheduleAtFixedRate(() -> {
			talkers.forEach((client) -> client.send("x"));
			sent.incrementAndGet();
		}, 0, 200, TimeUnit.MILLISECONDS);
		readers.forEach((client) -> executor.scheduleAtFixedRate(() -> assertThat(client.read(50_000)).hasSize(50_000),
				0, 20, TimeUnit.MILLISECONDS));
		TimeUnit.SECONDS.sleep(1);
		this.application.signal("STOP");
		List<SocketChannel> waiting = new ArrayList<>();
		for (int i = 0; i < 100; i++) {
			SocketChannel channel = SocketChannel.open();
			channel.configureBlocking(false);
			channel.connect(this.application.address());
			waiting.add(channel);
		}
		TimeUnit.SECONDS.sleep(8);
		this.application.signal("CONT");
		TestClient newcomer = connect();
		assertThat(newcomer.readSlot()).isGreaterThanOrEqualTo(talkers.size() + readers.size());
		// For longer than the time-outs
		int sentBefore = sent.get();
		ApplicationProcess.await("more", () -> assertThat(sent.get()).isGreaterThan(sentBefore + 20));
		executor.shutdown();
		assertThat(executor.awaitTermination(30, TimeUnit.SECONDS)).isTrue();
		talkers.forEach((client) -> assertThat(client.read(sent.get())).containsOnly('x').hasSize(sent.get()));
		assertThat(this.application.output().lines().filter((line) -> line.startsWith("FREE")))
			// Of those that have waited, and never sent a byte
			.allMatch((line) -> line.endsWith("IDLE_TIMEOUT NONE"));
		for (SocketChannel channel : waiting) {
			channel.close();
		}
		closeClients();
		this.application.awaitNothingLeft(sockets);
		verifyNextSlotIsZero();
	}

	@Test
	void aJumpOfTheWallClockEndsNoConnectionAndDelaysNoTimeout() throws Exception {
		Requirement.command("faketime");
		Path clock = Files.writeString(this.directory.resolve("clock"), "+0");
		this.application = launcher()
			.prefix("faketime", "-m", "--exclude-monotonic", "-f", "+0", "env", "-u", "FAKETIME",
					"FAKETIME_TIMESTAMP_FILE=" + clock, "FAKETIME_CACHE_DURATION=1",
					// With its fix for other systems, waits end at once
					"FAKETIME_FORCE_MONOTONIC_FIX=0")
			.server("idle-timeout=2s", "slot-timeout=1s")
			.start();
		List<TestClient> talkers = connect(Behavior.ECHO, 20);
		ScheduledExecutorService executor = Executors.newScheduledThreadPool(1);
		// Some have spoken just before the jump, others are about to
		for (int i = 0; i < talkers.size(); i++) {
			TestClient talker = talkers.get(i);
			executor.scheduleAtFixedRate(() -> talker.send("x"), i * 50, 1000, TimeUnit.MILLISECONDS);
		}
		for (int days : List.of(10, -10)) {
			long start = System.nanoTime();
			TestClient silent = connect();
			silent.readSlot();
			TestClient waiting = connect(Behavior.ASSIGN_TOO_LATE);
			Files.writeString(clock, "%+dd".formatted(days));
			long jumped = System.currentTimeMillis() + TimeUnit.DAYS.toMillis(days);
			ApplicationProcess.await("jump", () -> assertThat(this.application.state().get("clock") - jumped)
				.isBetween(0L, TimeUnit.HOURS.toMillis(1)));
			assertThat(waiting.isRefused()).isTrue();
			assertThat(System.nanoTime() - start).isBetween(TimeUnit.MILLISECONDS.toNanos(900),
					TimeUnit.SECONDS.toNanos(10));
			assertThat(silent.read()).isEqualTo(-1);
			assertThat(System.nanoTime() - start).isBetween(TimeUnit.MILLISECONDS.toNanos(1900),
					TimeUnit.SECONDS.toNanos(10));
		}
		executor.shutdownNow();
		assertThat(executor.awaitTermination(30, TimeUnit.SECONDS)).isTrue();
		for (TestClient talker : talkers) {
			// The echo of what it has said, then of this
			talker.send("!");
			int read;
			while ((read = talker.read()) == 'x') {
				// One for each second
			}
			assertThat(read).isEqualTo('!');
		}
	}

	@Test
	void noErrorOfAListenerLosesASlotOrHarmsAnotherConnection() {
		this.application = launcher().start();
		TestClient other = connect(Behavior.ECHO);
		assertThat(other.readSlot()).isZero();
		long sockets = this.application.state().get("sockets");
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
		ApplicationProcess.await("slots", () -> assertThat(this.application.state()).containsEntry("slots", 1L)
			.containsEntry("sockets", sockets));
		assertThat(this.application.warnings()).hasSize(2);
	}

	@Test
	void tenThousandClientsAtOnceGetTheLowestSlots() throws Exception {
		int count = 10_000;
		try (NetworkNamespace namespace = new NetworkNamespace()) {
			// Where clients have to wait for less than they come in, some wait for ever
			namespace.set("core/somaxconn", 16_384);
			namespace.set("ipv4/tcp_max_syn_backlog", 16_384);
			this.application = launcher().prefix(namespace.prefix()).server("backlog=16384").start(namespace.host(), 0);
			InetSocketAddress address = this.application.address();
			long sockets = this.application.state().get("sockets");
			List<SocketChannel> channels = new ArrayList<>();
			try (Selector selector = Selector.open()) {
				for (int i = 0; i < count; i++) {
					SocketChannel channel = SocketChannel.open();
					channels.add(channel);
					channel.configureBlocking(false);
					channel.bind(new InetSocketAddress(Behavior.NONE.address(address.getAddress()), 0));
					channel.connect(address);
					channel.register(selector, SelectionKey.OP_CONNECT, new StringBuilder());
				}
				assertThat(readSlots(selector, count)).hasSize(count);
			}
			finally {
				for (SocketChannel channel : channels) {
					channel.close();
				}
			}
			this.application.awaitNothingLeft(sockets);
		}
	}

	/**
	 * Read the slot lines of so many clients.
	 */
	private static TreeSet<Integer> readSlots(Selector selector, int count) throws IOException {
		TreeSet<Integer> slots = new TreeSet<>();
		long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(1);
		while (slots.size() < count && System.nanoTime() - deadline < 0) {
			selector.select((key) -> {
				try {
					SocketChannel channel = (SocketChannel) key.channel();
					StringBuilder line = (StringBuilder) key.attachment();
					if (key.isConnectable()) {
						channel.finishConnect();
						key.interestOps(SelectionKey.OP_READ);
						return;
					}
					ByteBuffer buffer = ByteBuffer.allocate(16);
					assertThat(channel.read(buffer)).isPositive();
					line.append(new String(buffer.array(), 0, buffer.position(), StandardCharsets.US_ASCII));
					if (line.toString().endsWith("\r\n")) {
						slots.add(Integer.valueOf(line.toString().trim()));
						key.cancel();
					}
				}
				catch (IOException ex) {
					throw new UncheckedIOException(ex);
				}
			}, 1000);
		}
		return slots;
	}

	@Test
	void aPortThatNeedsPrivilegesIsNamedWithItsKeyAndTheRemedy() throws Exception {
		int port = 1;
		Path limit = Path.of("/proc/sys/net/ipv4/ip_unprivileged_port_start");
		// By lines, with a buffer: such a file can be read in one piece only
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

	private ApplicationProcess.Launcher launcher() {
		return ApplicationProcess.launcher(this.directory, this.transport);
	}

	private TestClient connect() {
		return connect(Behavior.NONE);
	}

	/**
	 * Connect a client that is treated in a certain way, and closed at the end.
	 */
	private TestClient connect(Behavior behavior) {
		InetSocketAddress address = this.application.address();
		TestClient client = new TestClient(address, behavior.connect(address));
		this.clients.add(client);
		return client;
	}

	/**
	 * Connect so many, and read their slots.
	 */
	private List<TestClient> connect(Behavior behavior, int count) {
		List<TestClient> clients = IntStream.range(0, count).mapToObj((i) -> connect(behavior)).toList();
		clients.forEach(TestClient::readSlot);
		return clients;
	}

	private void closeClients() {
		this.clients.forEach(TestClient::close);
		this.clients.clear();
	}

	private void verifyNextSlotIsZero() {
		ApplicationProcess.await("slot 0", () -> {
			try (TestClient client = connect()) {
				assertThat(client.readSlot()).isZero();
			}
		});
	}

}
