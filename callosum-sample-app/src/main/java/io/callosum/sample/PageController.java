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

import java.time.Duration;
import java.util.Locale;
import java.util.stream.Collectors;

import reactor.core.publisher.Flux;

import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.http.codec.ServerSentEvent;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RestController;

import io.callosum.sample.SlotBoard.Update;
import io.callosum.server.CallosumConnection;
import io.callosum.server.CallosumServer;

/**
 * Serves the {@link SlotBoard} to the page and to terminals.
 */
@RestController
class PageController {

	private static final Duration PERIOD = Duration.ofMillis(100);

	private final SlotBoard board;

	private final CallosumServer server;

	private final UpdateStream stream;

	PageController(SlotBoard board, CallosumServer server, UpdateStream stream) {
		this.board = board;
		this.server = server;
		this.stream = stream;
	}

	@GetMapping(path = "/events", produces = MediaType.TEXT_EVENT_STREAM_VALUE)
	Flux<ServerSentEvent<String>> events() {
		return this.stream.updates(PERIOD, this.board::since);
	}

	/**
	 * Shows the connections in a terminal.
	 */
	@GetMapping(path = "/connections", produces = MediaType.TEXT_PLAIN_VALUE)
	String connections() {
		Update all = this.board.since(-1);
		return all.held()
			.stream()
			.map((held) -> String.format(Locale.ROOT, "%4d  %-21s %5d s  %s%n", held.slot(), held.peer(),
					Math.max(0, all.now() - held.connectedAt()) / 1000, held.id()))
			.collect(Collectors.joining("", "slot  peer                      age  id\n", ""));
	}

	/**
	 * Closes a connection.
	 */
	@DeleteMapping("/connections/{id}")
	ResponseEntity<Void> close(@PathVariable String id) {
		for (CallosumConnection connection : this.server.connections()) {
			if (connection.id().equals(id)) {
				connection.close();
				return ResponseEntity.noContent().build();
			}
		}
		return ResponseEntity.notFound().build();
	}

}
