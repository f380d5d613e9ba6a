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

package io.callosum.sample;

import org.junit.jupiter.api.Test;

import io.callosum.sample.FleetBoard.Sample;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Adds samples with given times to a history.
 */
class BalanceHistoryTests {

	private final BalanceHistory history = new BalanceHistory();

	@Test
	void aSecondKeepsItsPeaksAndTheNextOneFollows() {
		assertThat(this.history.add(new Sample(1, 100, 1.2, 3))).isTrue();
		assertThat(this.history.add(new Sample(2, 100, 1.5, 2))).isTrue();
		assertThat(this.history.add(new Sample(3, 100, 1, 0))).as("no peak").isFalse();
		assertThat(this.history.samples()).containsExactly(new Sample(2, 100, 1.5, 3));
		assertThat(this.history.add(new Sample(3, 101, 1, 0))).isTrue();
		assertThat(this.history.samples()).containsExactly(new Sample(2, 100, 1.5, 3), new Sample(3, 101, 1, 0));
	}

	@Test
	void aSecondInWhichNothingChangesHasNoSample() {
		assertThat(this.history.add(new Sample(1, 100, 1, 0))).isTrue();
		assertThat(this.history.add(new Sample(2, 101, 1, 0))).isFalse();
		assertThat(this.history.samples()).hasSize(1);
	}

	@Test
	void onlyTheLastSamplesAreKept() {
		for (int i = 0; i < 1000; i++) {
			this.history.add(new Sample(i, i, 1, i));
		}
		assertThat(this.history.samples()).hasSize(300).endsWith(new Sample(999, 999, 1, 999));
	}

}
