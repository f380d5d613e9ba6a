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
import java.util.Locale;

import io.netty.handler.codec.LineBasedFrameDecoder;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Flux;

import org.springframework.stereotype.Component;

import io.callosum.server.CallosumConnection;
import io.callosum.server.ConnectionHandler;

/**
 * Answers each line with a line. The connection ends when the returned publisher
 * completes: after {@code quit}, or when the peer closes.
 */
@Component
class LineHandler implements ConnectionHandler {

	/**
	 * A longer line ends the connection, because the decoder's error ends the publisher.
	 * Without a limit, a peer could fill the memory.
	 */
	private static final int MAX_LINE_LENGTH = 1024;

	@Override
	public Publisher<Void> handle(CallosumConnection connection) {
		Flux<String> answers = connection.inbound()
			.withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(MAX_LINE_LENGTH, true, true)))
			.receive()
			.asString(StandardCharsets.UTF_8)
			.takeUntil((line) -> line.equalsIgnoreCase("quit"))
			.map((line) -> answer(connection, line) + "\r\n");
		return connection.outbound().sendString(answers);
	}

	private static String answer(CallosumConnection connection, String line) {
		return switch (line.toLowerCase(Locale.ROOT)) {
			case "slot" -> "slot " + connection.slot();
			case "peer" -> "peer " + connection.remoteAddress();
			case "quit" -> "bye";
			default -> "echo " + line;
		};
	}

}
