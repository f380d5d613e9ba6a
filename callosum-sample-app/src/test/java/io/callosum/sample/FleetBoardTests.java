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

import java.net.InetSocketAddress;
import java.util.List;

import org.junit.jupiter.api.Test;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Reports to a board what clients did.
 */
class FleetBoardTests {

	private final FleetBoard board = new FleetBoard();

	@Test
	void whatHappensBetweenTwoEventsIsCombined() {
		this.board.report(FleetBoard.TURNED_DOWN, 3, null);
		this.board.report(FleetBoard.TURNED_DOWN, 1, null);
		this.board.report(FleetBoard.TURNED_DOWN, 3, null);
		update();
		assertThat(this.board.since(-1).events()).singleElement().satisfies((event) -> {
			assertThat(event.type()).isEqualTo("turned down");
			assertThat(event.clients()).containsExactly(1, 3);
			assertThat(event.count()).isEqualTo(3);
		});
	}

	@Test
	void aNewFleetDoesNotShowWhatTheOneBeforeDid() {
		this.board.requestFailed();
		this.board.report(FleetBoard.TURNED_DOWN, 1, null);
		this.board.begin();
		update();
		assertThat(this.board.since(-1).events()).isEmpty();
		assertThat(this.board.since(-1).settings().failed()).isZero();
	}

	@Test
	void whatHappenedAtAServerThatIsGoneIsNotShown() {
		this.board.report("lost", 1, new InetSocketAddress("127.0.0.1", 4040));
		update();
		assertThat(this.board.since(-1).events()).isEmpty();
	}

	private void update() {
		for (int i = 0; i < 20; i++) {
			this.board.update(List.of(), List.of(), 5, false);
		}
	}

}
