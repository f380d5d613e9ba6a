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

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

/**
 * What a test needs from the machine. If that is missing, the test is skipped and says
 * so, or fails if the system property {@code callosum.tests.skip-nothing} is set.
 */
public final class Requirement {

	private Requirement() {
	}

	static void root() {
		met("root".equals(System.getProperty("user.name")), "the privileges of root");
	}

	static void command(String name) {
		met(Commands.succeed("bash", "-c", "command -v " + name), "the command '" + name + "'");
	}

	public static void met(boolean met, String requirement) {
		String message = "This test needs " + requirement;
		if (Boolean.getBoolean("callosum.tests.skip-nothing")) {
			assertThat(met).as(message).isTrue();
		}
		assumeTrue(met, message);
	}

}
