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
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.IntStream;

import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

import io.callosum.server.TestClient;
import io.callosum.server.TestTls;
import io.callosum.server.Transport;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Connects for a long time, with most connections ending badly on one or both sides:
 * whatever a server holds, it must not hold more of it at the end. Not part of the build:
 * run {@code mvn -Psoak verify}, with {@code -Dsoak.duration} (ISO 8601),
 * {@code -Dsoak.rate} (connections per second) and {@code -Dsoak.seed}.
 */
class ConnectionSoak {

	private static final Duration DURATION = Duration.parse(System.getProperty("soak.duration", "PT10M"));

	private static final int RATE = Integer.getInteger("soak.rate", 200);

	private static final long SEED = Long.getLong("soak.seed", System.nanoTime());

	private static final int SAMPLES = 30;

	/**
	 * The errors that a server may report: those that the {@link Behavior behaviors}
	 * cause, and those that clients cause in a handshake.
	 */
	private static final Set<String> ERRORS = Set.of("ERROR IllegalStateException", "ERROR OutOfMemoryError",
			"ERROR StackOverflowError", "ERROR TimeoutException", "ERROR NotSslRecordException",
			"ERROR SslHandshakeTimeoutException",
			// Where random bytes look like a record, of any length; depends on the
			// implementation of TLS
			"ERROR SSLException", "ERROR SSLHandshakeException", "ERROR OpenSslHandshakeException",
			"ERROR TooLongFrameException",
			// See StandaloneApplication
			"ERROR ConnectionGone");

	/**
	 * How much more there may be at the end than after the warm-up, when no connection is
	 * open. With a pool, direct memory is what the pool has reserved, in steps of a few
	 * megabytes.
	 */
	private static final Map<String, Long> AT_REST = Map.of("descriptors", 1L, "threads", 1L, "meters", 0L, "heap",
			1_000_000L, "buffers", 0L, "direct", 8_000_000L, "netty", 8_000_000L);

	/**
	 * How much the median of the last third of the samples may exceed that of the first
	 * third, in addition to a tenth.
	 */
	private static final Map<String, Long> UNDER_LOAD = Map.of("sockets", 15L, "descriptors", 15L, "threads", 2L,
			"meters", 0L, "slots", 15L, "leases", 15L, "heap", 1_000_000L, "buffers", 4_000_000L);

	@TempDir
	private Path directory;

	private final Random random = new Random(SEED);

	private final List<Subject> subjects = new ArrayList<>();

	private final ExecutorService clients = Executors.newCachedThreadPool();

	private final ScheduledExecutorService timer = Executors.newScheduledThreadPool(4);

	private final AtomicInteger open = new AtomicInteger();

	private final AtomicInteger connected = new AtomicInteger();

	private final AtomicReference<Throwable> failure = new AtomicReference<>();

	@AfterEach
	void end() {
		this.timer.shutdownNow();
		this.clients.shutdownNow();
		// Close all of them, even if one fails
		SoftAssertions.assertSoftly((softly) -> this.subjects
			.forEach((subject) -> softly.assertThatCode(subject.application::close).doesNotThrowAnyException()));
	}

	@Test
	void aServerHoldsNoMoreAfterManyConnectionsThatEndInEveryWay() throws Exception {
		System.out.printf("Soak: %s, %d connections a second, seed %d%n", DURATION, RATE, SEED);
		for (Transport transport : Transport.values()) {
			this.subjects.add(new Subject(transport, false));
			this.subjects.add(new Subject(transport, true));
		}
		// Until all classes are loaded, and all pools have reached their size
		long count = run(DURATION.dividedBy(6), 0);
		this.subjects.forEach((subject) -> subject.before = subject.rest());
		count += run(DURATION.dividedBy(6).multipliedBy(5), SAMPLES);
		this.subjects.forEach((subject) -> subject.after = subject.rest());
		this.subjects.forEach(Subject::verifyLowestSlots);
		StringBuilder report = new StringBuilder(
				"%d connections, seed %d, medians of the first and the last third%n".formatted(count, SEED));
		this.subjects.forEach((subject) -> subject.report(report));
		System.out.print(report);
		Files.writeString(Path.of("target", "soak.txt"), report);
		SoftAssertions.assertSoftly((softly) -> {
			softly.assertThat(this.connected.get())
				.as("connections made")
				.isGreaterThan((int) (RATE * DURATION.toMillis() / 1000 * 9 / 10));
			this.subjects.forEach((subject) -> subject.verify(softly));
		});
	}

