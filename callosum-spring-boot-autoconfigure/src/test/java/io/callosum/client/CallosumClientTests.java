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

import java.io.IOException;
import java.net.SocketTimeoutException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;

import io.netty.handler.timeout.ReadTimeoutException;
import org.assertj.core.api.ThrowingConsumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.reactivestreams.Subscription;
import reactor.core.Disposable;
import reactor.core.publisher.BaseSubscriber;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;

import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;

import io.callosum.client.FakeConnection.FakeLease;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatException;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

/**
 * Tests for what {@link CallosumClient} does for its callers, without a network.
 */
@Timeout(30)
class CallosumClientTests {

	private final List<FakeTransport> transports = new CopyOnWriteArrayList<>();

	private final List<CallosumClientEvent> events = new CopyOnWriteArrayList<>();

	private final List<String> measurements = new CopyOnWriteArrayList<>();

	private final CallosumClient.Builder builder = CallosumClient.builder()
		.name("orders")
		.servers(new ServerAddress("unused", 4040))
		.poolSize(1)
		.rovingInterval(Duration.ofHours(1))
		.acquireTimeout(Duration.ofSeconds(10))
		.eventPublisher((event) -> this.events.add((CallosumClientEvent) event))
		.metricsRecorder(new Recorder());

	private CallosumClient client;

	private CallosumClient start() {
		this.client = new CallosumClient(this.builder.settings(), (settings, ids) -> {
			FakeTransport transport = new FakeTransport(ids);
			this.transports.add(transport);
			return transport;
		});
		this.client.start();
		return this.client;
	}

	private FakeTransport transport() {
		return this.transports.get(this.transports.size() - 1);
	}

	private FakeConnection connection() {
		await(() -> !transport().open.isEmpty());
		return transport().open.get(0);
	}

	/**
	 * Wait until the connection is ready and not leased.
	 */
	private FakeConnection idleConnection() {
		await(() -> this.client.snapshot().members().stream().anyMatch((member) -> !member.leased()));
		return connection();
	}

	private static void await(java.util.function.BooleanSupplier condition) {
		long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
		while (!condition.getAsBoolean()) {
			assertThat(System.nanoTime()).isLessThan(end);
			Thread.onSpinWait();
		}
	}

	@AfterEach
	void nothingIsLeft() {
		if (this.client != null) {
			this.client.stop();
			assertThat(this.client.isRunning()).isFalse();
			for (FakeTransport transport : this.transports) {
				assertThat(transport.closed).isTrue();
				assertThat(transport.open).isEmpty();
				assertThat(transport.pendingTimers()).isZero();
			}
		}
	}

	// Acquire

	@Test
	void aLeaseThatReachesItsSubscriberIsItsOwn() {
		CallosumClient client = start();
		List<CallosumLease> leases = new CopyOnWriteArrayList<>();
		Disposable subscription = client.acquire().doOnNext(leases::add).subscribe();
		await(() -> !leases.isEmpty());
		subscription.dispose();
		assertThat(client.snapshot().members()).hasSize(1).allMatch(ClientSnapshot.Member::leased);
		leases.get(0).release();
		assertThat(client.snapshot().members()).noneMatch(ClientSnapshot.Member::leased);
		assertThat(this.measurements).contains("acquire ACQUIRED", "lease RELEASED");
	}

	@Test
	void nothingIsAcquiredBeforeItIsRequested() {
		CallosumClient client = start();
		idleConnection();
		AtomicInteger received = new AtomicInteger();
		BaseSubscriber<CallosumLease> subscriber = new BaseSubscriber<>() {

			@Override
			protected void hookOnSubscribe(Subscription subscription) {
			}

			@Override
			protected void hookOnNext(CallosumLease lease) {
				received.incrementAndGet();
				lease.release();
			}

		};
		client.acquire().subscribe(subscriber);
		assertThat(received).hasValue(0);
		subscriber.request(1);
		assertThat(received).hasValue(1);
	}

