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

import java.io.UncheckedIOException;
import java.nio.channels.Selector;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

import io.callosum.server.TestClient;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * An application that is frozen for a while, or whose clock jumps: no peer is considered
 * late that is not.
 */
@ParameterizedClass
@EnumSource
// These tests spend most of their time waiting for timeouts
@Execution(ExecutionMode.CONCURRENT)
class ClockFaultIntegrationTests extends ApplicationFaults {

	@Test
	void aServerThatWasFrozenHasClosedNoConnectionAndAcceptsNewOnes() throws Exception {
		int backlog = 16;
		this.application = launcher()
			.server("idle-timeout=6s", "write-timeout=6s", "slot-timeout=2s", "backlog=" + backlog)
			.start();
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
		ApplicationProcess.await("talk", () -> assertThat(sent).hasValueGreaterThan(2));
		List<TestClient> askers = IntStream.range(0, 5).mapToObj((i) -> connect(Behavior.ASSIGN_TOO_LATE)).toList();
		long asked = readers.size() + talkers.size() + askers.size();
		ApplicationProcess.await("requests",
				() -> assertThat(this.application.state()).containsEntry("accepted", asked));
		this.application.signal("STOP");
		try (Selector waiting = Selector.open()) {
			connect(waiting, 100);
			// For longer than the timeouts, and until late answers are due too
			TimeUnit.SECONDS.sleep(12);
			this.application.signal("CONT");
			assertThat(readSlots(waiting, backlog)).hasSizeGreaterThanOrEqualTo(backlog);
		}
		assertThat(slotOfNewcomer()).isGreaterThanOrEqualTo(talkers.size() + readers.size());
		askers.forEach((client) -> assertThat(client.isRefused()).isTrue());
		// For longer than the timeouts
		int sentBefore = sent.get();
		ApplicationProcess.await("more", () -> assertThat(sent).hasValueGreaterThan(sentBefore + 38));
		ApplicationProcess.await("timeouts", () -> {
			Map<String, Long> freed = this.application.output()
				.lines()
				.filter((line) -> line.startsWith("FREE "))
				.collect(Collectors.groupingBy((line) -> line.replaceAll("FREE [0-9]+ ", ""), Collectors.counting()));
			assertThat(freed).containsOnlyKeys("IDLE_TIMEOUT NONE", "SLOT_TIMEOUT ASSIGN_TOO_LATE")
				.containsEntry("SLOT_TIMEOUT ASSIGN_TOO_LATE", (long) askers.size());
			// They have waited, and never sent a byte
			assertThat(freed.get("IDLE_TIMEOUT NONE")).isGreaterThanOrEqualTo(backlog);
		});
		executor.shutdown();
		assertThat(executor.awaitTermination(30, TimeUnit.SECONDS)).isTrue();
		talkers.forEach((client) -> assertThat(client.read(sent.get())).containsOnly('x').hasSize(sent.get()));
		assertThat(this.application.count("ERROR TimeoutException")).isEqualTo(askers.size());
		closeChannels();
		closeClients();
		verifyNextSlotIsZero();
	}

	/**
	 * Connect until there is a slot: if more clients are waiting than the backlog allows,
	 * the system lets some believe that they are connected.
	 */
	private int slotOfNewcomer() {
		return Awaitility.await("newcomer")
			.atMost(Duration.ofMinutes(2))
			.ignoreExceptionsInstanceOf(UncheckedIOException.class)
			.until(() -> {
				TestClient client = connect();
				client.socket().setSoTimeout(3000);
				return client.readSlot();
			}, (slot) -> true);
	}

	@Test
	void aJumpOfTheWallClockEndsNoConnectionAndDelaysNoTimeout() throws Exception {
		Requirement.command("faketime");
		Path clock = Files.writeString(this.directory.resolve("clock"), "+0");
		this.application = launcher()
			.prefix("faketime", "-m", "--exclude-monotonic", "-f", "+0", "env", "-u", "FAKETIME",
					"FAKETIME_TIMESTAMP_FILE=" + clock, "FAKETIME_CACHE_DURATION=1",
					// With the fix for other systems, waits end at once
					"FAKETIME_FORCE_MONOTONIC_FIX=0")
			.server("idle-timeout=8s", "slot-timeout=3s")
			.start();
		List<TestClient> talkers = connect(Behavior.ECHO, 20);
		ScheduledExecutorService executor = Executors.newScheduledThreadPool(3);
		// Some have sent just before the jump, others are about to
		for (int i = 0; i < talkers.size(); i++) {
			TestClient talker = talkers.get(i);
			executor.scheduleAtFixedRate(() -> talker.send("x"), i * 25, 500, TimeUnit.MILLISECONDS);
		}
		List<Future<Long>> timesOfSilence = new ArrayList<>();
		for (int days : List.of(10, -10)) {
			long start = System.nanoTime();
			TestClient silent = connect();
			silent.readSlot();
			timesOfSilence.add(executor.submit(() -> {
				assertThat(silent.read()).isEqualTo(-1);
				return System.nanoTime() - start;
			}));
			TestClient waiting = connect(Behavior.ASSIGN_TOO_LATE);
			Files.writeString(clock, "%+dd".formatted(days));
			long jumped = System.currentTimeMillis() + TimeUnit.DAYS.toMillis(days);
			ApplicationProcess.await("jump", () -> assertThat(this.application.state().get("clock") - jumped)
				.isBetween(0L, TimeUnit.HOURS.toMillis(1)));
			assertThat(waiting.isRefused()).isTrue();
			assertThat(System.nanoTime() - start).isBetween(TimeUnit.MILLISECONDS.toNanos(2900),
					TimeUnit.SECONDS.toNanos(20));
		}
		for (Future<Long> timeOfSilence : timesOfSilence) {
			assertThat(timeOfSilence.get()).isBetween(TimeUnit.MILLISECONDS.toNanos(7900),
					TimeUnit.SECONDS.toNanos(25));
		}
		executor.shutdownNow();
		assertThat(executor.awaitTermination(30, TimeUnit.SECONDS)).isTrue();
		for (TestClient talker : talkers) {
			// Reads the echo of what was sent before, then of this
			talker.send("!");
			int read;
			while ((read = talker.read()) == 'x') {
				// Many of them
			}
			assertThat(read).isEqualTo('!');
		}
	}

}
