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
import java.io.UncheckedIOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.Stream;

import ch.qos.logback.classic.Level;
import io.netty.channel.ChannelOption;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.netty.resources.LoopResources;
import reactor.netty.tcp.TcpServer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

/**
 * Tests for how a server starts, stops and starts again.
 */
@ParameterizedClass
@EnumSource
class ServerLifecycleTests {

	private final ExecutorService executor = Executors.newCachedThreadPool();

	private final WireTap tap = new WireTap();

	/**
	 * For example those of an application context that other tests have left in the
	 * cache.
	 */
	private final Set<Thread> threadsBefore = Set.copyOf(threads());

	@Parameter
	Transport transport;

	@AfterEach
	void shutDown() {
		this.executor.shutdownNow();
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void aServerStartsAgainOnItsPortAndWithSlotZero(boolean sharedLoops) {
		int port = FreePort.find();
		withLoops(sharedLoops, (loops) -> {
			try (TestServer server = create((builder) -> builder.port(port).loopResources(loops))) {
				for (int i = 0; i < 20; i++) {
					server.start();
					assertThat(server.server().address().getPort()).isEqualTo(port);
					TestClient client = server.connect();
					assertThat(client.readSlot()).isZero();
					assertThat(server.connect().readSlot()).isOne();
					server.server().stop();
					assertThat(client.read()).isEqualTo(-1);
					assertThat(this.tap.openChannels()).isEmpty();
				}
				assertThat(server.events().of(ServerStartedEvent.class)).hasSize(20);
				assertThat(server.events().of(ServerStoppingEvent.class)).hasSize(20);
				assertThat(server.events().of(ServerStoppedEvent.class)).hasSize(20);
				assertThat(server.warnings()).isEmpty();
			}
		});
	}

	@Test
	void port0IsAnotherPortAtEachStart() {
		Set<Integer> ports = new HashSet<>();
		try (TestServer server = create()) {
			for (int i = 0; i < 5; i++) {
				server.start();
				ports.add(server.server().address().getPort());
				server.server().stop();
			}
		}
		assertThat(ports).hasSizeGreaterThan(1).allSatisfy((port) -> assertThat(port).isPositive());
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void thePortIsFreeTheInstantThatStopReturns(boolean sharedLoops) {
		withLoops(sharedLoops, (loops) -> {
			int port = FreePort.find();
			try (TestServer server = create((builder) -> builder.port(port).loopResources(loops))) {
				for (int i = 0; i < 20; i++) {
					server.start();
					InetSocketAddress address = server.server().address();
					server.server().stop();
					try (ServerSocket socket = new ServerSocket()) {
						// Without address reuse, Linux lets nobody listen while somebody
						// else does
						socket.setReuseAddress(false);
						socket.bind(address);
					}
					try (Socket socket = new Socket()) {
						assertThatExceptionOfType(ConnectException.class).isThrownBy(() -> socket.connect(address));
					}
				}
			}
			catch (IOException ex) {
				throw new UncheckedIOException(ex);
			}
		});
	}

	@ParameterizedTest
	@ValueSource(booleans = { false, true })
	void stopInAStormOfConnectsLeavesNothing(boolean sharedLoops) {
		withLoops(sharedLoops, (loops) -> {
			AtomicBoolean over = new AtomicBoolean();
			List<CompletableFuture<?>> threads = new ArrayList<>();
			int port = FreePort.find();
			try (TestServer server = create((builder) -> builder.port(port).loopResources(loops))) {
				for (int i = 0; i < 6; i++) {
					threads.add(CompletableFuture.runAsync(() -> connectUntil(over, port), this.executor));
				}
				for (int round = 1; round <= 20; round++) {
					server.start();
					int accepted = this.tap.accepted();
					TestServer.await("the storm", () -> assertThat(this.tap.accepted()).isGreaterThan(accepted + 50));
					server.server().stop();
					int acceptedAtStop = this.tap.accepted();
					assertThat(this.tap.openChannels()).isEmpty();
					assertThat(server.server().connections()).isEmpty();
					assertThat(server.slotsInUse()).isZero();
					assertThat(server.events().of(ServerStoppedEvent.class)).hasSize(round);
					assertThat(this.tap.accepted()).isEqualTo(acceptedAtStop);
				}
				over.set(true);
				threads.forEach(CompletableFuture::join);
				verifyNestedRuns(server);
				Set<String> freed = new HashSet<>();
				server.events()
					.of(SlotFreeEvent.class)
					.forEach((event) -> assertThat(freed.add(event.getConnection().id())).isTrue());
				server.events()
					.of(ConnectionEvent.class)
					.forEach((event) -> assertThat(freed.contains(event.getConnection().id())).isTrue());
				assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
				assertThat(server.warnings()).isEmpty();
			}
			finally {
				over.set(true);
			}
		});
	}

	@Test
	void stopAndStartMayBeCalledTwice() {
		try (TestServer server = create()) {
			server.server().stop();
			server.start();
			InetSocketAddress address = server.server().address();
			server.start();
			assertThat(server.server().address()).isEqualTo(address);
			server.server().stop();
			server.server().stop();
			assertThat(server.events().of(ServerStartedEvent.class)).hasSize(1);
			assertThat(server.events().of(ServerStoppedEvent.class)).hasSize(1);
		}
	}

	@Test
	void startAndStopMayBeCalledByAnyThreadAtAnyTime() {
		try (TestServer server = create()) {
			List<CompletableFuture<Void>> threads = IntStream.range(0, 6)
				.mapToObj((i) -> CompletableFuture.runAsync(() -> {
					Random random = new Random(i);
					for (int j = 0; j < 15; j++) {
						if (random.nextBoolean()) {
							server.server().start();
						}
						else if (random.nextBoolean()) {
							server.server().stop();
						}
						else {
							server.server().stop(Duration.ofMillis(20));
						}
					}
				}, this.executor))
				.toList();
			assertThat(CompletableFuture.allOf(threads.toArray(CompletableFuture[]::new)))
				.succeedsWithin(Duration.ofSeconds(60));
			server.start();
			assertThat(server.connect().readSlot()).isZero();
			server.server().stop();
			verifyNestedRuns(server);
			assertThat(server.warnings()).isEmpty();
			awaitNoThreads();
		}
	}

	@Test
	void concurrentStartsStartOneServer() {
		try (TestServer server = create()) {
			Set<InetSocketAddress> addresses = new HashSet<>();
			List<CompletableFuture<InetSocketAddress>> starts = IntStream.range(0, 8)
				.mapToObj((i) -> CompletableFuture.supplyAsync(() -> {
					server.server().start();
					return server.server().address();
				}, this.executor))
				.toList();
			starts.forEach((start) -> addresses.add(start.join()));
			assertThat(addresses).hasSize(1).doesNotContainNull();
			List<CompletableFuture<Boolean>> stops = IntStream.range(0, 8)
				.mapToObj((i) -> CompletableFuture.supplyAsync(() -> {
					server.server().stop();
					return server.server().isRunning();
				}, this.executor))
				.toList();
			stops.forEach((stop) -> assertThat(stop.join()).isFalse());
			verifyNestedRuns(server);
			assertThat(server.events().of(ServerStartedEvent.class)).hasSize(1);
		}
	}

	@Test
	void aStopWhileTheServerStartsIsCarriedOut() {
		CompletableFuture<?> stop = new CompletableFuture<>();
		try (TestServer server = create()) {
			server.events().on(ServerStartedEvent.class, (event) -> {
				this.executor.execute(() -> {
					server.server().stop();
					stop.complete(null);
				});
				TestServer.await("the stop", () -> assertThat(server.server().isStopping()).isTrue());
			});
			server.start();
			assertThat(stop).succeedsWithin(Duration.ofSeconds(30));
			assertThat(server.server().isRunning()).isFalse();
			verifyNestedRuns(server);
		}
	}

	@Test
	void aListenerOfTheStoppedEventMayStartTheServerAgain() {
		AtomicInteger stops = new AtomicInteger();
		try (TestServer server = create()) {
			server.events().on(ServerStoppedEvent.class, (event) -> {
				if (stops.incrementAndGet() < 3) {
					event.getServer().start();
				}
			});
			server.start();
			for (int i = 1; i <= 3; i++) {
				assertThat(server.connect().readSlot()).isZero();
				server.server().stop();
				assertThat(stops).hasValue(i);
			}
			assertThat(server.server().isRunning()).isFalse();
		}
	}

	@Test
	void startOnAnEventLoopThrows() {
		List<Throwable> errors = new CopyOnWriteArrayList<>();
		try (TestServer server = create()) {
			server.events().on(ConnectionEvent.class, (event) -> {
				try {
					event.getServer().start();
				}
				catch (IllegalStateException ex) {
					errors.add(ex);
				}
			});
			server.start();
			server.connect().readSlot();
			TestServer.await("the exception", () -> assertThat(errors).hasSize(1));
			assertThat(errors.get(0)).hasMessageContaining("event loop");
		}
	}

	@ParameterizedTest
	@EnumSource
	void aStopThatMustNotWaitOnlyBegins(Stopper stopper) {
		verifyStops(stopper, null);
	}

	@ParameterizedTest
	@EnumSource
	void aStopThatMustNotWaitOnlyBeginsOnAnExecutorToo(Stopper stopper) {
		verifyStops(stopper, this.executor);
	}

	private void verifyStops(Stopper stopper, ExecutorService listenerExecutor) {
		CompletableFuture<Boolean> returned = new CompletableFuture<>();
		try (TestServer server = create(
				(builder) -> stopper.customize(builder.listenerExecutor(listenerExecutor), returned))) {
			stopper.server = server.server();
			server.start();
			TestClient client = server.connect();
			assertThat(returned).succeedsWithin(Duration.ofSeconds(30)).isEqualTo(true);
			TestServer.await("the end", () -> assertThat(server.events().of(ServerStoppedEvent.class)).hasSize(1));
			assertThat(server.server().isRunning()).isFalse();
			client.readAll();
			assertThat(server.warnings()).isEmpty();
			verifyNestedRuns(server);
		}
	}

	@Test
	void aListenerThatBlocksHoldsAStopUpForTenSecondsOnly() {
		CountDownLatch release = new CountDownLatch(1);
		try (TestServer server = create().expectListenersThatOutliveTheStop()) {
			server.events().on(ConnectionEvent.class, (event) -> await(release));
			server.start();
			server.connect().readSlot();
			TestServer.await("the listener", () -> assertThat(server.events().of(ConnectionEvent.class)).hasSize(1));
			CompletableFuture<Duration> stop = CompletableFuture.supplyAsync(() -> {
				long start = System.nanoTime();
				server.server().stop();
				return Duration.ofNanos(System.nanoTime() - start);
			}, this.executor);
			try {
				// The listener itself would wait for a minute
				assertThat(stop).succeedsWithin(Duration.ofSeconds(40));
				assertThat(stop.join()).isBetween(Duration.ofSeconds(9), Duration.ofSeconds(30));
			}
			finally {
				release.countDown();
			}
			assertThat(server.logged(Level.WARN))
				.anySatisfy((message) -> assertThat(message).contains("have not returned"));
			assertThat(server.events().of(ServerStoppedEvent.class)).hasSize(1);
			// No slot is lost even then
			TestServer.await("the slot", () -> assertThat(server.slotsInUse()).isZero());
			assertThat(server.events().of(SlotFreeEvent.class)).hasSize(1);
		}
	}

	@Test
	void aThreadThatIsInterruptedStopsTheServerAllTheSame() {
		try (TestServer server = create().start()) {
			server.connect().readSlot();
			CompletableFuture<Boolean> stop = CompletableFuture.supplyAsync(() -> {
				Thread.currentThread().interrupt();
				server.server().stop();
				assertThat(server.server().isRunning()).isFalse();
				assertThat(this.tap.openChannels()).isEmpty();
				return Thread.interrupted();
			}, this.executor);
			assertThat(stop).succeedsWithin(Duration.ofSeconds(30)).isEqualTo(true);
		}
	}

	@Test
	void aStartThatIsInterruptedLeavesNothing() {
		int port = FreePort.find();
		try (TestServer server = create((builder) -> builder.port(port))) {
			CompletableFuture<?> start = CompletableFuture.runAsync(() -> {
				Thread.currentThread().interrupt();
				try {
					server.start();
				}
				catch (ServerBindException ex) {
					assertThat(server.server().isRunning()).isFalse();
				}
				Thread.interrupted();
			}, this.executor);
			assertThat(start).succeedsWithin(Duration.ofSeconds(30));
			server.server().stop();
			server.start();
			assertThat(server.connect().readSlot()).isZero();
			server.server().stop();
			awaitNoThreads();
		}
	}

	@Test
	void theServerTellsWhetherItRuns() {
		try (TestServer server = create()) {
			CallosumServer callosumServer = server.server();
			assertThat(callosumServer.isRunning()).isFalse();
			assertThat(callosumServer.address()).isNull();
			assertThat(callosumServer.connections()).isEmpty();
			List<Boolean> running = new CopyOnWriteArrayList<>();
			Stream.of(ServerStartedEvent.class, SlotFreeEvent.class, ServerStoppingEvent.class)
				.forEach((type) -> server.events()
					.on(type, (event) -> running
						.add(event.getServer().isRunning() && event.getServer().address() != null)));
			server.events()
				.on(ServerStoppedEvent.class,
						(event) -> running.add(!event.getServer().isRunning() && event.getServer().address() == null));
			server.start();
			assertThat(callosumServer.isRunning()).isTrue();
			assertThat(callosumServer.address().getAddress()).isEqualTo(InetAddress.getLoopbackAddress());
			TestClient client = server.connect();
			client.readSlot();
			assertThat(callosumServer.connections()).singleElement().extracting(CallosumConnection::slot).isEqualTo(0);
			callosumServer.stop();
			assertThat(callosumServer.isRunning()).isFalse();
			assertThat(callosumServer.address()).isNull();
			assertThat(callosumServer.connections()).isEmpty();
			assertThat(running).hasSize(4).containsOnly(true);
		}
	}

	@Test
	void aPortInUseFailsTheStartAndTheServerCanBeStartedLater() throws IOException {
		ServerSocket other = new ServerSocket(FreePort.find(), 1, InetAddress.getLoopbackAddress());
		try (TestServer server = create((builder) -> builder.port(other.getLocalPort()))) {
			for (int i = 0; i < 3; i++) {
				assertThatExceptionOfType(ServerBindException.class).isThrownBy(server::start)
					.withMessageContaining("127.0.0.1:" + other.getLocalPort())
					.satisfies((ex) -> assertThat(ex.getReason()).isEqualTo(ServerBindException.Reason.PORT_IN_USE));
				assertThat(server.server().isRunning()).isFalse();
				assertThat(server.server().address()).isNull();
				server.server().stop();
			}
			awaitNoThreads();
			assertThat(server.events().all()).isEmpty();
			other.close();
			server.start();
			assertThat(server.connect().readSlot()).isZero();
		}
	}

	@Test
	void anAddressThatCannotBeListenedOnFailsTheStart() {
		verifyBindFails("x.invalid", ServerBindException.Reason.UNKNOWN_HOST);
		verifyBindFails("192.0.2.1", ServerBindException.Reason.ADDRESS_NOT_AVAILABLE);
		awaitNoThreads();
	}

	private void verifyBindFails(String host, ServerBindException.Reason reason) {
		try (TestServer server = create((builder) -> builder.host(host))) {
			assertThatExceptionOfType(ServerBindException.class).isThrownBy(server::start)
				.withMessageContaining(host)
				.satisfies((ex) -> assertThat(ex.getReason()).isEqualTo(reason));
			assertThat(server.server().isRunning()).isFalse();
		}
	}

	@Test
	void aCustomizerThatThrowsFailsTheStartAndTheServerCanBeStartedLater() {
		AtomicInteger starts = new AtomicInteger();
		try (TestServer server = create(
				(builder) -> builder.customizer((tcpServer) -> switch (starts.incrementAndGet()) {
					case 1 -> throw new IllegalStateException("customizer");
					case 2 -> throw new NoClassDefFoundError("customizer");
					case 3 -> sneak(new IOException("customizer"));
					default -> tcpServer;
				}))) {
			assertThatIllegalStateException().isThrownBy(server::start).withMessage("customizer");
			assertThatExceptionOfType(NoClassDefFoundError.class).isThrownBy(server::start);
			assertThatIllegalStateException().isThrownBy(server::start).withCauseInstanceOf(IOException.class);
			assertThat(CompletableFuture.runAsync(server.server()::stop, this.executor))
				.succeedsWithin(Duration.ofSeconds(30));
			server.start();
			assertThat(server.connect().readSlot()).isZero();
		}
	}

	@SuppressWarnings("unchecked")
	private static <T extends Throwable> TcpServer sneak(Throwable throwable) throws T {
		throw (T) throwable;
	}

	@Test
	void aServerThatIsStartedByADaemonThreadKeepsTheJvmAlive() {
		CountDownLatch restarted = new CountDownLatch(1);
		try (TestServer server = create()) {
			server.events().on(ServerStoppedEvent.class, (event) -> {
				if (restarted.getCount() > 0) {
					assertThat(Thread.currentThread().isDaemon()).isTrue();
					server.start();
					restarted.countDown();
				}
			});
			server.start();
			server.server().stop();
			TestServer.await("the second start", () -> assertThat(restarted.getCount()).isZero());
			TestServer.await("only the second run's threads",
					() -> assertThat(callosumThreads()).filteredOn((thread) -> !thread.isDaemon()).hasSize(1));
			assertThat(server.connect().readSlot()).isZero();
		}
	}

	@Test
	void aStoppedServerLeavesNoThreadAndNoFileDescriptor() throws IOException {
		awaitNoThreads();
		try (TestServer server = create()) {
			int files = 0;
			for (int i = 0; i < 12; i++) {
				server.start();
				server.connect().readSlot();
				assertThat(callosumThreads()).anyMatch((thread) -> !thread.isDaemon());
				server.server().stop();
				if (i == 1) {
					// Files that were opened for loading classes stay open
					awaitNoThreads();
					files = openFiles();
				}
			}
			awaitNoThreads();
			int before = files;
			TestServer.await("the files", () -> assertThat(openFiles()).isLessThanOrEqualTo(before + 11));
			assertThat(before).isPositive();
		}
	}

	@Test
	void aPlaceIsFreeAgainWhenItsSlotIs() {
		try (TestServer server = create((builder) -> builder.maxConnections(2)).start()) {
			TestClient first = server.connect();
			assertThat(first.readSlot()).isZero();
			assertThat(server.connect().readSlot()).isOne();
			for (int i = 0; i < 10; i++) {
				assertThat(server.connect().isRefused()).isTrue();
			}
			assertThat(server.events().of(SlotRequestEvent.class)).hasSize(2);
			assertThat(server.events().of(ServerErrorEvent.class)).isEmpty();
			assertThat(server.warnings()).singleElement().asString().contains("max-connections");
			// None of the refused ones has taken the place
			first.close();
			TestServer.await("the place", () -> assertThat(server.server().connections()).hasSize(1));
			TestServer.await("the place", () -> {
				TestClient client = server.connect();
				assertThat(client.readLine()).isEqualTo("0\r\n");
			});
			assertThat(server.connect().isRefused()).isTrue();
		}
	}

	@Test
	void customizersAreAppliedInOrderAfterTheSettings() {
		List<Object> backlogs = new ArrayList<>();
		try (TestServer server = create((builder) -> builder.backlog(7).customizer((tcpServer) -> {
			backlogs.add(tcpServer.configuration().options().get(ChannelOption.SO_BACKLOG));
			return tcpServer.option(ChannelOption.SO_BACKLOG, 8);
		}).customizer((tcpServer) -> {
			backlogs.add(tcpServer.configuration().options().get(ChannelOption.SO_BACKLOG));
			return tcpServer;
		})).start()) {
			assertThat(backlogs).containsExactly(7, 8);
			server.server().stop();
			server.start();
			assertThat(backlogs).containsExactly(7, 8, 7, 8);
			assertThat(server.connect().readSlot()).isZero();
		}
	}

	private static void connectUntil(AtomicBoolean over, int port) {
		byte[] bytes = new byte[100];
		while (!over.get()) {
			try (Socket socket = new Socket()) {
				socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 5000);
				if (socket.getPort() % 2 == 0) {
					socket.getOutputStream().write(bytes);
				}
			}
			catch (IOException ex) {
				Thread.onSpinWait();
			}
		}
	}

	/**
	 * Check that each start has its stop, and that every other event is in between.
	 */
	private static void verifyNestedRuns(TestServer server) {
		String state = "stopped";
		for (CallosumServerEvent event : server.events().all()) {
			String next = switch (state) {
				case "stopped" -> (event instanceof ServerStartedEvent) ? "started" : "error";
				case "started" -> (event instanceof ServerStoppingEvent) ? "stopping"
						: (event instanceof ServerStartedEvent || event instanceof ServerStoppedEvent) ? "error"
								: "started";
				default -> (event instanceof ServerStoppedEvent) ? "stopped"
						: (event instanceof ServerStartedEvent || event instanceof ServerStoppingEvent) ? "error"
								: "stopping";
			};
			assertThat(next).as(event + " while " + state).isNotEqualTo("error");
			state = next;
		}
		assertThat(state).isEqualTo("stopped");
	}

	private static void await(CountDownLatch latch) {
		try {
			latch.await(60, TimeUnit.SECONDS);
		}
		catch (InterruptedException ex) {
			throw new IllegalStateException(ex);
		}
	}

	private List<Thread> callosumThreads() {
		return threads().stream().filter((thread) -> !this.threadsBefore.contains(thread)).toList();
	}

	private static List<Thread> threads() {
		Thread[] threads = new Thread[Thread.activeCount() + 100];
		int count = Thread.enumerate(threads);
		return Arrays.stream(threads, 0, count).filter((thread) -> thread.getName().startsWith("callosum")).toList();
	}

	private void awaitNoThreads() {
		TestServer.await("no threads", () -> assertThat(callosumThreads()).isEmpty());
	}

	private static int openFiles() throws IOException {
		Path files = Path.of("/proc/self/fd");
		Assumptions.assumeTrue(Files.isDirectory(files));
		try (Stream<Path> list = Files.list(files)) {
			return (int) list.count();
		}
	}

	private static void withLoops(boolean shared, Consumer<LoopResources> test) {
		if (!shared) {
			test.accept(null);
			return;
		}
		LoopResources loops = LoopResources.create("shared", 1, 2, true);
		try {
			test.accept(loops);
		}
		finally {
			loops.disposeLater(Duration.ZERO, Duration.ofSeconds(5)).block(Duration.ofSeconds(30));
		}
	}

	private TestServer create() {
		return create(UnaryOperator.identity());
	}

	private TestServer create(UnaryOperator<CallosumServer.Builder> customizer) {
		return TestServer.create(this.transport, (builder) -> customizer.apply(builder.customizer(this.tap)));
	}

	/**
	 * User code that stops the server, and that the stop would otherwise wait for.
	 */
	enum Stopper {

		HANDLER {
			@Override
			CallosumServer.Builder customize(CallosumServer.Builder builder, CompletableFuture<Boolean> running) {
				return builder.connectionHandler((connection) -> {
					stop(running);
					return Mono.never();
				});
			}
		},

		PUBLISHER_OF_THE_HANDLER {
			@Override
			CallosumServer.Builder customize(CallosumServer.Builder builder, CompletableFuture<Boolean> running) {
				return builder.connectionHandler(
						(connection) -> Mono.delay(Duration.ofMillis(1)).doOnNext((tick) -> stop(running)).then());
			}
		},

		ALLOCATOR {
			@Override
			CallosumServer.Builder customize(CallosumServer.Builder builder, CompletableFuture<Boolean> running) {
				return builder.slotAllocator(new SlotAllocator() {

					@Override
					public int allocate(SlotRequest request) {
						stop(running);
						return 0;
					}

					@Override
					public void release(int slot) {
					}

				});
			}
		};

		CallosumServer server;

		abstract CallosumServer.Builder customize(CallosumServer.Builder builder, CompletableFuture<Boolean> running);

		void stop(CompletableFuture<Boolean> running) {
			this.server.stop();
			running.complete(this.server.userCode().isInUserCode() || Schedulers.isInNonBlockingThread());
		}

	}

}
