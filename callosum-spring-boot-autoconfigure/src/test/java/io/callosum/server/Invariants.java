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
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collection;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Stream;

import io.netty.channel.Channel;
import org.awaitility.Awaitility;
import org.awaitility.core.ThrowingRunnable;
import reactor.netty.tcp.TcpServer;

import org.springframework.test.util.ReflectionTestUtils;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * What holds for every server at the end of every test, whatever has happened to it.
 * Starts watching before the server is built.
 */
final class Invariants implements CallosumTcpServerCustomizer {

	private static final Duration TIMEOUT = Duration.ofSeconds(30);

	/**
	 * How soon the last slot is back: one second, as a dedicated test verifies, plus two
	 * because in so many tests some thread has to wait.
	 */
	private static final Duration PROMISE = Duration.ofSeconds(3);

	static final String CONNECTIONS = "connections()";

	private static final Path DESCRIPTORS = Path.of("/proc/self/fd");

	static {
		BufferLeaks.watch();
		// Once the first socket is closed, the JDK keeps one of its own open
		try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress());
				Socket client = new Socket(server.getInetAddress(), server.getLocalPort())) {
			server.accept().close();
			assertThat(client.isConnected()).isTrue();
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	private final Set<Thread> threadsBefore = threads();

	private final Map<String, Integer> descriptorsBefore = descriptors();

	private final Map<String, AtomicInteger> measured = new ConcurrentHashMap<>();

	private final Set<Channel> open = ConcurrentHashMap.newKeySet();

	private final AtomicInteger accepted = new AtomicInteger();

	private final CountingAllocator allocator = new CountingAllocator();

	private boolean ownLoops = true;

	@Override
	public TcpServer customize(TcpServer server) {
		return server.doOnChannelInit((observer, channel, remoteAddress) -> {
			this.open.add(channel);
			this.accepted.incrementAndGet();
			channel.closeFuture().addListener((closed) -> this.open.remove(channel));
		});
	}

	/**
	 * Watch the server that a builder creates.
	 */
	CallosumServer.Builder watch(CallosumServer.Builder builder) {
		return builder.slotAllocator(this.allocator).customizer(this);
	}

	/**
	 * Expect event loops that outlive the server, and that open what they need on first
	 * use.
	 */
	void loopsOutliveTheServer() {
		this.ownLoops = false;
	}

	/**
	 * Return a recorder that counts calls and delegates them.
	 */
	CallosumMetricsRecorder counting(CallosumMetricsRecorder delegate) {
		return (CallosumMetricsRecorder) Proxy.newProxyInstance(getClass().getClassLoader(),
				new Class<?>[] { CallosumMetricsRecorder.class }, (proxy, method, arguments) -> {
					this.measured.computeIfAbsent(method.getName(), (name) -> new AtomicInteger()).incrementAndGet();
					try {
						return method.invoke(delegate, arguments);
					}
					catch (InvocationTargetException ex) {
						throw ex.getCause();
					}
				});
	}

	/**
	 * Return how often something was measured.
	 * @param method the method of {@link CallosumMetricsRecorder} that was called
	 */
	int measured(String method) {
		AtomicInteger count = this.measured.get(method);
		return (count != null) ? count.get() : 0;
	}

	/**
	 * Return how many connections were accepted, including those for which a customizer
	 * failed.
	 */
	int accepted() {
		return this.accepted.get();
	}

	Set<Integer> slotsInUse() {
		return this.allocator.inUse;
	}

	/**
	 * Check that no channel is open and no slot is held, soon after the last client has
	 * left.
	 */
	void verifyNobodyIsLeft(CallosumServer server) {
		long start = System.nanoTime();
		Stalls stalls = Stalls.from();
		await("nobody left", () -> assertThat(left(server)).isEmpty());
		long nanos = System.nanoTime() - start;
		assertThat(Duration.ofNanos(nanos)).as("until the last slot is back").isLessThan(stalls.allowFor(PROMISE));
	}

	/**
	 * Return what is currently held: connections, channels and slots.
	 */
	Map<String, Object> left(CallosumServer server) {
		Map<String, Object> left = new TreeMap<>();
		left.put(CONNECTIONS, server.connections());
		left.put("open channels", this.open.stream().filter(Invariants::isOpen).toList());
		left.put("slots in use", Set.copyOf(this.allocator.inUse));
		left.values().removeIf((held) -> ((Collection<?>) held).isEmpty());
		return left;
	}

	/**
	 * Return how many bytes the read-ahead budget of a server counts.
	 */
	static long readAheadHeld(CallosumServer server) {
		AtomicReference<?> run = (AtomicReference<?>) ReflectionTestUtils.getField(server, "run");
		return (run.get() instanceof ServerRun started) ? started.connections().readAheadBudget().held() : 0;
	}

	/**
	 * A channel whose event loop ended before the channel was closed may still claim to
	 * be open. Its file descriptor is checked separately.
	 */
	private static boolean isOpen(Channel channel) {
		return channel.isOpen() && !channel.eventLoop().isTerminated();
	}

	/**
	 * Check that as many channels are open as slots are held.
	 */
	void awaitConnections(CallosumServer server, int expected) {
		await("as many connections, channels and slots", () -> {
			assertThat(server.connections()).as("connections()").hasSize(expected);
			assertThat(this.open).as("open channels").filteredOn(Invariants::isOpen).hasSize(expected);
		});
	}

	/**
	 * Check what holds for a server that has stopped.
	 */
	void verifyNothingIsLeft(CallosumServer server, RecordedEvents events) {
		verifyNobodyIsLeft(server);
		assertThat(this.allocator.errors).as("slots given or taken back twice").hasValue(0);
		await("counts", () -> {
			assertThat(measured("refused") + measured("slotAssigned")).as("refused and leased")
				.isEqualTo(measured("accepted"));
			assertThat(measured("slotFreed")).as("freed").isEqualTo(measured("slotAssigned"));
		});
		await("the read-ahead budget", () -> assertThat(readAheadHeld(server)).isZero());
		events.verifyOrder();
		events.verifyEnd();
		await("threads", () -> assertThat(threads()).isSubsetOf(this.threadsBefore));
		BufferLeaks.verifyNone();
		await("file descriptors", this::verifyNoDescriptorLeaked);
	}

	private void verifyNoDescriptorLeaked() {
		Map<String, Integer> more = descriptors();
		this.descriptorsBefore.forEach((name, before) -> more.computeIfPresent(name, (key, now) -> now - before));
		more.values().removeIf((count) -> count <= 0);
		if (!this.ownLoops) {
			more.keySet().removeIf((name) -> name.startsWith("anon_inode:"));
		}
		assertThat(more).as("more file descriptors than before").isEmpty();
	}

	private static void await(String what, ThrowingRunnable assertion) {
		Awaitility.await(what).atMost(TIMEOUT).pollInterval(Duration.ofMillis(5)).untilAsserted(assertion);
	}

	/**
	 * Return the threads that only servers have.
	 */
	private static Set<Thread> threads() {
		Thread[] threads = new Thread[Thread.activeCount() + 100];
		int count = Thread.enumerate(threads);
		Set<Thread> found = ConcurrentHashMap.newKeySet();
		Arrays.stream(threads, 0, count)
			.filter((thread) -> thread.getName().startsWith("callosum"))
			.forEach(found::add);
		return found;
	}

	/**
	 * Count the open descriptors of this process by name, except for files, because the
	 * JVM opens some itself.
	 */
	private static Map<String, Integer> descriptors() {
		Map<String, Integer> descriptors = new TreeMap<>();
		if (Files.isDirectory(DESCRIPTORS)) {
			try (Stream<Path> list = Files.list(DESCRIPTORS)) {
				list.forEach((descriptor) -> {
					String name = name(descriptor);
					if (name.startsWith("socket:") || name.startsWith("anon_inode:")) {
						descriptors.merge(name, 1, Integer::sum);
					}
				});
			}
			catch (IOException ex) {
				throw new UncheckedIOException(ex);
			}
		}
		return descriptors;
	}

	private static String name(Path descriptor) {
		try {
			return Files.readSymbolicLink(descriptor).toString();
		}
		catch (IOException ex) {
			// Closed meanwhile
			return "";
		}
	}

	/**
	 * Counts what it allocates and releases, on top of the default allocator.
	 */
	private static final class CountingAllocator implements SlotAllocator {

		private final LowestSlotAllocator delegate = new LowestSlotAllocator();

		private final Set<Integer> inUse = ConcurrentHashMap.newKeySet();

		private final AtomicInteger errors = new AtomicInteger();

		@Override
		public int allocate(SlotRequest request) {
			int slot = this.delegate.allocate(request);
			if (!this.inUse.add(slot)) {
				this.errors.incrementAndGet();
			}
			return slot;
		}

		@Override
		public void release(int slot) {
			if (!this.inUse.remove(slot)) {
				this.errors.incrementAndGet();
			}
			this.delegate.release(slot);
		}

	}

}
