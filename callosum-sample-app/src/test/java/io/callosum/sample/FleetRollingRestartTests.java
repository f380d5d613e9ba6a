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

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Restarts the servers of the fleet one after another, and watches that no request fails.
 */
@ExtendWith(OutputCaptureExtension.class)
class FleetRollingRestartTests extends AbstractFleetTests {

	private static final Path ANIMATION = Browser.DOCS.resolve("rolling-restart.svg");

	@Test
	void theRollingRestartEndsEvenAndFailsNoRequest() throws Exception {
		awaitEven(3, 60);
		long failed = all().settings().failed();
		FleetRecorder recorder = new FleetRecorder(this.sample.bean(FleetBoard.class));
		assertThat(change("POST", "rolling-restart")).isEqualTo(202);
		assertThat(change("POST", "rolling-restart")).isEqualTo(409);
		Set<String> restarted = new LinkedHashSet<>();
		await().until(() -> {
			all().events()
				.stream()
				.filter((event) -> event.text().equals("restart"))
				.forEach((event) -> restarted.add(event.server()));
			return !this.sample.bean(Fleet.class).isRolling();
		});
		assertThat(restarted).containsExactly("A", "B", "C");
		awaitEven(3, 60);
		recorder.save(ANIMATION);
		assertThat(Files.size(ANIMATION)).isLessThan(1_000_000);
		assertThat(Files.readAllLines(Path.of("docs", "rolling-restart.svg")).subList(1, 6))
			.as("the start of the one in docs")
			.isEqualTo(Files.readAllLines(ANIMATION).subList(1, 6));
		assertThat(all().settings().failed()).isEqualTo(failed);
	}

	@Test
	void aResetEndsARollingRestartWithoutAnError(CapturedOutput output) throws Exception {
		awaitEven(3, 60);
		for (String restart : List.of("restart A", "restart B")) {
			assertThat(change("POST", "rolling-restart")).isEqualTo(202);
			await().until(() -> actions().contains(restart));
			assertThat(change("POST", "reset")).isEqualTo(204);
			await().until(() -> !all().settings().rolling());
			awaitEven(3, 60);
		}
		assertThat(output).doesNotContain("onErrorDropped", "The rolling restart failed");
	}

}