	@Test
	void aCanceledAcquireLeavesTheQueueAtOnce() {
		CallosumClient client = start();
		CallosumLease lease = client.acquire().block();
		Disposable first = client.acquire().subscribe();
		Disposable second = client.acquire().subscribe();
		assertThat(client.snapshot().pending()).isEqualTo(2);
		first.dispose();
		assertThat(client.snapshot().pending()).isEqualTo(1);
		second.dispose();
		assertThat(client.snapshot().pending()).isZero();
		lease.release();
		assertThat(client.acquire(Duration.ZERO).block()).isNotNull();
		assertThat(this.measurements).contains("acquire CANCELLED");
	}

	@Test
	void waitersAreServedInTheOrderInWhichTheyCame() {
		CallosumClient client = start();
		CallosumLease lease = client.acquire().block();
		List<Integer> order = new CopyOnWriteArrayList<>();
		for (int i = 0; i < 1000; i++) {
			int number = i;
			client.acquire().subscribe((next) -> {
				order.add(number);
				next.release();
			});
		}
		lease.release();
		await(() -> order.size() == 1000);
		assertThat(order).isSorted();
	}

	@Test
	void anAcquireTimesOutWithTheNumbersOfThePool() {
		CallosumClient client = start();
		CallosumLease lease = client.acquire().block();
		StepVerifier.create(client.acquire(Duration.ofMillis(50)))
			.expectErrorSatisfies((error) -> assertThat(error).isInstanceOf(LeaseUnavailableException.class)
				.hasMessage("orders: no connection within 50 ms"
						+ " (pool 1, leased 1, idle 0, pending 0; 1 of 1 servers reachable)"))
			.verify();
		lease.release();
		assertThat(this.measurements).contains("acquire TIMEOUT");
	}

	@Test
	void anAcquireWithoutAServerThatAnswersFailsWithTheLastFailure() {
		CallosumClient client = start();
		FakeConnection connection = idleConnection();
		transport().connects = false;
		connection.close(CloseReason.PEER_RESET);
		await(() -> client.snapshot().servers().get(0).state() == ClientSnapshot.Server.State.UNREACHABLE);
		StepVerifier.create(client.acquire(Duration.ofMillis(50))).expectErrorSatisfies((error) -> {
			assertThat(((LeaseUnavailableException) error).getReason())
				.isEqualTo(LeaseUnavailableException.Reason.TIMEOUT);
			assertThat(error).hasMessageContaining("0 of 1 servers reachable")
				.hasRootCauseMessage("Connection refused");
		}).verify();
	}

	@Test
	void anAcquireWithoutAnyServerSaysSo() {
		this.client = new CallosumClient(this.builder.settings(), (settings, ids) -> {
			FakeTransport transport = new FakeTransport(ids, List.of());
			this.transports.add(transport);
			return transport;
		});
		this.client.start();
		StepVerifier.create(this.client.acquire(Duration.ofMillis(50)))
			.expectErrorSatisfies((error) -> assertThat(((LeaseUnavailableException) error).getReason())
				.isEqualTo(LeaseUnavailableException.Reason.NO_SERVER))
			.verify();
	}

	@Test
	void moreAcquiresThanMayBePendingFailAtOnce() {
		this.builder.maxPendingAcquires(1);
		CallosumClient client = start();
		CallosumLease lease = client.acquire().block();
		Disposable pending = client.acquire().subscribe();
		StepVerifier.create(client.acquire())
			.expectErrorSatisfies((error) -> assertThat(((LeaseUnavailableException) error).getReason())
				.isEqualTo(LeaseUnavailableException.Reason.TOO_MANY_PENDING))
			.verify();
		pending.dispose();
		lease.release();
		assertThat(this.measurements).contains("acquire REJECTED");
	}

	@Test
	void aClientThatIsNotRunningSaysSo() {
		CallosumClient client = start();
		client.stop();
		StepVerifier.create(client.acquire())
			.expectErrorSatisfies((error) -> assertThat(((LeaseUnavailableException) error).getReason())
				.isEqualTo(LeaseUnavailableException.Reason.NOT_RUNNING))
			.verify();
		assertThatExceptionOfType(LeaseUnavailableException.class).isThrownBy(() -> client.execute((lease) -> ""))
			.withMessage("orders: the client is not running");
	}

