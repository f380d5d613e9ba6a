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

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

import io.netty.handler.codec.LineBasedFrameDecoder;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;

import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.annotation.Bean;

import io.callosum.client.CallosumClient;
import io.callosum.client.ServerAddress;
import io.callosum.client.autoconfigure.CallosumClientAutoConfiguration;
import io.callosum.client.autoconfigure.CallosumClientCustomizer;
import io.callosum.server.CallosumServer;
import io.callosum.server.autoconfigure.CallosumServerAutoConfiguration;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Runs the handler and the client that the README and the reference show.
 */
class EchoTests {

	private final ApplicationContextRunner contextRunner = new ApplicationContextRunner()
		.withConfiguration(
				AutoConfigurations.of(CallosumServerAutoConfiguration.class, CallosumClientAutoConfiguration.class))
		.withUserConfiguration(EchoHandler.class)
		.withPropertyValues("callosum.server.host=127.0.0.1", "callosum.server.port=0",
				"callosum.client.servers=127.0.0.1:${local.callosum.server.port}",
				"callosum.client.acquire-timeout=30s");

	@Test
	void aHandlerAnswersEachLine() {
		this.contextRunner.run((context) -> {
			InetSocketAddress address = context.getBean(CallosumServer.class).address();
			try (Socket socket = new Socket(address.getAddress(), address.getPort())) {
				socket.setSoTimeout(30_000);
				socket.getOutputStream().write("one\r\ntwo\n".getBytes(StandardCharsets.US_ASCII));
				BufferedReader reader = new BufferedReader(
						new InputStreamReader(socket.getInputStream(), StandardCharsets.US_ASCII));
				assertThat(reader.readLine()).containsOnlyDigits();
				assertThat(reader.readLine()).isEqualTo("echo one");
				assertThat(reader.readLine()).isEqualTo("echo two");
			}
		});
	}

	@Test
	void aClientSendsALineAndReadsALine() {
		this.contextRunner.withUserConfiguration(EchoClient.class).run((context) -> {
			EchoClient client = context.getBean(EchoClient.class);
			assertThat(client.echo("one")).isEqualTo("echo one");
			assertThat(client.echo("two")).isEqualTo("echo two");
		});
	}

	@Test
	void aReactiveClientSendsALineAndReadsALine() {
		this.contextRunner.withUserConfiguration(Lines.class)
			.run((context) -> assertThat(
					echo(context.getBean(CallosumClient.class), "one").block(Duration.ofSeconds(30)))
				.isEqualTo("echo one"));
	}

	@Test
	void aClientRunsWithoutSpringBoot() {
		CallosumServer server = CallosumServer.builder()
			.host("127.0.0.1")
			.port(0)
			.connectionHandler(new EchoHandler())
			.build();
		server.start();
		ServerAddress address = new ServerAddress("127.0.0.1", server.address().getPort());
		CallosumClient client = CallosumClient.builder()
			.servers(address)
			.acquireTimeout(Duration.ofSeconds(30))
			.initializer((lease) -> {
				lease.inbound().withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(1024)));
				return Mono.empty();
			})
			.build();
		client.start();
		assertThat(echo(client, "one").block(Duration.ofSeconds(30))).isEqualTo("echo one");
		client.stop();
		server.stop();
	}

	Mono<String> echo(CallosumClient client, String text) {
		return client.exchange((lease) -> lease.outbound()
			.sendString(Mono.just(text + "\r\n"))
			.then()
			.then(lease.inbound().receive().asString().next())
			.timeout(Duration.ofSeconds(10)));
	}

	static class Lines {

		@Bean
		CallosumClientCustomizer lines() {
			return (name, builder) -> builder.initializer((lease) -> {
				lease.inbound().withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(1024)));
				return Mono.empty();
			});
		}

	}

}
