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

package io.callosum.client.autoconfigure;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.slf4j.LoggerFactory;
import reactor.core.scheduler.Schedulers;

import org.springframework.beans.factory.annotation.Autowired;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.SmartLifecycle;

import io.callosum.client.CallosumClient;
import io.callosum.client.CallosumLease;
import io.callosum.client.ClientSnapshot;
import io.callosum.client.LeaseUnavailableException;
import io.callosum.client.ServerAddress;
import io.callosum.server.CallosumServer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.mockito.ArgumentMatchers.any;
import static org.mockito.BDDMockito.willThrow;
import static org.mockito.Mockito.mock;

/**
 * Tests for how auto-configured clients start and stop with their context.
 *
 * @author The Callosum authors
 */
class CallosumClientLifecycleTests {

	private final ApplicationContextRunner runner = TestApplications.runner();

	/**
	 * The threads of other tests, whose contexts may still be cached.
	 */
	private final Set<Thread> threadsBefore = Thread.getAllStackTraces().keySet();

	@ParameterizedTest
	@ValueSource(booleans = { true, false })
	void aStoppedContextCanBeStartedAgainAndAgain(boolean nativeTransport) {
		this.runner.withPropertyValues("callosum.client.native-transport=" + nativeTransport).run((context) -> {
			CallosumClient client = context.getBean(CallosumClient.class);
			for (int i = 0; i < 3; i++) {
				// The server has another port each time
				assertThat(TestApplications.echo(client, "hello")).isEqualTo("hello");
				context.stop();
				assertThat(client.isRunning()).isFalse();
				assertThat(client.snapshot().members()).isEmpty();
				TestApplications.await(() -> assertThat(clientThreads()).isZero());
				context.start();
				assertThat(client.isRunning()).isTrue();
			}
		});
	}

	@Test
	void aClientStartsAgainAfterATestWithVirtualTime() {
		this.runner.run((context) -> {
			CallosumClient client = context.getBean(CallosumClient.class);
			TestApplications.awaitFull(client);
			// As at the end of StepVerifier.withVirtualTime()
			Schedulers.resetFactory();
			context.stop();
			context.start();
			assertThat(TestApplications.echo(client, "hello")).isEqualTo("hello");
		});
	}

	@Test
	void noThreadOfAClientIsLeftAtTheEnd() {
		this.runner.run((context) -> {
			TestApplications.awaitFull(context.getBean(CallosumClient.class));
			assertThat(clientThreads()).isPositive();
		});
		TestApplications.await(() -> assertThat(clientThreads()).isZero());
	}

	@Test
	void aStartNeitherWaitsNorFailsWithoutAServer() throws IOException {
		// Bound but not listening, so that no other process can get the port
		try (Socket refusing = new Socket()) {
			refusing.bind(new InetSocketAddress("127.0.0.1", 0));
			this.runner
				.withPropertyValues("callosum.server.enabled=false",
						"callosum.client.servers=127.0.0.1:" + refusing.getLocalPort(),
						"callosum.client.service.late.servers=localhost:${never.set}",
						"callosum.client.acquire-timeout=50ms")
				.run((context) -> {
					assertThat(context).hasNotFailed().doesNotHaveBean(CallosumServer.class);
					CallosumClients clients = context.getBean(CallosumClients.class);
					assertThat(clients.stream()).hasSize(2).allMatch(CallosumClient::isRunning);
					for (String name : clients.names()) {
						assertThatExceptionOfType(LeaseUnavailableException.class)
							.isThrownBy(() -> clients.get(name).acquire().block(TestApplications.TIMEOUT));
					}
				});
		}
	}

	@Test
	void aBeanThatDrainsWithTheWebServersCanStillLease() {
		AtomicReference<String> answer = new AtomicReference<>();
		external((runner) -> runner.withBean(DrainingServer.class, () -> new DrainingServer(answer))
			.run((context) -> TestApplications.awaitFull(context.getBean(CallosumClient.class))));
		assertThat(answer).hasValue("bye");
	}

	@Test
	void leasesMayEndWithinTheTimeoutOfThePhase() {
		external((runner) -> runner.run((context) -> {
			CallosumClient client = context.getBean(CallosumClient.class);
			CallosumLease lease = client.acquire().block(TestApplications.TIMEOUT);
			Thread stop = new Thread(context::close);
			stop.start();
			TestApplications
				.await(() -> assertThat(client.snapshot().state()).isEqualTo(ClientSnapshot.State.STOPPING));
			assertThatExceptionOfType(LeaseUnavailableException.class)
				.isThrownBy(() -> client.acquire().block(TestApplications.TIMEOUT))
				.satisfies((ex) -> assertThat(ex.getReason()).isEqualTo(LeaseUnavailableException.Reason.NOT_RUNNING));
			assertThat(stop.isAlive()).isTrue();
			lease.release();
			stop.join(TestApplications.TIMEOUT.toMillis());
			assertThat(stop.isAlive()).isFalse();
			assertThat(client.isRunning()).isFalse();
		}));
	}