	// Exchange

	@Test
	void anExchangeReleasesBeforeItEmits() {
		CallosumClient client = start();
		AtomicReference<FakeLease> used = new AtomicReference<>();
		StepVerifier.create(client.exchange((lease) -> {
			used.set((FakeLease) lease);
			return Mono.just("pong");
		}).doOnNext((answer) -> assertThat(used.get().released).isTrue())).expectNext("pong").verifyComplete();
	}

	@Test
	void aSequenceOfExchangesNeedsOneConnection() {
		CallosumClient client = start();
		StepVerifier.create(Flux.range(0, 1000).concatMap((i) -> client.exchange((lease) -> Mono.just(i))))
			.expectNextCount(1000)
			.verifyComplete();
		assertThat(connection().id()).isEqualTo("c1");
		assertThat(connection().leases).isEqualTo(1000);
	}

	@Test
	void anExchangeThatFailsOrThrowsOrReturnsNullIsDiscarded() {
		CallosumClient client = start();
		StepVerifier.create(client.exchange((lease) -> Mono.error(new IllegalStateException("Broken"))))
			.verifyErrorMessage("Broken");
		StepVerifier.create(client.exchange((lease) -> {
			throw new IllegalStateException("Thrown");
		})).verifyErrorMessage("Thrown");
		StepVerifier.create(client.exchange((lease) -> null)).verifyError(NullPointerException.class);
		assertThat(this.measurements).filteredOn("lease DISCARDED"::equals).hasSize(3);
		assertThat(client.exchange((lease) -> Mono.just("pong")).block()).isEqualTo("pong");
	}

	@Test
	void anErrorThatReactorNeverCatchesEndsTheLeaseToo() {
		CallosumClient client = start();
		NoClassDefFoundError fatal = new NoClassDefFoundError("Missing");
		StepVerifier.create(client.exchange((lease) -> Mono.error(fatal))).verifyErrorMatches(fatal::equals);
		StepVerifier.create(client.use((lease) -> Flux.error(fatal))).verifyErrorMatches(fatal::equals);
		StepVerifier.create(client.use((lease) -> Mono.error(fatal))).verifyErrorMatches(fatal::equals);
		assertThat(this.measurements).filteredOn("lease DISCARDED"::equals).hasSize(3);
	}

	@Test
	void anExchangeThatIsCanceledIsDiscarded() {
		CallosumClient client = start();
		AtomicReference<FakeLease> used = new AtomicReference<>();
		Disposable exchange = client.exchange((lease) -> {
			used.set((FakeLease) lease);
			return Mono.never();
		}).subscribe();
		await(() -> used.get() != null);
		exchange.dispose();
		assertThat(used.get().discarded).isTrue();
	}

	@Test
	void anExchangeWithTheFirstElementOfItsCallerIsReleased() {
		CallosumClient client = start();
		assertThat(client.exchange((lease) -> Mono.just("pong")).flux().next().block()).isEqualTo("pong");
		assertThat(this.measurements).contains("lease RELEASED").doesNotContain("lease DISCARDED");
	}

	@Test
	void anExchangeWhoseConnectionIsLostFailsWhateverTheFunctionMakesOfIt() {
		CallosumClient client = start();
		List<Mono<String>> outcomes = List.of(Mono.empty(), Mono.never(), Mono.error(new IOException("Broken pipe")),
				Mono.error(new IllegalStateException("In consequence")));
		for (Mono<String> outcome : outcomes) {
			StepVerifier.create(client.exchange((lease) -> {
				connection().lose(false);
				return outcome;
			}))
				.expectErrorSatisfies((error) -> assertThat(error).isInstanceOfSatisfying(ConnectionLostException.class,
						(lost) -> assertThat(lost.isRetryable()).isTrue()))
				.verify();
		}
		assertThat(this.measurements).filteredOn("lease LOST"::equals).hasSize(4);
	}

	@Test
	void anExchangeEmitsWhatHadArrivedBeforeTheConnectionWasLost() {
		CallosumClient client = start();
		StepVerifier.create(client.exchange((lease) -> {
			connection().lose(true);
			return Mono.delay(Duration.ofMillis(10)).thenReturn("pong");
		})).expectNext("pong").verifyComplete();
	}