	/**
	 * Let clients connect for a while, and wait until they have left.
	 * @return how many
	 */
	private long run(Duration duration, int samples) throws InterruptedException {
		this.subjects.forEach(Subject::hold);
		List<? extends Future<?>> heartbeats = this.subjects.stream()
			.map((subject) -> this.timer.scheduleWithFixedDelay(attempt(subject::beat), 0, 200, TimeUnit.MILLISECONDS))
			.toList();
		long start = System.nanoTime();
		long count = 0;
		int sampled = 0;
		while (System.nanoTime() - start < duration.toNanos()) {
			TimeUnit.NANOSECONDS.sleep(start + count * TimeUnit.SECONDS.toNanos(1) / RATE - System.nanoTime());
			count += come();
			if (System.nanoTime() - start > duration.toNanos() * (sampled + 1) / (samples + 1)) {
				sampled++;
				this.clients.execute(attempt(
						() -> this.subjects.forEach((subject) -> subject.samples.add(subject.application.state()))));
			}
			assertThat(this.failure.get()).as("failure").isNull();
		}
		ApplicationProcess.await("clients", () -> assertThat(this.open).hasValue(0));
		heartbeats.forEach((heartbeat) -> heartbeat.cancel(false));
		assertThat(this.failure.get()).as("failure").isNull();
		return count;
	}

	/**
	 * Let a random client connect, or sometimes so many that some are refused.
	 * @return how many
	 */
	private int come() {
		Subject subject = this.subjects.get(this.random.nextInt(this.subjects.size()));
		Behavior behavior = Behavior.values()[this.random.nextInt(Behavior.values().length)];
		Conduct conduct = Conduct.values()[this.random.nextInt(Conduct.values().length)];
		int count = (this.random.nextInt(200) == 0) ? 2 * Subject.MAX_PER_ADDRESS : 1;
		for (int i = 0; i < count; i++) {
			long seed = this.random.nextLong();
			this.open.incrementAndGet();
			this.clients.execute(attempt(() -> {
				try (Socket socket = behavior.connect(subject.address)) {
					this.connected.incrementAndGet();
					// Even if the server has no reason to close
					Future<?> limit = this.timer.schedule(() -> close(socket), 10, TimeUnit.SECONDS);
					conduct.act.carryOut(new Visit(behavior, socket, subject.client(socket), new Random(seed)));
					limit.cancel(false);
				}
				catch (IOException | UncheckedIOException ex) {
					// Most of them end like this
				}
				finally {
					this.open.decrementAndGet();
				}
			}));
		}
		return count;
	}

