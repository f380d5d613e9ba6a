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

import java.util.List;
import java.util.Locale;

import org.junit.jupiter.api.Test;

import io.callosum.sample.FleetBoard.Sample;
import io.callosum.sample.FleetBoard.Server;
import io.callosum.sample.FleetBoard.Settings;
import io.callosum.sample.FleetBoard.Update;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Draws fleets for a terminal.
 */
class FleetTextTests {

	@Test
	void aServerIsALineWithACharacterForEachSlot() {
		assertThat(draw(1, 10, 0, 36, 61)).contains("A :4040  running  weight 1.5    12/s    4  1a·AZ\u001b[K\n");
	}

	@Test
	void aConnectionOfAnUnknownClientIsAQuestionMark() {
		assertThat(draw(62, 99, Integer.MAX_VALUE, -1)).contains("  ???·\u001b[K\n");
	}

	@Test
	void numbersDoNotDependOnTheDefaultLocale() {
		Locale before = Locale.getDefault();
		Locale.setDefault(Locale.forLanguageTag("ar-EG-u-nu-arab"));
		try {
			assertThat(draw(1)).startsWith(
					"\u001b[H1 servers, 12 clients with 5 connections each, max/mean 1.25, max - min 0.5, 7 failed requests"
							+ ", rolling restart in progress\u001b[K\n")
				.contains("A :4040 ");
		}
		finally {
			Locale.setDefault(before);
		}
	}

	private static String draw(Integer... slots) {
		List<Integer> clients = List.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12);
		return FleetText.draw(new Update(-1, 1, 0, new Settings(5, true, 7, clients), List.of("A"),
				List.of(new Server(1, "A", 4040, "running", 1.5, 12, List.of(slots))), List.of(),
				List.of(new Sample(1, 100, 1.25, 0.5))));
	}

}
