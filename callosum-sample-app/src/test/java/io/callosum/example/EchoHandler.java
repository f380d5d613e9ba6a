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

package io.callosum.example;

import io.netty.handler.codec.LineBasedFrameDecoder;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Flux;

import org.springframework.stereotype.Component;

import io.callosum.server.CallosumConnection;
import io.callosum.server.ConnectionHandler;

/**
 * The handler that the README shows. Outside the package of the sample, which would use
 * it.
 */
@Component
class EchoHandler implements ConnectionHandler {

	@Override
	public Publisher<Void> handle(CallosumConnection connection) {
		Flux<String> answers = connection.inbound()
			.withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(1024)))
			.receive()
			.asString()
			.map((line) -> "echo " + line + "\r\n");
		return connection.outbound().sendString(answers);
	}

}