	@Test
	void anExchangeThatGotAByteIsNotRetryable() {
		CallosumClient client = start();
		StepVerifier.create(client.exchange((lease) -> {
			connection().lose(true);
			return Mono.empty();
		}))
			.expectErrorSatisfies((error) -> assertThat(((ConnectionLostException) error).isRetryable()).isFalse())
			.verify();
	}

	// Timeouts

	private void startWithTwoServers() {
		if (this.client != null) {
			this.client.stop();
		}
		this.builder.poolSize(2).ejection(1, Duration.ofMinutes(10), Duration.ofMinutes(10), 100);
		this.client = new CallosumClient(this.builder.settings(), (settings, ids) -> {
			FakeTransport transport = new FakeTransport(ids,
					List.of(SimulatedServer.address(1), SimulatedServer.address(2)));
			this.transports.add(transport);
			return transport;
		});
		this.client.start();
		await(() -> this.client.snapshot().members().size() == 2);
	}

	private boolean isAServerEjected() {
		return this.client.snapshot()
			.servers()
			.stream()
			.anyMatch((server) -> server.state() == ClientSnapshot.Server.State.EJECTED);
	}

	private static List<ThrowingConsumer<Function<CallosumLease, Exception>>> calls(CallosumClientTests test) {
		return List.of(
				(failure) -> test.client.exchange((lease) -> Mono.error(failure.apply(lease)))
					.onErrorComplete()
					.block(),
				(failure) -> test.client.use((lease) -> Flux.error(failure.apply(lease))).onErrorComplete().blockLast(),
				(failure) -> assertThatException().isThrownBy(() -> test.client.execute((lease) -> {
					throw failure.apply(lease);
				})));
	}

	@Test
	void aTimeoutBeforeAByteOfAnAnswerCountsAgainstTheServer() {
		List<Exception> timeouts = List.of(new TimeoutException(), new SocketTimeoutException(),
				ReadTimeoutException.INSTANCE);
		for (Exception timeout : timeouts) {
			for (ThrowingConsumer<Function<CallosumLease, Exception>> call : calls(this)) {
				startWithTwoServers();
				call.accept((lease) -> {
					((FakeLease) lease).sent();
					return timeout;
				});
				assertThat(isAServerEjected()).isTrue();
			}
		}
	}

	@Test
	void aTimeoutBeforeSomethingWasSentCountsAgainstNobody() {
		for (ThrowingConsumer<Function<CallosumLease, Exception>> call : calls(this)) {
			startWithTwoServers();
			call.accept((lease) -> new TimeoutException("Of another service"));
			assertThat(isAServerEjected()).isFalse();
		}
	}

	@Test
	void aTimeoutInTheMiddleOfAnAnswerAndOtherFailuresCountAgainstNobody() {
		for (ThrowingConsumer<Function<CallosumLease, Exception>> call : calls(this)) {
			startWithTwoServers();
			call.accept((lease) -> new IllegalStateException("Not the server's fault"));
			call.accept((lease) -> {
				((FakeLease) lease).sent();
				((FakeLease) lease).answered();
				return new TimeoutException();
			});
			assertThat(isAServerEjected()).isFalse();
		}
	}

	@Test
	void aTimeoutOutsideOfAnExchangeCountsAgainstNobody() {
		startWithTwoServers();
		Sinks.Empty<Void> leased = Sinks.empty();
		StepVerifier
			.create(this.client.exchange((lease) -> Mono.never().doOnSubscribe((subscription) -> leased.tryEmitEmpty()))
				// Starts with the lease, because waiting for it may take any time
				.timeout(leased.asMono().then(Mono.delay(Duration.ofMillis(20)))))
			.verifyError(TimeoutException.class);
		await(() -> this.measurements.contains("lease DISCARDED"));
		assertThat(isAServerEjected()).isFalse();
	}

	// Use

