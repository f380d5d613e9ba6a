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

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;
import reactor.netty.resources.LoopResources;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for stops of which something fails.
 */
@ParameterizedClass
@EnumSource
class StopFailureTests {

	@Parameter
	Transport transport;

	@Test
	void aStopThatFailsWithAnErrorEndsAndTheServerCanBeStartedAgain() throws Exception {
		AtomicBoolean fails = new AtomicBoolean();
		LoopResources loops = LoopResources.create("test", 1, 1, true);
		LoopResources failing = (nativeTransport) -> {
			if (fails.get()) {
				throw new NoClassDefFoundError("missing");
			}
			return loops.onServer(nativeTransport);
		};
		try (TestServer server = TestServer.create(this.transport, (builder) -> builder.loopResources(failing))
			.start()) {
			fails.set(true);
			CompletableFuture.runAsync(server.server()::stop).get(30, TimeUnit.SECONDS);
			assertThat(server.server().isRunning()).isFalse();
			assertThat(server.events().of(ServerStoppedEvent.class)).hasSize(1);
			fails.set(false);
			server.start();
			server.verifyNextSlotIsZero();
		}
		finally {
			loops.dispose();
		}
	}

}
