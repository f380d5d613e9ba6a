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

package io.callosum.server.autoconfigure.actuate;

import io.netty.channel.ChannelPromise;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.List;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelHandlerContext;
import java.util.concurrent.Executors;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executor;
import java.util.concurrent.CountDownLatch;
import java.io.IOException;
import java.net.Socket;
import java.time.Duration;
import java.util.HashSet;
import java.util.Locale;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.netty.DisposableServer;

import org.springframework.boot.micrometer.metrics.autoconfigure.CompositeMeterRegistryAutoConfiguration;
import org.springframework.boot.micrometer.metrics.autoconfigure.MetricsAutoConfiguration;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.ApplicationContext;

import io.callosum.server.CallosumConnection;
import io.callosum.server.CallosumMetricsRecorder;
import io.callosum.server.CallosumServer;
import io.callosum.server.CallosumTcpServerCustomizer;
import io.callosum.server.ConnectionEvent;
import io.callosum.server.ConnectionHandler;
import io.callosum.server.EndReason;
import io.callosum.server.LowestSlotAllocator;
import io.callosum.server.RefusalReason;
import io.callosum.server.SlotRequestEvent;
import io.callosum.server.TestThreads;
import io.callosum.server.autoconfigure.actuate.Applications.Clients;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for the metrics of a server.
 */
@ParameterizedClass
@ValueSource(booleans = { true, false })
class CallosumMetricsTests {

	private static final String PREFIX = "callosum.server.";

	@Parameter
	boolean nativeTransport;

	@Test
	void everyMeterIsThereBeforeTheFirstConnection() {
		runner().run((context) -> {
			Set<String> expected = new TreeSet<>(Set.of("connections.active=0", "connections.accepted=0",
					"slots.highest=-1", "slot.requests.pending=0", "slot.requests.overdue=0", "slot.time=0",
					"accept.errors=0", "listener.errors=0", "event-loop.lag=0", "bytes{direction=received}=0",
					"bytes{direction=sent}=0"));
			for (RefusalReason reason : RefusalReason.values()) {
				expected.add("connections.refused{reason=" + tag(reason) + "}=0");
			}
			for (EndReason reason : EndReason.values()) {
				expected.add("connection.duration{reason=" + tag(reason) + "}=0");
			}
			assertThat(meters(context)).isEqualTo(expected);
		});
	}

	@Test
	void bytesOfTheApplicationAndSlotLinesAreCounted() {
		runner()
			.withBean(ConnectionHandler.class,
					() -> (connection) -> connection.outbound().send(connection.inbound().receive().retain()))
			.run((context) -> {
				try (Clients clients = new Clients()) {
					assertThat(clients.slot(Applications.server(context))).isZero();
					clients.first().getOutputStream().write(new byte[1000]);
					assertThat(clients.first().getInputStream().readNBytes(1000)).hasSize(1000);
					assertThat(meters(context)).contains("bytes{direction=received}=1000",
							"bytes{direction=sent}=1003");
				}
			});
	}

	@Test
	void eachConnectionAcceptedIsRefusedOrHasASlot() {
		runner().withPropertyValues("callosum.server.max-connections=3").run((context) -> {
			try (Clients clients = new Clients()) {
				for (int i = 0; i < 5; i++) {
					assertThat(clients.slot(Applications.server(context))).isEqualTo((i < 3) ? i : -1);
				}
				Applications.await(() -> assertThat(meters(context)).contains("connections.accepted=5",
						"connections.refused{reason=max-connections}=2", "connections.active=3", "slots.highest=2",
						"slot.time=3"));
				clients.first().close();
				Applications
					.await(() -> assertThat(meters(context)).contains("connections.active=2", "slots.highest=2"));
			}
			Applications.await(() -> assertThat(meters(context)).contains("connections.accepted=5",
					"connections.refused{reason=max-connections}=2", "connections.active=0", "slots.highest=-1",
					"slot.time=3", "connection.duration{reason=peer-closed}=3"));
		});
	}

