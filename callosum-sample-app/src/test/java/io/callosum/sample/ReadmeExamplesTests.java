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
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.PriorityBlockingQueue;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

import io.netty.channel.epoll.EpollChannelOption;
import io.netty.handler.codec.LineBasedFrameDecoder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;

import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.annotation.Bean;
import org.springframework.context.event.EventListener;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;

import io.callosum.server.CallosumConnection;
import io.callosum.server.CallosumServer;
import io.callosum.server.CallosumTcpServerCustomizer;
import io.callosum.server.ConnectionHandler;
import io.callosum.server.LowestSlotAllocator;
import io.callosum.server.NoSlotAvailableException;
import io.callosum.server.SlotAllocator;
import io.callosum.server.SlotFreeEvent;
import io.callosum.server.SlotRequestEvent;
import io.callosum.server.autoconfigure.CallosumServerAutoConfiguration;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Runs the examples of the README that are not part of the sample, and checks that each
 * snippet there is code that is compiled here.
 */
class ReadmeExamplesTests {

	private static final Path ROOT = Path.of("..");

	private final ApplicationContextRunner contextRunner = new ApplicationContextRunner()
		.withConfiguration(AutoConfigurations.of(CallosumServerAutoConfiguration.class))
		.withPropertyValues("callosum.server.host=127.0.0.1", "callosum.server.port=0");

	@ParameterizedTest
	@ValueSource(strings = { "README.md", "callosum-spring-boot-autoconfigure/README.md" })
	void everySnippetIsCompiledCode(String readme) throws IOException {
		List<String> sources = new ArrayList<>();
		for (String folder : List.of("src/main/java", "src/test/java")) {
			try (Stream<Path> files = Files.walk(Path.of(folder))) {
				for (Path file : files.filter((path) -> path.toString().endsWith(".java")).toList()) {
					sources.add(normalize(Files.readString(file)));
				}
			}
		}
		Matcher snippets = Pattern.compile("```java\n(.*?)```", Pattern.DOTALL)
			.matcher(Files.readString(ROOT.resolve(readme)));
		int count = 0;
		while (snippets.find()) {
			String snippet = normalize(snippets.group(1));
			assertThat(sources).as(snippets.group(1)).anyMatch((source) -> source.contains(snippet));
			count++;
		}
		assertThat(count).isPositive();
	}

	@Test
	void everyFileThatTheReadmeLinksToIsThere() throws IOException {
		Matcher links = Pattern.compile("]\\((?!https?:)([^)#]+)").matcher(Files.readString(ROOT.resolve("README.md")));
		assertThat(links.results().map((link) -> ROOT.resolve(link.group(1)))).isNotEmpty().allMatch(Files::exists);
	}

	@Test
	void anAllocatorOfTheApplicationsOwnGivesTheSlots() {
		this.contextRunner.withUserConfiguration(OwnAllocator.class).run((context) -> {
			assertThat(context).hasSingleBean(SlotAllocator.class);
			try (Socket socket = connect(context.getBean(CallosumServer.class))) {
				assertThat(readLine(socket)).isEqualTo("0");
			}
		});
	}

	@Test
	void listenersOfTheApplicationsOwnGiveTheSlots() {
		this.contextRunner.withUserConfiguration(OwnSlots.class).run((context) -> {
			CallosumServer server = context.getBean(CallosumServer.class);
			List<Socket> sockets = new ArrayList<>();
			for (int slot = 0; slot < 4; slot++) {
				Socket socket = connect(server);
				sockets.add(socket);
				assertThat(readLine(socket)).isEqualTo(String.valueOf(slot));
			}
			try (Socket socket = connect(server)) {
				assertThat(readLine(socket)).as("a fifth connection").isEmpty();
			}
			for (Socket socket : sockets) {
				socket.close();
			}
		});
	}

