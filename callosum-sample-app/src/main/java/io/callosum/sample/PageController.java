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
import java.util.stream.Collectors;

import reactor.core.publisher.Flux;
import reactor.core.publisher.Sinks;

import org.springframework.context.event.ContextClosedEvent;
import org.springframework.context.event.EventListener;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.http.codec.ServerSentEvent;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.RequestHeader;
import org.springframework.web.bind.annotation.RestController;

import io.callosum.sample.SlotBoard.Update;
import io.callosum.server.CallosumConnection;
import io.callosum.server.CallosumServer;

/**
 * The page's way to the {@link SlotBoard}, and a terminal's.
 */
@RestController
class PageController {

	private static final Duration PERIOD = Duration.ofMillis(100);

	private static final int HEARTBEAT = 100;

	private static final Duration RETRY = Duration.ofSeconds(1);

	private final SlotBoard board;

	private final CallosumServer server;

	private final Sinks.Empty<Void> closing = Sinks.empty();

	PageController(SlotBoard board, CallosumServer server) {
		this.board = board;
		this.server = server;
	}

	/**
	 * Tells all there is, and then what changes. Changes are asked for when the viewer
	 * has taken those before, so that a slow one gets many at once and none is kept for
	 * it.
	 */
	@GetMapping(path = "/events", produces = MediaType.TEXT_EVENT_STREAM_VALUE)
	Flux<ServerSentEvent<Update>> events() {
		return Flux.interval(Duration.ZERO, PERIOD)
			.onBackpressureDrop()
			.scan(Update.NONE, (last, tick) -> this.board.since(last.version()))
			.skip(1)
			.index()
			// Now and then also if nothing has changed: to write is to notice who has
			// gone
			.filter((update) -> update.getT2().changed() || update.getT1() % HEARTBEAT == 0)
			.map((update) -> toServerSentEvent(update.getT2()))
			// Without an end the web server would wait for one before it stops
			.takeUntilOther(this.closing.asMono());
	}

	private static ServerSentEvent<Update> toServerSentEvent(Update update) {
		return ServerSentEvent.builder(update).event((update.since() < 0) ? "snapshot" : "change").retry(RETRY).build();
	}

	/**
	 * Shows the connections in a terminal.
	 */
	@GetMapping(path = "/connections", produces = MediaType.TEXT_PLAIN_VALUE)
	String connections() {
		Update all = this.board.since(-1);
		return all.held()
			.stream()
			.map((held) -> "%4d  %-21s %5d s  %s%n".formatted(held.slot(), held.peer(),
					Math.max(0, all.now() - held.connectedAt()) / 1000, held.id()))
			.collect(Collectors.joining("", "slot  peer                      age  id\n", ""));
	}

	/**
	 * Pushes a connection off. A page of another site can have a browser ask for that,
	 * but not without telling its origin, which {@link LocalOnlyFilter} compares.
	 */
	@DeleteMapping("/connections/{id}")
	ResponseEntity<Void> close(@PathVariable String id,
			@RequestHeader(name = HttpHeaders.ORIGIN, required = false) String origin) {
		if (origin == null) {
			return ResponseEntity.status(HttpStatus.FORBIDDEN).build();
		}
		for (CallosumConnection connection : this.server.connections()) {
			if (connection.id().equals(id)) {
				connection.close();
				return ResponseEntity.noContent().build();
			}
		}
		return ResponseEntity.notFound().build();
	}

	@EventListener(ContextClosedEvent.class)
	void closing() {
		this.closing.tryEmitEmpty();
	}

}