	@Test
	void timesAreThoseOfTheConnection() {
		Duration answerAfter = Duration.ofMillis(100);
		runner()
			.withInitializer(Applications.on(SlotRequestEvent.class,
					(event) -> event.assign(Mono.delay(answerAfter).map(Long::intValue))))
			.run((context) -> {
				try (Clients clients = new Clients()) {
					assertThat(clients.slot(Applications.server(context))).isEqualTo(0);
				}
				Timer slotTime = registry(context).get(PREFIX + "slot.time").timer();
				Timer duration = registry(context).get(PREFIX + "connection.duration")
					.tag("reason", "peer-closed")
					.timer();
				Applications.await(() -> assertThat(duration.count()).isOne());
				assertThat(slotTime.max(TimeUnit.MILLISECONDS)).isBetween(100.0, 20_000.0);
				assertThat(duration.max(TimeUnit.MILLISECONDS)).isBetween(slotTime.max(TimeUnit.MILLISECONDS),
						20_000.0);
			});
	}

	@Test
	void theSlotTimeIncludesTheWaitForAnEventLoopThatIsHeld() {
		CountDownLatch accepted = new CountDownLatch(2);
		Duration held = Duration.ofMillis(300);
		List<Duration> slotTimes = new CopyOnWriteArrayList<>();
		runner().withPropertyValues("callosum.server.worker-threads=1")
			.withBean(CallosumMetricsRecorder.class, () -> recorder(slotTimes))
			.withBean(CallosumTcpServerCustomizer.class, () -> (tcpServer) -> tcpServer
				.doOnBound((bound) -> bound.channel().pipeline().addFirst(new ChannelInboundHandlerAdapter() {

					@Override
					public void channelRead(ChannelHandlerContext ctx, Object message) {
						ctx.fireChannelRead(message);
						accepted.countDown();
					}

				})))
			.withInitializer(Applications.on(SlotRequestEvent.class, (event) -> {
				if (event.getRequest().connectionId().equals("c1")) {
					TestThreads.await(accepted);
					TestThreads.pause(held);
				}
			}))
			.run((context) -> {
				try (Clients clients = new Clients()) {
					clients.connect(Applications.server(context));
					clients.connect(Applications.server(context));
					Applications.await(() -> assertThat(slotTimes).hasSize(2));
					assertThat(slotTimes).allSatisfy((slotTime) -> assertThat(slotTime).isGreaterThan(held));
				}
			});
	}