	private static void close(Socket socket) {
		try {
			socket.close();
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	private Runnable attempt(Attempt attempt) {
		return () -> {
			try {
				attempt.run();
			}
			catch (Throwable ex) {
				this.failure.compareAndSet(null, ex);
			}
		};
	}

	private interface Attempt {

		void run() throws Exception;

	}

	/**
	 * A server under test, and what was seen of it.
	 */
	private final class Subject {

		private static final int MAX_PER_ADDRESS = 12;

		private final String name;

		private final boolean tls;

		private final ApplicationProcess application;

		private final InetSocketAddress address;

		private final List<Map<String, Long>> samples = new CopyOnWriteArrayList<>();

		private Map<String, Long> before;

		private Map<String, Long> after;

		private TestClient holder;

		private volatile long slowestBeat;

		private Subject(Transport transport, boolean tls) {
			this.name = transport + (tls ? " with TLS" : "");
			this.tls = tls;
			ApplicationProcess.Launcher launcher = ApplicationProcess.launcher(ConnectionSoak.this.directory, transport)
				.server("slot-timeout=500ms", "idle-timeout=4s", "write-timeout=1s", "ssl.handshake-timeout=1s",
						"max-connections-per-address=" + MAX_PER_ADDRESS);
			if (tls) {
				launcher.tls().arguments("--test.handler=true");
			}
			if (transport.isNative()) {
				// A pool keeps memory after each new peak. Without one, every buffer
				// counts
				launcher.options("-Dio.netty.allocator.type=unpooled");
			}
			if (tls == transport.isNative()) {
				launcher.server("listener-execution=task-executor");
			}
			this.application = launcher.start();
			this.address = this.application.address();
		}

		/**
		 * Connect a client that stays, and talks forever.
		 */
		private void hold() {
			try {
				this.holder = client(Behavior.ECHO.connect(this.address));
				assertThat(this.holder.readSlot()).as("lowest free slot").isZero();
			}
			catch (IOException ex) {
				throw new UncheckedIOException(ex);
			}
		}

		private void beat() {
			long start = System.nanoTime();
			assertThat(this.holder.send("x").read()).as(this.name + ": answer to a client that has done nothing bad")
				.isEqualTo('x');
			this.slowestBeat = Math.max(this.slowestBeat, System.nanoTime() - start);
		}

		private TestClient client(Socket socket) throws IOException {
			return new TestClient(this.address, this.tls ? TestTls.layeredSocket(socket) : socket);
		}

		/**
		 * Let the last client leave, and wait until the server has noticed.
		 */
		private Map<String, Long> rest() {
			this.holder.close();
			Map<String, Long> state;
			long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(15);
			do {
				state = this.application.state();
			}
			while (!isAtRest(state) && System.nanoTime() - deadline < 0);
			return state;
		}

		/**
		 * Check that slots are assigned from 0 on, for more clients than usual.
		 */
		private void verifyLowestSlots() {
			List<TestClient> clients = new ArrayList<>();
			TreeSet<Integer> slots = new TreeSet<>();
			try {
				for (Behavior behavior : List.of(Behavior.NONE, Behavior.ECHO, Behavior.STALL, Behavior.TICK)) {
					for (int i = 0; i < MAX_PER_ADDRESS; i++) {
						TestClient client = client(behavior.connect(this.address));
						clients.add(client);
						slots.add(client.readSlot());
					}
				}
			}
			catch (IOException ex) {
				throw new UncheckedIOException(ex);
			}
			finally {
				clients.forEach(TestClient::close);
			}
			assertThat(slots).as(this.name + ": slots at the end")
				.containsExactlyElementsOf(IntStream.range(0, clients.size()).boxed().toList());
		}

		private boolean isAtRest(Map<String, Long> state) {
			Map<String, Long> before = this.before;
			return ApplicationProcess.NOTHING.stream().allMatch((key) -> state.get(key) == 0)
					&& (before == null || AT_REST.keySet()
						.stream()
						.allMatch((key) -> state.get(key) <= before.get(key) + AT_REST.get(key)));
		}

		private void report(StringBuilder report) {
			report.append("%n%-30s %12s %12s %12s %12s%n".formatted(this.name, "warm, idle", "first", "last", "idle"));
			for (String key : new TreeMap<>(this.before).keySet()) {
				if (!key.startsWith("c") || key.equals("channels") || key.equals("connections")) {
					report.append("%-30s %12d %12d %12d %12d%n".formatted(key, this.before.get(key), first(key),
							last(key), this.after.get(key)));
				}
			}
			report.append(
					"%-30s %12d%n".formatted("slowest answer (ms)", TimeUnit.NANOSECONDS.toMillis(this.slowestBeat)));
			report.append("%-30s %12d %12d%n".formatted("slots a minute, least and mean", Collections.min(rates()),
					rate(0, this.samples.size() - 1)));
			events().forEach((event, count) -> report.append("%-30s %12d%n".formatted(event, count)));
		}

		/**
		 * Return how often the application received each event.
		 */
		private Map<String, Integer> events() {
			Map<String, Integer> events = new TreeMap<>();
			this.application.output()
				.lines()
				.filter((line) -> line.matches("(CONNECTED|FREE|ERROR) .*"))
				.map((line) -> line.startsWith("FREE") ? "FREE " + line.split(" ")[2] : line.replaceAll(" [0-9]+", ""))
				.forEach((line) -> events.merge(line, 1, Integer::sum));
			return events;
		}

		/**
		 * Return how many slots were assigned per minute, in each tenth of the time.
		 */
		private List<Long> rates() {
			int last = this.samples.size() - 1;
			return IntStream.range(0, 10).mapToObj((i) -> rate(last * i / 10, last * (i + 1) / 10)).toList();
		}

		private long rate(int from, int to) {
			Map<String, Long> first = this.samples.get(from);
			Map<String, Long> last = this.samples.get(to);
			return TimeUnit.MINUTES.toMillis(1) * (last.get("assigned") - first.get("assigned"))
					/ (last.get("clock") - first.get("clock"));
		}

		private void verify(SoftAssertions softly) {
			softly.assertThat(rates())
				.as(this.name + ": slots a minute, in each tenth of the time")
				// In a soak of a few seconds, chance halves it now and then
				.allMatch((rate) -> rate > rate(0, this.samples.size() - 1) / 4);
			softly.assertThat(events().keySet())
				.as(this.name + ": errors")
				.filteredOn((event) -> event.startsWith("ERROR "))
				.isSubsetOf(ERRORS);
			for (String key : ApplicationProcess.NOTHING) {
				softly.assertThat(this.after.get(key)).as(this.name + ", at the end: " + key).isZero();
			}
			AT_REST.forEach((key, more) -> softly.assertThat(this.after.get(key))
				.as(this.name + ", idle: " + key)
				.isLessThanOrEqualTo(this.before.get(key) + more));
			UNDER_LOAD.forEach((key, more) -> softly.assertThat(last(key))
				.as(this.name + ", under load: " + key)
				.isLessThanOrEqualTo(first(key) + first(key) / 10 + more));
		}

		private long first(String key) {
			return median(key, this.samples.subList(0, this.samples.size() / 3));
		}

		private long last(String key) {
			return median(key, this.samples.subList(this.samples.size() * 2 / 3, this.samples.size()));
		}

		private static long median(String key, List<Map<String, Long>> samples) {
			return samples.stream().mapToLong((sample) -> sample.get(key)).sorted().toArray()[samples.size() / 2];
		}

	}

	/**
	 * What a client does before it leaves, gracefully unless it has done otherwise.
	 */
	private enum Conduct {

		LEAVE((visit) -> {
		}),

		RESET(Visit::reset),

		READ_SLOT(Visit::readSlot),

		READ_SLOT_AND_RESET((visit) -> {
			visit.readSlot();
			visit.reset();
		}),

		HALF_CLOSE((visit) -> {
			visit.socket.shutdownOutput();
			visit.readToEnd(1);
		}),

		SEND((visit) -> visit.client.send(visit.bytes(100_000))),

		SEND_AND_RESET((visit) -> {
			visit.client.send(visit.bytes(100_000));
			visit.reset();
		}),

		TALK((visit) -> {
			visit.readSlot();
			visit.client.send(visit.bytes(10_000));
			visit.socket.setSoTimeout(500);
			visit.client.read(5000);
		}),

		READ_SLOWLY((visit) -> {
			visit.readSlot();
			visit.readToEnd(20);
		}),

		NEVER_READ((visit) -> {
			visit.client.send("x");
			Visit.pause(1500);
		}),

		SEND_GARBAGE((visit) -> {
			visit.socket.getOutputStream().write(visit.bytes(1000));
			visit.readToEnd(1);
		}),

		STALL_HANDSHAKE((visit) -> {
			byte[] hello = TestTls.clientHello();
			visit.socket.getOutputStream().write(hello, 0, visit.random.nextInt(hello.length));
			visit.readToEnd(1);
		});

		private final Act act;

		Conduct(Act act) {
			this.act = act;
		}

	}

	private interface Act {

		void carryOut(Visit visit) throws IOException;

	}

	/**
	 * A connection of a client that misbehaves. What the client sends and reads goes
	 * through TLS, if there is any, and what goes through the socket does not.
	 */
	private record Visit(Behavior behavior, Socket socket, TestClient client, Random random) {

		private void readSlot() {
			// A reset discards what has arrived but was not read
			assertThat(this.client.readLine()).as(this.behavior.name())
				.matches(this.behavior.isSlotAssigned() ? "|(0|[1-9][0-9]*)(\r\n?)?" : "");
		}

		private void reset() throws IOException {
			this.socket.setSoLinger(true, 0);
		}

		private byte[] bytes(int maxLength) {
			byte[] bytes = new byte[this.random.nextInt(maxLength)];
			this.random.nextBytes(bytes);
			return bytes;
		}

		/**
		 * Read until the end, or for 5 s, with a pause after each piece: a peer that
		 * reads everything at once may keep an event loop to itself.
		 */
		private void readToEnd(long pauseMillis) throws IOException {
			this.socket.setSoTimeout(5000);
			byte[] buffer = new byte[1000];
			long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(5);
			while (this.socket.getInputStream().read(buffer) != -1 && System.nanoTime() - deadline < 0) {
				pause(pauseMillis);
			}
		}

		private static void pause(long millis) {
			try {
				TimeUnit.MILLISECONDS.sleep(millis);
			}
			catch (InterruptedException ex) {
				throw new IllegalStateException(ex);
			}
		}

	}

}
