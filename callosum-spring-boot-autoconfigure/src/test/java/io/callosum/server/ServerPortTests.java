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

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

/**
 * Tests for {@link ServerPort}.
 */
class ServerPortTests {

	@ParameterizedTest
	@EnumSource
	void aStartThatMeetsTheEndOfTheEventLoopsDoesNotFail(Transport transport) {
		ServerSettings settings = new ServerSettings(
				CallosumServer.builder().nativeTransport(transport.isNative()).host("127.0.0.1").port(0).draft);
		ServerLoops loops = new ServerLoops(settings);
		ServerPort port = ServerPort.bind(settings, loops, (accepted) -> {
		}, (failure) -> {
		});
		port.close();
		loops.dispose(Duration.ofSeconds(30));
		// A start does this last, when a stop may already have begun and ended
		assertThatCode(port::accept).doesNotThrowAnyException();
		assertThat(port.isOpen()).isFalse();
	}

}