	@Test
	void useReleasesBeforeItCompletesAndDiscardsWhenItIsCut() {
		CallosumClient client = start();
		AtomicReference<FakeLease> used = new AtomicReference<>();
		StepVerifier.create(client.use((lease) -> {
			used.set((FakeLease) lease);
			return Flux.range(0, 3);
		}).doOnComplete(() -> assertThat(used.get().released).isTrue()), 1)
			.expectNext(0)
			.thenRequest(10)
			.expectNext(1, 2)
			.verifyComplete();
		StepVerifier.create(client.use((lease) -> {
			used.set((FakeLease) lease);
			return Flux.range(0, 3);
		}).take(1)).expectNext(0).verifyComplete();
		assertThat(used.get().discarded).isTrue();
		StepVerifier.create(client.use((lease) -> Flux.error(new IllegalStateException("Broken"))))
			.verifyErrorMessage("Broken");
		assertThat(this.measurements).filteredOn("lease DISCARDED"::equals).hasSize(2);
	}

	// Execute

	@Test
	void executeReleasesWhenTheCallbackReturnsAndDiscardsWhenItThrows() {
		CallosumClient client = start();
		assertThat(client.<String, RuntimeException>execute((lease) -> "pong")).isEqualTo("pong");
		assertThatExceptionOfType(IOException.class).isThrownBy(() -> client.execute((lease) -> {
			throw new IOException("Broken");
		})).withMessage("Broken");
		assertThat(this.measurements).contains("lease RELEASED", "lease DISCARDED");
	}

	@Test
	void executeFailsWithTheLossWhateverTheCallbackMakesOfIt() {
		CallosumClient client = start();
		assertThatExceptionOfType(ConnectionLostException.class).isThrownBy(() -> client.execute((lease) -> {
			connection().lose(false);
			throw new IllegalStateException("In consequence");
		})).satisfies((lost) -> assertThat(lost.getSuppressed()).hasSize(1));
		assertThatExceptionOfType(ConnectionLostException.class).isThrownBy(() -> client.execute((lease) -> {
			connection().lose(false);
			return null;
		}));
		assertThat(client.<String, RuntimeException>execute((lease) -> {
			connection().lose(true);
			return "pong";
		})).isEqualTo("pong");
	}

	@Test
	void executeFailsAtOnceOnAThreadThatMustNotBlock() {
		CallosumClient client = start();
		AtomicReference<Throwable> failure = new AtomicReference<>();
		Mono.fromRunnable(() -> client.execute((lease) -> ""))
			.subscribeOn(Schedulers.parallel())
			.doOnError(failure::set)
			.onErrorComplete()
			.block();
		assertThat(failure.get()).isInstanceOf(IllegalStateException.class).hasMessageContaining("exchange()");
	}

	@Test
	void anInterruptedExecuteLeavesTheQueueAndKeepsTheFlag() throws InterruptedException {
		CallosumClient client = start();
		CallosumLease held = client.acquire().block();
		AtomicReference<Throwable> failure = new AtomicReference<>();
		AtomicReference<Boolean> interrupted = new AtomicReference<>();
		Thread thread = new Thread(() -> {
			try {
				client.execute((lease) -> "");
			}
			catch (Throwable ex) {
				failure.set(ex);
				interrupted.set(Thread.currentThread().isInterrupted());
			}
		});
		thread.start();
		await(() -> client.snapshot().pending() == 1);
		thread.interrupt();
		thread.join();
		assertThat(failure.get()).isInstanceOf(IllegalStateException.class);
		assertThat(interrupted.get()).isTrue();
		assertThat(client.snapshot().pending()).isZero();
		held.release();
	}

	// Lifecycle

	@Test
	void startTwiceDoesNoHarmAndStopAndStartAgainWork() {
		CallosumClient client = start();
		client.start();
		assertThat(this.transports).hasSize(1);
		assertThat(client.isRunning()).isTrue();
		assertThat(connection().id()).isEqualTo("c1");
		client.stop();
		client.stop();
		assertThat(client.isRunning()).isFalse();
		assertThat(client.snapshot().state()).isEqualTo(ClientSnapshot.State.STOPPED);
		client.start();
		assertThat(client.exchange((lease) -> Mono.just(lease.connectionId())).block()).isEqualTo("c2");
		client.stop();
		assertThat(this.measurements).containsSubsequence("started", "stopped", "started", "stopped");
	}

