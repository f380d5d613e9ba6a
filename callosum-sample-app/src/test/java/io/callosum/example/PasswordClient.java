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
import reactor.core.publisher.Mono;

import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

import io.callosum.client.autoconfigure.CallosumClientCustomizer;

/**
 * The client that the reference shows: sends a password on the first line, and checks the
 * answer.
 */
@Configuration(proxyBeanMethods = false)
class PasswordClient {

	@Bean
	CallosumClientCustomizer password() {
		return (name, builder) -> builder.initializer((lease) -> {
			lease.inbound().withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(1024)));
			return lease.outbound()
				.sendString(Mono.just("secret\r\n"))
				.then()
				.then(lease.inbound().receive().asString().next())
				.filter("welcome"::equals)
				.switchIfEmpty(Mono.error(() -> new IllegalStateException("The password was denied")))
				.then();
		});
	}

}
