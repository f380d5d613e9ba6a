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

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.NoSuchElementException;

import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

import org.springframework.boot.autoconfigure.condition.ConditionalOnWebApplication;
import org.springframework.core.io.ClassPathResource;
import org.springframework.core.io.Resource;
import org.springframework.http.HttpStatus;
import org.springframework.http.MediaType;
import org.springframework.http.ResponseEntity;
import org.springframework.http.codec.ServerSentEvent;
import org.springframework.http.server.reactive.ServerHttpResponse;
import org.springframework.web.bind.annotation.DeleteMapping;
import org.springframework.web.bind.annotation.ExceptionHandler;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.ModelAttribute;
import org.springframework.web.bind.annotation.PathVariable;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.PutMapping;
import org.springframework.web.bind.annotation.RequestMapping;
import org.springframework.web.bind.annotation.ResponseStatus;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.server.ServerWebInputException;

import io.callosum.sample.Fleet.ServerAction;

/**
 * Shows the {@link FleetBoard} to the page and to terminals, and lets them control the
 * {@link Fleet}.
 */
@RestController
@ConditionalOnWebApplication
@RequestMapping("/fleet")
class FleetController {

	private static final Duration PERIOD = Duration.ofMillis(250);

	private static final Duration TEXT_PERIOD = Duration.ofSeconds(1);

	/**
	 * Not among the static files, so that it is not served while the fleet is off.
	 */
	private final Resource page = new ClassPathResource("fleet.html");

	private final Fleet fleet;

	private final FleetBoard board;

	private final UpdateStream stream;

	FleetController(Fleet fleet, FleetBoard board, UpdateStream stream) {
		this.fleet = fleet;
		this.board = board;
		this.stream = stream;
	}

	/**
	 * Called before each of the other methods.
	 */
	@ModelAttribute
	void checkThatTheFleetIsOn() {
		if (!this.fleet.isAutoStartup()) {
			throw new NoSuchElementException("The fleet is disabled; set sample.fleet.enabled=true to enable it");
		}
	}

	@GetMapping(produces = MediaType.TEXT_HTML_VALUE)
	Resource page() {
		return this.page;
	}

	@GetMapping(path = "/stream", produces = MediaType.TEXT_EVENT_STREAM_VALUE)
	Flux<ServerSentEvent<String>> stream() {
		return this.stream.updates(PERIOD, this.board::since);
	}

	/**
	 * Draws the fleet in a terminal, once a second.
	 */
	@GetMapping(path = "/stream", params = "format=text")
	Mono<Void> text(ServerHttpResponse response) {
		response.getHeaders().setContentType(new MediaType(MediaType.TEXT_PLAIN, StandardCharsets.UTF_8));
		return response.writeAndFlushWith(pictures().map((picture) -> picture
			.map((text) -> response.bufferFactory().wrap(text.getBytes(StandardCharsets.UTF_8)))));
	}

	/**
	 * Pictures that are drawn only when they are requested. The web server queues the
	 * next ones for a slow viewer, and each of them shows the fleet as it is when the
	 * picture is written.
	 */
	Flux<Flux<String>> pictures() {
		Flux<String> first = Flux.defer(() -> Flux.just(draw()));
		Flux<String> next = this.stream.untilClosed(Mono.delay(TEXT_PERIOD).map((tick) -> draw()).flux());
		return this.stream.untilClosed(Flux.just(next).repeat().startWith(first));
	}

	private String draw() {
		return FleetText.draw(this.board.since(-1));
	}

	@PostMapping("/servers")
	@ResponseStatus(HttpStatus.NO_CONTENT)
	Mono<Void> addServer() {
		return this.fleet.inBackground(this.fleet::addServer);
	}

	@PostMapping("/servers/{name}/{action}")
	@ResponseStatus(HttpStatus.NO_CONTENT)
	Mono<Void> control(@PathVariable String name, @PathVariable String action) {
		return this.fleet.inBackground(() -> this.fleet.control(name, ServerAction.of(action)));
	}

	@PutMapping("/servers/{name}/weight/{weight}")
	@ResponseStatus(HttpStatus.NO_CONTENT)
	Mono<Void> setWeight(@PathVariable String name, @PathVariable double weight) {
		return this.fleet.inBackground(() -> this.fleet.setWeight(name, weight));
	}

	@PostMapping("/clients")
	@ResponseStatus(HttpStatus.NO_CONTENT)
	Mono<Void> addClient() {
		return this.fleet.inBackground(this.fleet::addClient);
	}

	/**
	 * Removes the client with the highest number.
	 */
	@DeleteMapping("/clients")
	@ResponseStatus(HttpStatus.NO_CONTENT)
	Mono<Void> removeClient() {
		return this.fleet.inBackground(this.fleet::removeClient);
	}

	@DeleteMapping("/clients/{id}")
	@ResponseStatus(HttpStatus.NO_CONTENT)
	Mono<Void> removeClient(@PathVariable int id) {
		return this.fleet.inBackground(() -> this.fleet.removeClient(id));
	}

	@PutMapping("/pool-size/{poolSize}")
	@ResponseStatus(HttpStatus.NO_CONTENT)
	Mono<Void> setPoolSize(@PathVariable int poolSize) {
		return this.fleet.inBackground(() -> this.fleet.setPoolSize(poolSize));
	}

	@PostMapping("/pool-size/increase")
	@ResponseStatus(HttpStatus.NO_CONTENT)
	Mono<Void> increasePoolSize() {
		return this.fleet.inBackground(() -> this.fleet.changePoolSize(1));
	}

	@PostMapping("/pool-size/decrease")
	@ResponseStatus(HttpStatus.NO_CONTENT)
	Mono<Void> decreasePoolSize() {
		return this.fleet.inBackground(() -> this.fleet.changePoolSize(-1));
	}

	@PostMapping("/rolling-restart")
	@ResponseStatus(HttpStatus.ACCEPTED)
	Mono<Void> restartAll() {
		return this.fleet.inBackground(this.fleet::restartAll);
	}

	@PostMapping("/reset")
	@ResponseStatus(HttpStatus.NO_CONTENT)
	Mono<Void> reset() {
		return this.fleet.inBackground(this.fleet::reset);
	}

	@ExceptionHandler
	ResponseEntity<String> notFound(NoSuchElementException ex) {
		return refuse(HttpStatus.NOT_FOUND, ex.getMessage());
	}

	@ExceptionHandler
	ResponseEntity<String> outOfRange(IllegalArgumentException ex) {
		return refuse(HttpStatus.BAD_REQUEST, ex.getMessage());
	}

	@ExceptionHandler
	ResponseEntity<String> notANumber(ServerWebInputException ex) {
		return refuse(HttpStatus.BAD_REQUEST, "The path must end with a number");
	}

	@ExceptionHandler
	ResponseEntity<String> notNow(IllegalStateException ex) {
		return refuse(HttpStatus.CONFLICT, ex.getMessage());
	}

	private static ResponseEntity<String> refuse(HttpStatus status, String reason) {
		return ResponseEntity.status(status).contentType(MediaType.TEXT_PLAIN).body(reason + "\n");
	}

}