	@Test
	void theSlotTimeLeavesOutTheWaitOfListenersForAnExecutor() {
		CountDownLatch slotHeld = new CountDownLatch(1);
		CountDownLatch slotRead = new CountDownLatch(1);
		Duration busy = Duration.ofSeconds(1);
		List<Duration> slotTimes = new CopyOnWriteArrayList<>();
		ExecutorService executor = Executors.newSingleThreadExecutor();
		try {
			runner().withPropertyValues("callosum.server.listener-execution=task-executor")
				.withBean(CallosumMetricsRecorder.class, () -> recorder(slotTimes))
				.withBean("callosumTaskExecutor", Executor.class, () -> (task) -> executor.execute(() -> {
					task.run();
					slotHeld.countDown();
					TestThreads.await(slotRead);
					TestThreads.pause(busy);
				}))
				.withBean(CallosumTcpServerCustomizer.class, () -> (tcpServer) -> tcpServer.doOnChannelInit((observer,
						channel, address) -> channel.pipeline().addFirst(new ChannelOutboundHandlerAdapter() {

							@Override
							public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
								TestThreads.await(slotHeld);
								ctx.write(message, promise);
							}

						})))
				.run((context) -> {
					try (Clients clients = new Clients()) {
						long connecting = System.nanoTime();
						assertThat(clients.slot(Applications.server(context))).isZero();
						Duration connected = Duration.ofNanos(System.nanoTime() - connecting);
						slotRead.countDown();
						Applications.await(() -> assertThat(slotTimes).hasSize(1));
						assertThat(slotTimes.get(0)).isLessThan(connected.plus(busy));
					}
				});
		}
		finally {
			executor.shutdownNow();
		}
	}

	@Test
	void aRefusalForWantOfASlotIsCounted() {
		runner().withBean(LowestSlotAllocator.class, () -> new LowestSlotAllocator(1)).run((context) -> {
			try (Clients clients = new Clients()) {
				assertThat(clients.slot(Applications.server(context))).isEqualTo(0);
				assertThat(clients.slot(Applications.server(context))).isEqualTo(-1);
				Applications.await(() -> assertThat(meters(context)).contains("connections.accepted=2",
						"connections.active=1", "connections.refused{reason=no-slot-available}=1"));
			}
		});
	}

	@Test
	void aRejectionIsCounted() {
		runner()
			.withInitializer(Applications.on(SlotRequestEvent.class,
					(event) -> event.reject(new IllegalStateException("Not now"))))
			.run((context) -> {
				try (Clients clients = new Clients()) {
					assertThat(clients.slot(Applications.server(context))).isEqualTo(-1);
					Applications.await(() -> assertThat(meters(context)).contains("connections.accepted=1",
							"connections.active=0", "connections.refused{reason=slot-request-failed}=1"));
				}
			});
	}

	@Test
	void aRequestWhoseAnswerIsOverdueIsCountedUntilTheAnswerComes() {
		Sinks.One<Integer> answer = Sinks.one();
		withAnswer(answer.asMono()).withPropertyValues("callosum.server.slot-timeout=50ms").run((context) -> {
			try (Clients clients = new Clients()) {
				assertThat(clients.slot(Applications.server(context))).isEqualTo(-1);
				Applications.await(() -> assertThat(meters(context)).contains("connections.accepted=1",
						"connections.refused{reason=slot-timeout}=1", "slot.requests.overdue=1"));
				answer.tryEmitValue(7).orThrow();
				Applications.await(() -> assertThat(meters(context)).contains("slot.requests.overdue=0",
						"connections.refused{reason=slot-timeout}=1", "connections.active=0", "slots.highest=-1"));
			}
		});
	}

	@Test
	void aPeerThatLeavesBeforeItHasASlotIsCounted() {
		withAnswer(Mono.never()).run((context) -> {
			try (Clients clients = new Clients()) {
				clients.connect(Applications.server(context));
				clients.leave();
				Applications.await(() -> assertThat(meters(context)).contains("connections.accepted=1",
						"connections.refused{reason=connection-gone}=1"));
			}
		});
	}

	@Test
	void aRequestThatAStopOfTheServerEndsIsCounted() {
		withAnswer(Mono.never()).run((context) -> {
			try (Clients clients = new Clients()) {
				clients.connect(Applications.server(context));
				Applications.await(() -> assertThat(meters(context)).contains("connections.accepted=1"));
				Applications.server(context).stop();
				assertThat(meters(context)).contains("connections.refused{reason=server-stopped}=1");
			}
		});
	}

	@Test
	void whatEndsAConnectionIsCounted() {
		ConnectionHandler handler = (connection) -> connection.inbound()
			.receive()
			.asString()
			.next()
			.flatMap((command) -> obey(command, connection));
		runner().withBean(ConnectionHandler.class, () -> handler).run((context) -> {
			try (Clients clients = new Clients()) {
				CallosumServer server = Applications.server(context);
				for (String command : new String[] { "close", "complete", "complete", "fail" }) {
					Socket socket = clients.connect(server);
					Clients.readSlot(socket);
					Clients.send(socket, command);
					assertThat(Clients.read(socket)).isEqualTo(-1);
					socket.close();
				}
				Socket reset = clients.connect(server);
				Clients.readSlot(reset);
				reset.setSoLinger(true, 0);
				reset.close();
				Applications.await(() -> assertThat(meters(context)).contains(
						"connection.duration{reason=application-closed}=1",
						"connection.duration{reason=handler-completed}=2",
						"connection.duration{reason=handler-failed}=1", "connection.duration{reason=peer-reset}=1"));
				clients.slot(server);
				server.stop();
				assertThat(meters(context)).contains("connection.duration{reason=server-stopped}=1",
						"connections.accepted=6", "connections.active=0");
			}
		});
	}

	@Test
	void whatListenersThrowIsCounted() {
		runner().withInitializer(Applications.on(ConnectionEvent.class, (event) -> {
			throw new IllegalStateException("Listener");
		})).run((context) -> {
			try (Clients clients = new Clients()) {
				clients.slot(Applications.server(context));
				clients.slot(Applications.server(context));
				Applications
					.await(() -> assertThat(meters(context)).contains("listener.errors=2", "connections.active=2"));
			}
		});
	}

	@Test
	void whatIsNotAcceptedIsCounted() {
		AtomicReference<DisposableServer> listener = new AtomicReference<>();
		CallosumTcpServerCustomizer customizer = (server) -> server.doOnBound(listener::set);
		runner().withBean(CallosumTcpServerCustomizer.class, () -> customizer).run((context) -> {
			Applications.await(() -> assertThat(listener.get()).isNotNull());
			// What Netty does when there are no more file descriptors
			listener.get()
				.channel()
				.eventLoop()
				.execute(() -> listener.get()
					.channel()
					.pipeline()
					.fireExceptionCaught(new IOException("accept(..) failed: Too many open files")));
			Applications.await(() -> assertThat(meters(context)).contains("accept.errors=1"));
		});
	}

	@Test
	void thereAreNoMoreMetersWithMoreConnections() {
		runner().run((context) -> {
			Set<Meter.Id> before = ids(context);
			for (int i = 0; i < 200; i++) {
				try (Clients clients = new Clients()) {
					assertThat(clients.slot(Applications.server(context))).isNotNegative();
					clients.slot(Applications.server(context));
				}
			}
			Applications.await(() -> assertThat(meters(context)).contains("connections.accepted=400",
					"connections.active=0", "connection.duration{reason=peer-closed}=400"));
			assertThat(ids(context)).isEqualTo(before);
			assertThat(before.stream().flatMap((id) -> id.getTags().stream()).map(Tag::getKey)).containsOnly("reason",
					"direction");
		});
	}

	@Test
	void metersGoOnWhenTheServerIsStartedAgain() {
		runner().run((context) -> {
			try (Clients clients = new Clients()) {
				clients.slot(Applications.server(context));
				Applications.server(context).stop();
				Applications.server(context).start();
				clients.slot(Applications.server(context));
				context.stop();
				context.start();
				assertThat(clients.slot(Applications.server(context))).isZero();
				Applications.await(() -> assertThat(meters(context)).contains("connections.accepted=3",
						"connections.active=1", "slots.highest=0", "connection.duration{reason=server-stopped}=2"));
			}
		});
	}

	@Test
	void eachOfSeveralRegistriesHasTheMeters() {
		runner().withBean("other", SimpleMeterRegistry.class).run((context) -> {
			try (Clients clients = new Clients()) {
				clients.slot(Applications.server(context));
				for (String name : new String[] { "registry", "other" }) {
					MeterRegistry registry = context.getBean(name, MeterRegistry.class);
					Applications.await(() -> assertThat(meters(registry)).contains("connections.accepted=1",
							"connections.active=1", "slots.highest=0", "slot.time=1"));
				}
			}
		});
	}

	@Test
	void aRecorderOfTheApplicationWins() {
		AtomicInteger accepted = new AtomicInteger();
		CallosumMetricsRecorder own = new CallosumMetricsRecorder() {

			@Override
			public void accepted() {
				accepted.incrementAndGet();
			}

		};
		runner().withBean(CallosumMetricsRecorder.class, () -> own).run((context) -> {
			try (Clients clients = new Clients()) {
				assertThat(clients.slot(Applications.server(context))).isZero();
				assertThat(accepted).hasValue(1);
				assertThat(meters(context)).isEmpty();
			}
		});
	}

	@Test
	void thereAreNoneWhereTheyAreDisabled() {
		runner().withPropertyValues("management.metrics.enable.callosum=false").run((context) -> {
			try (Clients clients = new Clients()) {
				assertThat(clients.slot(Applications.server(context))).isZero();
				assertThat(registry(context).getMeters()).isEmpty();
			}
		});
	}

	@Test
	void thereAreNoneWithoutAServer() {
		runner().withPropertyValues("callosum.server.enabled=false")
			.run((context) -> assertThat(meters(context)).isEmpty());
	}

	@Test
	void thereAreNoneWithoutARegistry() {
		Applications.runner(CallosumMetricsAutoConfiguration.class)
			.run((context) -> assertThat(context).hasNotFailed()
				.hasSingleBean(CallosumServer.class)
				.doesNotHaveBean(CallosumMetricsRecorder.class));
	}

	@Test
	void thereAreNoneWithoutMicrometer() {
		Applications.runner(CallosumMetricsAutoConfiguration.class)
			.withClassLoader(new FilteredClassLoader("io.micrometer"))
			.run((context) -> {
				try (Clients clients = new Clients()) {
					assertThat(clients.slot(Applications.server(context))).isZero();
					assertThat(context).doesNotHaveBean(CallosumMetricsRecorder.class);
				}
			});
	}

	private static CallosumMetricsRecorder recorder(List<Duration> slotTimes) {
		return new CallosumMetricsRecorder() {

			@Override
			public void slotLineWritten(Duration sinceAccepted) {
				slotTimes.add(sinceAccepted);
			}

		};
	}

	private static Mono<Void> obey(String command, CallosumConnection connection) {
		switch (command) {
			case "complete" -> {
				return Mono.empty();
			}
			case "close" -> {
				connection.close();
				return Mono.never();
			}
			default -> {
				return Mono.error(new IllegalStateException(command));
			}
		}
	}

	private ApplicationContextRunner withAnswer(Publisher<Integer> answer) {
		return runner().withInitializer(Applications.on(SlotRequestEvent.class, (event) -> event.assign(answer)));
	}

	private ApplicationContextRunner runner() {
		return Applications
			.runner(MetricsAutoConfiguration.class, CompositeMeterRegistryAutoConfiguration.class,
					CallosumMetricsAutoConfiguration.class)
			.withBean("registry", SimpleMeterRegistry.class)
			.withPropertyValues(Applications.transport(this.nativeTransport));
	}

	private static MeterRegistry registry(ApplicationContext context) {
		return context.getBean(MeterRegistry.class);
	}

	private static Set<Meter.Id> ids(ApplicationContext context) {
		Set<Meter.Id> ids = new HashSet<>();
		registry(context).getMeters().forEach((meter) -> ids.add(meter.getId()));
		return ids;
	}

	/**
	 * Return the meters of the server in the form name{tag=value}=count.
	 */
	private static Set<String> meters(ApplicationContext context) {
		return meters(registry(context));
	}

	private static Set<String> meters(MeterRegistry registry) {
		Set<String> meters = new TreeSet<>();
		for (Meter meter : registry.getMeters()) {
			if (!meter.getId().getName().startsWith(PREFIX)) {
				continue;
			}
			StringBuilder text = new StringBuilder(meter.getId().getName().substring(PREFIX.length()));
			for (Tag tag : meter.getId().getTags()) {
				text.append('{').append(tag.getKey()).append('=').append(tag.getValue()).append('}');
			}
			double value = meter.match((gauge) -> gauge.value(), Counter::count, (timer) -> (double) timer.count(),
					(summary) -> Double.NaN, (longTaskTimer) -> Double.NaN, (timeGauge) -> Double.NaN,
					(functionCounter) -> Double.NaN, (functionTimer) -> Double.NaN, (other) -> Double.NaN);
			meters.add(text.append('=').append((int) value).toString());
		}
		return meters;
	}

	private static String tag(Enum<?> reason) {
		return reason.name().toLowerCase(Locale.ROOT).replace('_', '-');
	}

}