	@Test
	void aStartWhileTheLastLeaseOfAStopEndsIsNotLost() throws InterruptedException {
		AtomicReference<Runnable> duringNextStart = new AtomicReference<>(() -> {
		});
		this.client = new CallosumClient(this.builder.settings(), (settings, ids) -> {
			duringNextStart.get().run();
			FakeTransport transport = new FakeTransport(ids);
			this.transports.add(transport);
			return transport;
		});
		this.client.start();
		CallosumLease lease = this.client.acquire().block();
		Thread stop = new Thread(() -> this.client.stop(Duration.ofSeconds(30)));
		stop.start();
		await(() -> this.client.snapshot().state() == ClientSnapshot.State.STOPPING);
		duringNextStart.set(() -> {
			lease.release();
			await(() -> !this.client.isRunning());
		});
		this.client.start();
		stop.join();
		assertThat(this.client.isRunning()).isTrue();
		assertThat(this.client.exchange((next) -> Mono.just("pong")).block()).isEqualTo("pong");
	}

	@Test
	void stopFailsWhoWaitsAndLetsLeasesEndUntilTheTimeout() throws InterruptedException {
		CallosumClient client = start();
		CallosumLease lease = client.acquire().block();
		AtomicReference<Throwable> waiter = new AtomicReference<>();
		client.acquire().subscribe((next) -> {
		}, waiter::set);
		CountDownLatch stopped = new CountDownLatch(1);
		Thread thread = new Thread(() -> {
			client.stop(Duration.ofSeconds(30));
			stopped.countDown();
		});
		thread.start();
		await(() -> waiter.get() != null);
		assertThat(((LeaseUnavailableException) waiter.get()).getReason())
			.isEqualTo(LeaseUnavailableException.Reason.NOT_RUNNING);
		assertThat(client.snapshot().state()).isEqualTo(ClientSnapshot.State.STOPPING);
		assertThat(transport().open).hasSize(1);
		assertThat(stopped.getCount()).isOne();
		lease.release();
		thread.join();
		assertThat(this.events.get(this.events.size() - 1)).isInstanceOfSatisfying(ConnectionClosedEvent.class,
				(event) -> assertThat(event.getReason()).isEqualTo(CloseReason.STOPPED));
	}

	@Test
	void stopCutsTheLeasesThatAreLeftAtTheTimeout() {
		CallosumClient client = start();
		CallosumLease lease = client.acquire().block();
		client.stop(Duration.ofMillis(50));
		assertThat(transport().open).isEmpty();
		lease.release();
		await(() -> this.measurements.contains("lease LOST"));
	}

	@Test
	void aListenerMayStopTheClient() {
		this.builder.eventPublisher((event) -> {
			this.events.add((CallosumClientEvent) event);
			if (event instanceof ConnectionReadyEvent ready) {
				ready.getClient().stop(Duration.ofSeconds(20));
			}
		});
		CallosumClient client = start();
		await(() -> !client.isRunning());
		assertThat(this.events).hasSize(2);
	}

	@Test
	void eventsTellOfAConnectionInOrder() {
		CallosumClient client = start();
		FakeConnection connection = idleConnection();
		client.stop();
		assertThat(this.events).hasSize(2);
		assertThat(this.events.get(0)).isInstanceOfSatisfying(ConnectionReadyEvent.class, (event) -> {
			assertThat(event.getConnectionId()).isEqualTo(connection.id());
			assertThat(event.getClient()).isSameAs(client);
			assertThat(event.getServer()).isEqualTo(SimulatedServer.address(1));
		});
		assertThat(this.events.get(1)).isInstanceOf(ConnectionClosedEvent.class);
	}

	@Test
	@ExtendWith(OutputCaptureExtension.class)
	void aLeaseThatIsHeldTooLongIsLoggedAndAgainWhenItComesBack(CapturedOutput output) {
		this.builder.leakDetectionThreshold(Duration.ofMillis(20));
		CallosumClient client = start();
		CallosumLease lease = client.acquire().block();
		await(() -> output.toString().contains("The lease was acquired here"));
		assertThat(output).contains("orders: connection c1 to").contains("CallosumClientTests");
		assertThat(output).doesNotContain("was released");
		lease.release();
		assertThat(output).contains("was released");
		client.acquire().block().release();
	}

