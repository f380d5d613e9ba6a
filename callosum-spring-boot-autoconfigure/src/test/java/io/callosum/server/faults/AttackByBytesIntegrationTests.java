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

import java.util.Arrays;
import java.util.function.Supplier;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Attacks by peers that send bytes that nobody requests, or very small messages.
 */
@ParameterizedClass
@EnumSource
class AttackByBytesIntegrationTests extends AttackFaults {

	private static final byte[] BYTES = new byte[64 * 1024];

	private static final byte[] EMPTY_LINES = new byte[128 * 1024];

	static {
		Arrays.fill(EMPTY_LINES, (byte) '\n');
	}

	@Test
	void peersThatSendWhatNobodyAsksForMuteNobody() {
		// With unread bytes beyond the read-ahead, only the idle timeout notices that
		// they have left
		start(launcher().server("idle-timeout=1500ms", "completion-timeout=1s").arguments("--test.handler=true"));
		attack("bytes that are never read", () -> {
			Peers peers = Peers.connect(this.server, Behavior.STALL, 4000);
			peers.send(BYTES);
			verifyWebServerAnswers();
			peers.shutdownOutput();
			return peers;
		});
		attack("single bytes", () -> {
			Peers peers = Peers.connect(this.server, Behavior.STALL, 1500);
			for (int i = 0; i < 200; i++) {
				peers.send(new byte[1]);
			}
			return peers;
		});
		Supplier<Peers> emptyLines = () -> Peers.connect(this.server, Behavior.LINES, 150).send(EMPTY_LINES);
		attack("lines without an end", emptyLines);
		attack("lines of peers that leave", () -> {
			Peers peers = emptyLines.get();
			peers.shutdownOutput();
			return peers;
		});
		attack("peers that leave before their slot is assigned",
				() -> Peers.comeAndGo(this.server, Behavior.ASSIGN_TOO_LATE, new byte[0], 2000));
		Supplier<Peers> waiting = () -> Peers.connect(this.server, Behavior.ASSIGN_TOO_LATE, 3000).send(BYTES);
		attack("bytes before a slot", waiting);
		lastAttack("bytes before a slot", waiting);
	}

}
