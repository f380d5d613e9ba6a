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
import java.util.function.LongFunction;

import reactor.core.publisher.Flux;
import reactor.core.publisher.Sinks;
import tools.jackson.databind.json.JsonMapper;

import org.springframework.context.event.ContextClosedEvent;
import org.springframework.context.event.EventListener;
import org.springframework.http.codec.ServerSentEvent;
import org.springframework.stereotype.Component;

/**
 * Streams a snapshot and then the changes. Changes are collected once the viewer has
 * received the previous ones, so a slow viewer gets many at once and nothing is queued
 * for it.
 */
@Component
class UpdateStream {

	private static final Duration HEARTBEAT = Duration.ofSeconds(10);

	private static final Duration RETRY = Duration.ofSeconds(1);

	private final Sinks.Empty<Void> closing = Sinks.empty();

	private final JsonMapper json;

	UpdateStream(JsonMapper json) {
		this.json = json;
	}

	/**
	 * Stream updates as JSON.
	 * @param period the shortest time between two updates
	 * @param since returns what has changed since a version, or everything for a negative
	 * one
	 */
	<U extends Update> Flux<ServerSentEvent<String>> updates(Duration period, LongFunction<U> since) {
		return untilClosed(Flux.interval(Duration.ZERO, period)
			.onBackpressureDrop()
			.scan(new Position<U>(-1, null), (last, tick) -> Position.of(since.apply(last.version())))
			.skip(1)
			.map(Position::update)
			.index()
			// A heartbeat from time to time, because only a write detects that a viewer
			// has gone
			.filter((update) -> changed(update.getT2()) || update.getT1() % HEARTBEAT.dividedBy(period) == 0)
			.map((update) -> toServerSentEvent(update.getT2())));
	}

	/**
	 * Stream something else until the application closes. Otherwise the web server would
	 * wait for the end of the stream when it stops.
	 */
	<T> Flux<T> untilClosed(Flux<T> stream) {
		return stream.takeUntilOther(this.closing.asMono());
	}

	@EventListener(ContextClosedEvent.class)
	void closing() {
		this.closing.tryEmitEmpty();
	}

	private static boolean changed(Update update) {
		return update.version() != update.since();
	}

	/**
	 * Convert an update here, because Spring would write the JSON into a pooled buffer,
	 * and leak the buffer if the viewer left at that moment.
	 */
	private ServerSentEvent<String> toServerSentEvent(Update update) {
		return ServerSentEvent.builder(this.json.writeValueAsString(update))
			.event((update.since() < 0) ? "snapshot" : "change")
			.retry(RETRY)
			.build();
	}

	/**
	 * A snapshot or a change.
	 */
	interface Update {

		/**
		 * Return the version that it builds on, or a negative number for a snapshot.
		 */
		long since();

		/**
		 * Return the version that it leads to.
		 */
		long version();

	}

	private record Position<U extends Update>(long version, U update) {

		static <U extends Update> Position<U> of(U update) {
			return new Position<>(update.version(), update);
		}

	}

}