	@Test
	@Timeout(60)
	void leasesThatDoNotEndAreCutAtTheTimeoutOfThePhase() {
		external((runner) -> runner.withPropertyValues("spring.lifecycle.timeout-per-shutdown-phase=300ms")
			.run((context) -> {
				CallosumClient client = context.getBean(CallosumClient.class);
				assertThat(client.acquire().block(TestApplications.TIMEOUT)).isNotNull();
				context.close();
				assertThat(client.isRunning()).isFalse();
			}));
	}

	@ParameterizedTest
	@ValueSource(strings = { "callosum.client.shutdown", "callosum.client.service.orders.shutdown" })
	@Timeout(60)
	void anImmediateShutdownDoesNotWaitForLeases(String key) {
		external((runner) -> runner
			.withPropertyValues("spring.lifecycle.timeout-per-shutdown-phase=1h", key + "=immediate",
					"callosum.client.service.orders.servers=${callosum.client.servers}")
			.run((context) -> {
				CallosumClient client = context.getBean(CallosumClients.class).get("orders");
				assertThat(client.acquire().block(TestApplications.TIMEOUT)).isNotNull();
				context.close();
				assertThat(client.isRunning()).isFalse();
			}));
	}

	@Test
	void aClientThatTheApplicationHasStartedInAStoppedContextEndsWithTheContext() {
		this.runner.run((context) -> {
			CallosumClient client = context.getBean(CallosumClient.class);
			context.stop();
			client.start();
			context.close();
			assertThat(client.isRunning()).isFalse();
		});
		TestApplications.await(() -> assertThat(clientThreads()).isZero());
	}

	@Test
	void aDrainThatFailsIsLoggedByTheLoggerOfTheClientAndEnds() throws InterruptedException {
		CallosumClient client = mock(CallosumClient.class);
		willThrow(new IllegalStateException("test")).given(client).stop(any());
		ListAppender<ILoggingEvent> log = new ListAppender<>();
		log.start();
		Logger logger = (Logger) LoggerFactory.getLogger(CallosumClient.class);
		logger.addAppender(log);
		try {
			CountDownLatch ended = new CountDownLatch(1);
			new ClientGracefulShutdownLifecycle(() -> List.of(client)).stop(ended::countDown);
			assertThat(ended.await(TestApplications.TIMEOUT.toSeconds(), TimeUnit.SECONDS)).isTrue();
		}
		finally {
			logger.detachAppender(log);
		}
		assertThat(log.list).singleElement()
			.satisfies(
					(event) -> assertThat(event.getFormattedMessage()).startsWith("Failed to wait for the leases of"));
	}

	@Test
	void connectionDetailsComeBeforeTheProperties() {
		external((runner) -> {
			AtomicReference<String> servers = new AtomicReference<>();
			runner
				.withInitializer(
						(context) -> servers.set(context.getEnvironment().getProperty("callosum.client.servers")))
				.withBean(CallosumClientConnectionDetails.class,
						() -> (name) -> List.of(ServerAddress.of(servers.get())))
				.withPropertyValues("callosum.client.service.orders.servers=127.0.0.1:1")
				.run((context) -> assertThat(
						TestApplications.echo(context.getBean(CallosumClients.class).get("orders"), "hello"))
					.isEqualTo("hello"));
		});
	}

	/**
	 * Run a test with applications that have only a client, whose server outlives them.
	 */
	private static void external(Consumer<ApplicationContextRunner> test) {
		CallosumServer server = CallosumServer.builder()
			.host("127.0.0.1")
			.port(0)
			.connectionHandler((connection) -> connection.outbound().send(connection.inbound().receive().retain()))
			.build();
		server.start();
		try {
			test.accept(TestApplications.runner()
				.withPropertyValues("callosum.server.enabled=false",
						"callosum.client.servers=127.0.0.1:" + server.address().getPort()));
		}
		finally {
			server.stop();
		}
	}

	private long clientThreads() {
		return Thread.getAllStackTraces()
			.keySet()
			.stream()
			.filter((thread) -> thread.getName().startsWith("callosum-client") && !this.threadsBefore.contains(thread))
			.count();
	}

	/**
	 * Stops in the phase in which web servers drain.
	 */
	static class DrainingServer implements SmartLifecycle {

		private final AtomicReference<String> answer;

		@Autowired
		private CallosumClient client;

		private boolean running;

		DrainingServer(AtomicReference<String> answer) {
			this.answer = answer;
		}

		@Override
		public void start() {
			this.running = true;
		}

		@Override
		public void stop() {
			this.answer.set(TestApplications.echo(this.client, "bye"));
			this.running = false;
		}

		@Override
		public boolean isRunning() {
			return this.running;
		}

		@Override
		public int getPhase() {
			return DEFAULT_PHASE - 2048;
		}

	}

}
