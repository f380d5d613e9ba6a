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
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

import io.callosum.server.TestClient;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * An application that lacks what it needs, or has more clients at once than usual: it
 * recovers when there is enough again, and no slot is lost.
 */
@ParameterizedClass
@EnumSource
class ResourceFaultIntegrationTests extends ApplicationFaults {

	/**
	 * One or two seconds are promised, which a busy machine may miss.
	 */
	private static final Duration PROMISED_SOON = Duration.ofSeconds(10);

	@Test
	void aServerWithoutFileDescriptorsLeftSaysSoAndGoesOnWhenThereAreSomeAgain() {
		Requirement.command("prlimit");
		this.application = launcher().prefix("prlimit", "--nofile=200:200").start();
		// The first connection opens class files, which stay open
		verifyNextSlotIsZero();
		this.application.awaitNothingLeft();
		long descriptors = this.application.state().get("descriptors");
		IntStream.range(0, 300).forEach((i) -> connect());
		long connected = System.nanoTime();
		this.application.awaitOutput("Cannot accept connections");
		assertThat(System.nanoTime() - connected).isLessThan(PROMISED_SOON.toNanos());
		verifyAcceptIsTriedNowAndThen();
		this.clients.subList(0, 290).forEach(TestClient::close);
		long closed = System.nanoTime();
		this.clients.get(299).readSlot();
		assertThat(System.nanoTime() - closed).isLessThan(PROMISED_SOON.toNanos());
		closeClients();
		verifyNextSlotIsZero();
		ApplicationProcess.await("descriptors", () -> assertThat(this.application.state().get("descriptors"))
			// Class files again
			.isLessThan(descriptors + 5));
		assertThat(this.application.warnings()).singleElement().asString().contains("Cannot accept connections");
	}

	/**
	 * Each attempt fails and is reported. A server that tried again at once would also
	 * use up a processor.
	 */
	private void verifyAcceptIsTriedNowAndThen() {
		long start = System.nanoTime();
		Duration before = this.application.processorTime();
		long tries = errors();
		// One per second
		ApplicationProcess.await("tries", () -> assertThat(errors()).isGreaterThan(tries + 2));
		long nanos = System.nanoTime() - start;
		assertThat(nanos).isGreaterThan(TimeUnit.MILLISECONDS.toNanos(1500));
		assertThat(this.application.processorTime().minus(before).toNanos()).isLessThan(nanos / 4);
	}

	private long errors() {
		return this.application.output().lines().filter((line) -> line.startsWith("ERROR ")).count();
	}

	@Test
	void aServerWithoutDirectMemoryLeftGetsItsSlotsBackAndGoesOnWhenThereIsSomeAgain() {
		this.application = launcher().options("-XX:MaxDirectMemorySize=32m", "-Dio.netty.maxDirectMemory=-1")
			.arguments("--test.handler=true")
			.start();
		assertThat(connect(Behavior.ECHO).readSlot()).isZero();
		this.application.command("hog");
		// What they send is held unread, and needs more room than is left in what is
		// already allocated. Not many at once, because the JVM tries hard to find memory
		// for each.
		Awaitility.await("failures")
			.atMost(Duration.ofMinutes(2))
			.pollInterval(Duration.ofMillis(200))
			// A client that was closed for lack of memory cannot send
			.ignoreExceptionsInstanceOf(UncheckedIOException.class)
			.untilAsserted(() -> {
				IntStream.range(0, 5).forEach((i) -> connect(Behavior.STALL).send("x".repeat(60_000)));
				assertThat(this.application.output().split("FREE [0-9]+ OUT_OF_MEMORY", -1)).hasSizeGreaterThan(3);
			});
		closeClients();
		this.application.awaitNothingLeft();
		this.application.command("release");
		TestClient client = connect(Behavior.ECHO);
		assertThat(client.readSlot()).isZero();
		assertThat(client.send("hello").read(5)).asString(StandardCharsets.US_ASCII).isEqualTo("hello");
		// Not one for each connection
		assertThat(this.application.warnings()).hasSizeLessThan(5);
	}

	@Test
	void tenThousandClientsAtOnceGetTheLowestSlots() throws Exception {
		int count = 10_000;
		try (NetworkNamespace namespace = new NetworkNamespace()) {
			// If the queues are shorter than the number of clients, some wait forever
			namespace.set("core/somaxconn", 16_384);
			namespace.set("ipv4/tcp_max_syn_backlog", 16_384);
			this.application = launcher().prefix(namespace.prefix()).server("backlog=16384").start(namespace.host(), 0);
			try (Selector selector = Selector.open()) {
				connect(selector, count);
				assertThat(readSlots(selector, count).stream().sorted().toList())
					.isEqualTo(IntStream.range(0, count).boxed().toList());
			}
			finally {
				// While the network still exists
				closeChannels();
			}
		}
	}

}