	@Test
	void aServerRunsWithoutSpringBoot() throws IOException {
		int port = 0;
		CallosumServer server = CallosumServer.builder()
			.port(port)
			.eventPublisher((event) -> System.out.println(event))
			.connectionHandler((connection) -> connection.outbound().send(connection.inbound().receive().retain()))
			.build();
		server.start();
		try (Socket socket = connect(server)) {
			socket.getOutputStream().write("hello".getBytes(StandardCharsets.US_ASCII));
			assertThat(new String(socket.getInputStream().readNBytes(8), StandardCharsets.US_ASCII))
				.isEqualTo("0\r\nhello");
		}
		finally {
			server.stop();
		}
	}

	private static Socket connect(CallosumServer server) throws IOException {
		Socket socket = new Socket(InetAddress.getLoopbackAddress(), server.address().getPort());
		socket.setSoTimeout(30_000);
		return socket;
	}

	private static String readLine(Socket socket) throws IOException {
		StringBuilder line = new StringBuilder();
		int read = socket.getInputStream().read();
		while (read != -1 && read != '\n') {
			line.append((char) read);
			read = socket.getInputStream().read();
		}
		return line.toString().trim();
	}

	private static String normalize(String code) {
		return code.replaceAll("\\s+", " ").trim();
	}

	@Test
	void aHandlerMayBlockWhereThatIsAllowed() {
		this.contextRunner.withBean(BlockingHandler.class, () -> new BlockingHandler((line) -> {
			assertThat(Schedulers.isInNonBlockingThread()).isFalse();
			return line + "!";
		})).run((context) -> {
			try (Socket socket = connect(context.getBean(CallosumServer.class))) {
				assertThat(readLine(socket)).isEqualTo("0");
				socket.getOutputStream().write("one\ntwo\n".getBytes(StandardCharsets.US_ASCII));
				assertThat(readLine(socket)).isEqualTo("one!");
				assertThat(readLine(socket)).isEqualTo("two!");
			}
		});
	}

	@Test
	void aCustomizerLimitsHowLongSomethingMayBeUnacknowledged() {
		this.contextRunner.withUserConfiguration(UserTimeout.class).run((context) -> {
			try (Socket socket = connect(context.getBean(CallosumServer.class))) {
				assertThat(readLine(socket)).isEqualTo("0");
			}
		});
	}

	interface Database {

		String find(String line);

	}

	static class BlockingHandler implements ConnectionHandler {

		private final Database database;

		BlockingHandler(Database database) {
			this.database = database;
		}

		@Override
		public Publisher<Void> handle(CallosumConnection connection) {
			Flux<String> answers = connection.inbound()
				.withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(1024, true, true)))
				.receive()
				.asString(StandardCharsets.UTF_8)
				.concatMap((line) -> Mono.fromCallable(() -> this.database.find(line))
					.subscribeOn(Schedulers.boundedElastic()))
				.map((answer) -> answer + "\r\n");
			return connection.outbound().sendString(answers);
		}

	}

	static class UserTimeout {

		@Bean
		CallosumTcpServerCustomizer userTimeout() {
			return (server) -> server.childOption(EpollChannelOption.TCP_USER_TIMEOUT, 90_000);
		}

	}

	static class OwnAllocator {

		@Bean
		SlotAllocator slotAllocator() {
			return new LowestSlotAllocator(500);
		}

	}

	static class OwnSlots {

		private final PriorityBlockingQueue<Integer> free = new PriorityBlockingQueue<>(List.of(0, 1, 2, 3));

		@EventListener
		void requested(SlotRequestEvent event) {
			Integer slot = this.free.poll();
			if (slot != null) {
				event.assign(slot);
			}
			else {
				event.reject(new NoSlotAvailableException("All slots are in use"));
			}
		}

		@EventListener
		@Order(Ordered.HIGHEST_PRECEDENCE)
		void slotFreed(SlotFreeEvent event) {
			this.free.add(event.getSlot());
		}

	}

}