	@Test
	void aListenerOrRecorderThatFailsChangesNothing() {
		this.builder.eventPublisher((event) -> {
			throw new IllegalStateException("Listener");
		}).metricsRecorder(new CallosumClientMetricsRecorder() {

			@Override
			public void acquireEnded(Duration time, AcquireOutcome outcome) {
				throw new IllegalStateException("Recorder");
			}

			@Override
			public void leaseEnded(Duration time, LeaseOutcome outcome) {
				throw new IllegalStateException("Recorder");
			}

			@Override
			public void dialEnded(Duration time, DialOutcome outcome) {
				throw new IllegalStateException("Recorder");
			}

			@Override
			public void connectionClosed(CloseReason reason) {
				throw new IllegalStateException("Recorder");
			}

		});
		CallosumClient client = start();
		assertThat(client.exchange((lease) -> Mono.just("pong")).block()).isEqualTo("pong");
	}

	// Builder

	@Test
	void theBuilderNamesWhatIsWrong() {
		CallosumClient.Builder builder = CallosumClient.builder();
		assertThatIllegalArgumentException().isThrownBy(() -> builder.poolSize(0)).withMessageContaining("'poolSize'");
		assertThatIllegalArgumentException().isThrownBy(() -> builder.rovingInterval(Duration.ofMillis(9)))
			.withMessageContaining("'rovingInterval'");
		assertThatIllegalArgumentException().isThrownBy(() -> builder.connectTimeout(Duration.ZERO))
			.withMessageContaining("'connectTimeout'");
		assertThatIllegalStateException().isThrownBy(builder::build).withMessageContaining("no servers");
	}

	@Test
	void parsesAddresses() {
		assertThat(ServerAddress.of("orders.internal")).isEqualTo(new ServerAddress("orders.internal", 4040));
		assertThat(ServerAddress.of(" orders.internal:1234 ")).isEqualTo(new ServerAddress("orders.internal", 1234));
		assertThat(ServerAddress.of("[::1]:4041")).isEqualTo(new ServerAddress("::1", 4041));
		assertThat(ServerAddress.of("[::1]")).isEqualTo(new ServerAddress("::1", 4040));
		assertThat(ServerAddress.of("::1")).isEqualTo(new ServerAddress("::1", 4040));
		assertThat(ServerAddress.of("[fe80::1%eth0]:4041")).isEqualTo(new ServerAddress("fe80::1%eth0", 4041));
		assertThat(ServerAddress.of("[::1]:4041")).hasToString("[::1]:4041");
		for (String invalid : List.of("", ":", "host:", ":4040", "host:x", "host:0", "host:65536", "[::1", "[]:4040",
				"[::1]4040", "ho st", "http://host:4040", "host:4040:4041", "a..b", "x".repeat(64))) {
			assertThatIllegalArgumentException().as(invalid).isThrownBy(() -> ServerAddress.of(invalid));
		}
	}

	private final class Recorder implements CallosumClientMetricsRecorder {

		@Override
		public void started(CallosumClient client) {
			CallosumClientTests.this.measurements.add("started");
		}

		@Override
		public void stopped(CallosumClient client) {
			CallosumClientTests.this.measurements.add("stopped");
		}

		@Override
		public void acquireEnded(Duration time, AcquireOutcome outcome) {
			assertThat(time).isBetween(Duration.ZERO, Duration.ofMinutes(1));
			CallosumClientTests.this.measurements.add("acquire " + outcome);
		}

		@Override
		public void leaseEnded(Duration time, LeaseOutcome outcome) {
			assertThat(time).isBetween(Duration.ZERO, Duration.ofMinutes(1));
			CallosumClientTests.this.measurements.add("lease " + outcome);
		}

		@Override
		public void connectionClosed(CloseReason reason) {
			CallosumClientTests.this.measurements.add("closed " + reason);
		}

	}

}
