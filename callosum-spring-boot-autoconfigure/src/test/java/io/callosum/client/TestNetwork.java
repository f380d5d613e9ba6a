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
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.netty.channel.Channel;
import org.awaitility.Awaitility;
import org.awaitility.core.ThrowingRunnable;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;
import reactor.netty.tcp.SslProvider;

import io.callosum.client.Dial.Failure;
import io.callosum.server.BufferLeaks;
import io.callosum.server.Link;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * The network of a client without the pool, whose part the test plays. {@link #close()}
 * checks that nothing is left.
 */
final class TestNetwork implements AutoCloseable {

	static {
		BufferLeaks.watch();
	}

	private final Set<Channel> channels = ConcurrentHashMap.newKeySet();

	private final List<TestDial> dials = new CopyOnWriteArrayList<>();

	private final AtomicInteger ids = new AtomicInteger();

	private final ListAppender<ILoggingEvent> log = new ListAppender<>();

	private final TcpTransport transport;

	TestNetwork(Link link) {
		this(link, UnaryOperator.identity());
	}

	TestNetwork(Link link, UnaryOperator<CallosumClient.Builder> customizer) {
		this.log.start();
		((Logger) LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME)).addAppender(this.log);
		CallosumClient.Builder builder = CallosumClient.builder()
			.name("test")
			.servers(ServerAddress.of("127.0.0.1:1"))
			.connectTimeout(Duration.ofSeconds(20))
			.slotTimeout(Duration.ofSeconds(20))
			.acquireTimeout(Duration.ofSeconds(20))
			.nativeTransport(link.transport().isNative())
			.customizer((client) -> client.doOnChannelInit((observer, channel, remoteAddress) -> {
				this.channels.add(channel);
				channel.closeFuture().addListener((closed) -> this.channels.remove(channel));
			}));
		if (link.isSecure()) {
			SslProvider provider = ClientTls.provider();
			builder.sslProvider(() -> provider);
		}
		this.transport = new TcpTransport(customizer.apply(builder).settings(), () -> "c" + this.ids.incrementAndGet(),
				UnaryOperator.identity());
	}

	TcpTransport transport() {
		return this.transport;
	}

	/**
	 * Begin to dial.
	 */
	TestDial dial(InetSocketAddress server) {
		return dial(server, true);
	}

	TestDial dial(InetSocketAddress server, boolean keep) {
		TestDial dial = new TestDial(server, keep);
		this.dials.add(dial);
		dial.attempt = this.transport.dialler().dial(dial);
		return dial;
	}

	/**
	 * Dial, and wait until the connection is ready.
	 */
	TestDial connect(ScriptedServer server) {
		TestDial dial = dial(server.address());
		await("ready", () -> assertThat(dial.reports).contains("initialized"));
		return dial;
	}

	Set<Channel> channels() {
		return this.channels;
	}

	/**
	 * Return the messages logged as a warning or worse.
	 */
	List<String> warnings() {
		return List.copyOf(this.log.list)
			.stream()
			.filter((event) -> event.getLevel().isGreaterOrEqual(ch.qos.logback.classic.Level.WARN))
			.map((event) -> event.getLoggerName() + ": " + event.getFormattedMessage())
			.toList();
	}

	static void await(String what, ThrowingRunnable assertion) {
		Awaitility.await(what)
			.atMost(Duration.ofSeconds(60))
			.pollInterval(Duration.ofMillis(2))
			.untilAsserted(assertion);
	}

	@Override
	public void close() {
		try {
			this.dials.forEach(TestDial::close);
			// An event loop that has ended does not complete close futures
			await("closed", () -> assertThat(this.channels).noneMatch(Channel::isOpen));
			await("reported", () -> this.dials.forEach(TestDial::verifyEnd));
			this.transport.close();
			verifyNoThreadLeft();
			BufferLeaks.verifyNone();
			assertThat(warnings()).allMatch((warning) -> warning.contains(": Callosum client 'test', server "));
		}
		finally {
			this.transport.close();
			((Logger) LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME)).detachAppender(this.log);
		}
	}

	/**
	 * Verify that the event loops end, once their clients have stopped.
	 */
	static void verifyNoThreadLeft() {
		await("threads", () -> assertThat(Thread.getAllStackTraces().keySet()).extracting(Thread::getName)
			.noneMatch((name) -> name.startsWith("callosum-client-test")));
	}

	/**
	 * The pool's side of a dial, and of the resulting connection.
	 */
	final class TestDial implements Dial, PoolMember {

		private final InetSocketAddress server;

		private final boolean keep;

		private final List<String> reports = new CopyOnWriteArrayList<>();

		private volatile @Nullable Disposable attempt;

		private volatile @Nullable PooledConnection connection;

		private volatile int slot = -1;

		private volatile @Nullable Throwable cause;

		private volatile @Nullable CloseReason reason;

		private volatile long endedAt;

		private TestDial(InetSocketAddress server, boolean keep) {
			this.server = server;
			this.keep = keep;
		}

		@Override
		public InetSocketAddress server() {
			return this.server;
		}

		@Override
		public @Nullable PoolMember connected(PooledConnection connection, int slot) {
			this.connection = connection;
			this.slot = slot;
			this.reports.add("connected");
			return this.keep ? this : null;
		}

		@Override
		public void failed(Failure failure, Throwable cause) {
			this.cause = cause;
			this.endedAt = System.nanoTime();
			this.reports.add("failed " + failure);
		}

		@Override
		public void initialized() {
			this.reports.add("initialized");
		}

		@Override
		public void released() {
			this.reports.add("released");
		}

		@Override
		public void discarded(@Nullable Throwable cause) {
			this.reports.add("discarded");
		}

		@Override
		public void closed(CloseReason reason, @Nullable Throwable cause) {
			this.reason = reason;
			this.cause = cause;
			this.endedAt = System.nanoTime();
			this.reports.add("closed " + reason);
		}

		int slot() {
			return this.slot;
		}

		@Nullable Throwable cause() {
			return this.cause;
		}

		long endedAt() {
			return this.endedAt;
		}

		PooledConnection connection() {
			PooledConnection connection = this.connection;
			assertThat(connection).isNotNull();
			return connection;
		}

		PooledLease lease() {
			return connection().lease();
		}

		List<String> reports() {
			return this.reports;
		}

		void giveUp() {
			Disposable attempt = this.attempt;
			if (attempt != null) {
				attempt.dispose();
			}
		}

		void awaitReports(String... expected) {
			await("reports", () -> assertThat(this.reports).containsExactly(expected));
		}

		void awaitReport(String expected) {
			await("report", () -> assertThat(this.reports).contains(expected));
		}

		private void close() {
			giveUp();
			PooledConnection connection = this.connection;
			if (connection != null) {
				connection.close(CloseReason.STOPPED);
			}
		}

		private void verifyEnd() {
			List<String> ends = new ArrayList<>(this.reports);
			ends.removeIf((report) -> !report.startsWith("closed"));
			assertThat(ends).as("%s", this.reports).hasSize((this.keep && this.reports.contains("connected")) ? 1 : 0);
		}

	}

}
