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

import java.util.Locale;
import java.util.stream.Collectors;

import io.callosum.sample.FleetBoard.Sample;
import io.callosum.sample.FleetBoard.Server;
import io.callosum.sample.FleetBoard.Update;

/**
 * Draws the {@link FleetBoard} for a terminal. Each connection is the letter or digit of
 * its client.
 */
final class FleetText {

	private static final String LETTERS = "123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

	/**
	 * Moves the cursor to the top left, so that each picture replaces the one before.
	 */
	private static final String HOME = "\u001b[H";

	private static final String CLEAR_LINE = "\u001b[K\n";

	private static final String CLEAR_BELOW = "\u001b[J";

	private FleetText() {
	}

	static String draw(Update all) {
		StringBuilder text = new StringBuilder(HOME);
		Sample balance = all.samples().isEmpty() ? new Sample(0, 0, 1, 0) : all.samples().get(all.samples().size() - 1);
		text.append(format(
				"%d servers, %d clients with %d connections each, max/mean %.2f, max - min %s, %d failed requests%s",
				all.names().size(), all.settings().clients().size(), all.settings().poolSize(), balance.ratio(),
				FleetBoard.format(balance.spread()), all.settings().failed(),
				all.settings().rolling() ? ", rolling restart in progress" : ""));
		text.append(CLEAR_LINE).append(CLEAR_LINE);
		for (Server server : all.servers()) {
			text.append(format("%s :%-5d %-8s weight %-4s %4d/s %4d  %s", server.name(), server.port(), server.state(),
					FleetBoard.format(server.weight()), server.rate(), server.connections(),
					server.slots().stream().map(FleetText::draw).collect(Collectors.joining())));
			text.append(CLEAR_LINE);
		}
		return text.append(CLEAR_BELOW).toString();
	}

	private static String draw(int client) {
		if (client <= 0) {
			return "·";
		}
		// Anybody may connect, and introduce themselves with any number
		return (client <= LETTERS.length()) ? String.valueOf(LETTERS.charAt(client - 1)) : "?";
	}

	private static String format(String format, Object... arguments) {
		return String.format(Locale.ROOT, format, arguments);
	}

}
