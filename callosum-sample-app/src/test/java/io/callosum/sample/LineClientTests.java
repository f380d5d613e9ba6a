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

import java.io.IOException;
import java.time.Duration;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;

import io.netty.handler.codec.LineBasedFrameDecoder;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import reactor.core.Exceptions;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

import io.callosum.client.CallosumClient;
import io.callosum.client.ServerAddress;
import io.callosum.server.CallosumServer;
import io.callosum.server.ConnectionHandler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

/**
 * Sends lines to a server on a real socket.
 */
class LineClientTests {

	private static final Duration PATIENCE = Duration.ofSeconds(30);

	private CallosumServer server;

	private CallosumClient client;

	@AfterEach
	void stop() {
		this.client.stop();
		this.server.stop();
	}

	@Test
	void aLineIsAnswered() {
		LineClient client = start(new LineHandler());
		assertThat(client.send("one").block(PATIENCE)).isEqualTo("echo one");
		assertThat(client.send("two").block(PATIENCE)).isEqualTo("echo two");
	}

	@Test
	void aLineIsAnsweredToCodeThatBlocks() throws Exception {
		LineClient client = start(new LineHandler());
		assertThat(client.sendAndWait("one")).isEqualTo("echo one");
		assertThat(client.sendAndWait("two")).isEqualTo("echo two");
	}

	@Test
	void aLineWhoseConnectionIsLostIsSentAgain() {
		AtomicInteger lines = new AtomicInteger();
		LineClient client = start((connection) -> {
			Flux<String> answers = connection.inbound()
				.withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(1024)))
				.receive()
				.asString()
				.takeWhile((line) -> lines.incrementAndGet() > 1)
				.map((line) -> "again " + line + "\r\n");
			return connection.outbound().sendString(answers);
		});
		assertThat(client.send("one").block(PATIENCE)).isEqualTo("again one");
		assertThat(lines).hasValue(2);
	}

	@Test
	void aServerThatDoesNotAnswerIsGivenUpOn() {
		LineClient client = start((connection) -> connection.inbound().receive().then(Mono.never()));
		assertThatThrownBy(() -> client.send("one").block(PATIENCE))
			.satisfies((failure) -> assertThat(Exceptions.unwrap(failure)).isInstanceOf(TimeoutException.class));
	}

	@Test
	void codeThatBlocksGivesUpOnAServerThatDoesNotAnswerToo() {
		LineClient client = start((connection) -> connection.inbound().receive().then(Mono.never()));
		assertThatThrownBy(() -> client.sendAndWait("one")).isInstanceOf(IOException.class);
	}

	@Test
	void anAnswerKeepsItsLeadingSpaces() throws Exception {
		LineClient client = start((connection) -> connection.outbound()
			.sendString(connection.inbound().receive().asString().map((line) -> "  " + line)));
		assertThat(client.send("one").block(PATIENCE)).isEqualTo("  one");
		assertThat(client.sendAndWait("two")).isEqualTo("  two");
	}

	private LineClient start(ConnectionHandler handler) {
		this.server = CallosumServer.builder().host("127.0.0.1").port(0).connectionHandler(handler).build();
		this.server.start();
		this.client = CallosumClient.builder()
			.servers(new ServerAddress("127.0.0.1", this.server.address().getPort()))
			.acquireTimeout(PATIENCE)
			.initializer(LineClient::splitLines)
			.build();
		this.client.start();
		return new LineClient(this.client);
	}

}
