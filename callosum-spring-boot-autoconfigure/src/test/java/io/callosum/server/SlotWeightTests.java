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

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.awaitility.Awaitility.await;

/**
 * Tests for the number that a server sends for a slot.
 */
class SlotWeightTests {

	@ParameterizedTest
	@CsvSource({ "1, 0, 0", "1, 7, 7", "2, 0, 0", "2, 1, 0", "2, 2, 1", "2, 7, 3", "4, 3, 0", "4, 4, 1", "0.5, 3, 6",
			"1.5, 3, 2", "1e-9, 5, 2147483647", "1e300, 2147483647, 0" })
	void theNumberSentIsTheSlotDividedByTheWeightRoundedDown(double weight, int slot, int announced) {
		assertThat(new SlotWeight(weight, null, System::nanoTime).announce(slot)).isEqualTo(announced);
	}

	@Test
	void theWeightGrowsEvenlyFromATenthToTheWholeWhileTheServerWarmsUp() {
		AtomicLong clock = new AtomicLong(-5);
		SlotWeight weight = new SlotWeight(2, Duration.ofSeconds(90), clock::get);
		assertThat(weight.current()).isEqualTo(0.2);
		assertThat(weight.announce(1)).isEqualTo(5);
		clock.addAndGet(TimeUnit.SECONDS.toNanos(45));
		assertThat(weight.current()).isEqualTo(1.1);
		assertThat(weight.announce(11)).isEqualTo(10);
		clock.addAndGet(TimeUnit.SECONDS.toNanos(45));
		assertThat(weight.current()).isEqualTo(2);
		clock.addAndGet(TimeUnit.DAYS.toNanos(365));
		assertThat(weight.announce(7)).isEqualTo(3);
	}

	@ParameterizedTest
	@EnumSource
	void clientsAreSentTheNumberWhileTheServerKeepsTheSlot(Transport transport) {
		try (TestServer server = TestServer.create(transport, (builder) -> builder.weight(2)).start()) {
			assertThat(server.server().weight()).isEqualTo(2);
			for (int slot = 0; slot < 6; slot++) {
				assertThat(server.connect().readLine()).isEqualTo(slot / 2 + "\r\n");
			}
			await().untilAsserted(() -> assertThat(server.server().connections()).extracting(CallosumConnection::slot)
				.containsExactly(0, 1, 2, 3, 4, 5));
			assertThat(server.server().connections()).extracting(CallosumConnection::announcedSlot)
				.containsExactly(0, 0, 1, 1, 2, 2);
		}
	}

	@ParameterizedTest
	@EnumSource
	void aServerThatWarmsUpSendsHighNumbersAgainAfterEachStart(Transport transport) {
		try (TestServer server = TestServer.create(transport, (builder) -> builder.warmUp(Duration.ofDays(365)))
			.start()) {
			for (int start = 0; start < 2; start++) {
				assertThat(server.connect().readLine()).isEqualTo("0\r\n");
				assertThat(server.connect().readLine()).isIn("9\r\n", "10\r\n");
				assertThat(server.server().weight()).isBetween(0.1, 0.11);
				server.server().stop();
				assertThat(server.server().weight()).isOne();
				server.start();
			}
		}
	}

	@Test
	void aWeightThatMakesNoSenseIsRejected() {
		for (double weight : new double[] { 0, -1, Double.NaN, Double.POSITIVE_INFINITY }) {
			assertThatIllegalArgumentException().isThrownBy(() -> CallosumServer.builder().weight(weight))
				.withMessageContaining("'weight'");
		}
		assertThatIllegalArgumentException().isThrownBy(() -> CallosumServer.builder().warmUp(Duration.ZERO))
			.withMessageContaining("'warmUp'");
	}

}
