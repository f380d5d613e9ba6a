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

import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for {@link DirectMemory}.
 */
class DirectMemoryTests {

	private static final Duration IDLE_TIMEOUT = Duration.ofMinutes(1);

	@Test
	void aLimitOfNettyThatIsNotBelowTheJvmsIsWarnedOfWithBothOptionsInNumbers() {
		assertThat(DirectMemory.warning(1000, 1000, IDLE_TIMEOUT)).contains("-XX:MaxDirectMemorySize=1000",
				"-Dio.netty.maxDirectMemory=800");
		assertThat(DirectMemory.warning(2000, 1000, IDLE_TIMEOUT)).isNotNull();
	}

	@Test
	void theWarningAsksForAnIdleTimeoutIfThereIsNone() {
		assertThat(DirectMemory.warning(1000, 1000, null)).contains("set an idle timeout");
		assertThat(DirectMemory.warning(1000, 1000, IDLE_TIMEOUT)).doesNotContain("idle timeout");
	}

	@Test
	void aLimitOfNettyBelowTheJvmsIsNotWarnedOf() {
		assertThat(DirectMemory.warning(800, 1000, null)).isNull();
	}

}
