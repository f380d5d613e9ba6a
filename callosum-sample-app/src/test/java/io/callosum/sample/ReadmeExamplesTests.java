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

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.PriorityBlockingQueue;
import java.util.concurrent.TimeUnit;
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
import reactor.core.publisher.SignalType;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.autoconfigure.task.TaskExecutionAutoConfiguration;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.ApplicationListener;
import org.springframework.context.annotation.Bean;
import org.springframework.context.event.EventListener;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;
import org.springframework.core.task.AsyncTaskExecutor;

import io.callosum.server.BlockingConnectionHandler;
import io.callosum.server.CallosumConnection;
import io.callosum.server.CallosumServer;
import io.callosum.server.CallosumTcpServerCustomizer;
import io.callosum.server.ConnectionHandler;
import io.callosum.server.LowestSlotAllocator;
import io.callosum.server.NoSlotAvailableException;
import io.callosum.server.ServerErrorEvent;
import io.callosum.server.SlotAllocator;
import io.callosum.server.SlotFreeEvent;
import io.callosum.server.SlotRequestEvent;
import io.callosum.server.autoconfigure.CallosumServerAutoConfiguration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

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
			assertThat(sources.stream().anyMatch((source) -> source.contains(snippet))).as(snippets.group(1)).isTrue();
			count++;
		}
		assertThat(count).isPositive();
	}

	@ParameterizedTest
	@ValueSource(strings = { "README.md", "CONTRIBUTING.md", "callosum-spring-boot-autoconfigure/README.md",
			"callosum-spring-boot-autoconfigure/FAULTS.md" })
	void everyFileAndHeadingThatAPageLinksToIsThere(String page) throws IOException {
		Path file = ROOT.resolve(page);
		Matcher pictures = Pattern.compile(" src(?:set)?=\"([^\"]+)\"").matcher(Files.readString(file));
		while (pictures.find()) {
			assertThat(file.resolveSibling(pictures.group(1))).exists();
		}
		Matcher links = Pattern.compile("]\\((?!https?:)([^)#]*)(?:#([^)]+))?\\)").matcher(Files.readString(file));
		while (links.find()) {
			Path target = links.group(1).isEmpty() ? file : file.resolveSibling(links.group(1));
			assertThat(target).exists();
			if (links.group(2) != null) {
				String heading = "(?mi)^#+ " + links.group(2).replace("-", "[ -]") + "$";
				assertThat(Files.readString(target).replace("`", "")).as(links.group()).containsPattern(heading);
			}
		}
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
		blockingHandler((line) -> {
			assertThat(Schedulers.isInNonBlockingThread()).isFalse();
			return line + "!";
		}).run((context) -> {
			try (Socket socket = connect(context.getBean(CallosumServer.class))) {
				assertThat(readLine(socket)).isEqualTo("0");
				socket.getOutputStream().write("one\ntwo\n".getBytes(StandardCharsets.US_ASCII));
				assertThat(readLine(socket)).isEqualTo("one!");
				assertThat(readLine(socket)).isEqualTo("two!");
			}
		});
	}

	@Test
	void whatBlocksIsNotInterruptedWhenThePeerLeaves() {
		CountDownLatch started = new CountDownLatch(1);
		CountDownLatch freed = new CountDownLatch(1);
		CompletableFuture<Boolean> done = new CompletableFuture<>();
		blockingHandler((line) -> {
			started.countDown();
			try {
				done.complete(freed.await(30, TimeUnit.SECONDS));
			}
			catch (InterruptedException ex) {
				done.completeExceptionally(ex);
			}
			return line;
		}).withBean(ApplicationListener.class, () -> (ApplicationListener<SlotFreeEvent>) (event) -> freed.countDown())
			.run((context) -> {
				try (Socket socket = connect(context.getBean(CallosumServer.class))) {
					assertThat(readLine(socket)).isEqualTo("0");
					socket.getOutputStream().write("one\n".getBytes(StandardCharsets.US_ASCII));
					assertThat(started.await(30, TimeUnit.SECONDS)).isTrue();
				}
				assertThat(done.get(30, TimeUnit.SECONDS)).isTrue();
			});
	}

	@Test
	void aLineThatIsTooLongLeavesTheAnswersBeforeIt() {
		String lines = "one\n" + "x".repeat(2000) + "\n";
		CompletableFuture<CallosumConnection> connection = new CompletableFuture<>();
		blockingHandler((line) -> {
			// The decoder's error comes first
			awaitReceived(connection.join(), lines.length());
			return line + "!";
		}).run((context) -> {
			CallosumServer server = context.getBean(CallosumServer.class);
			try (Socket socket = connect(server)) {
				assertThat(readLine(socket)).isEqualTo("0");
				socket.getOutputStream().write(lines.getBytes(StandardCharsets.US_ASCII));
				connection.complete(server.connections().iterator().next());
				assertThat(readLine(socket)).isEqualTo("one!");
				assertThat(socket.getInputStream().read()).isEqualTo(-1);
			}
		});
	}

	@Test
	void aRequestThatFailsIsAnsweredWithAnErrorAndTheConnectionGoesOn() {
		List<ServerErrorEvent> errors = new CopyOnWriteArrayList<>();
		CountDownLatch failed = new CountDownLatch(2);
		Database database = (line) -> {
			if (line.equals("two")) {
				failed.countDown();
				throw new IllegalStateException("The database is down");
			}
			return line + "!";
		};
		this.contextRunner.withConfiguration(AutoConfigurations.of(TaskExecutionAutoConfiguration.class))
			.withBean(Database.class, () -> database)
			.withUserConfiguration(ErrorAnsweringHandler.class)
			.withBean(ApplicationListener.class,
					() -> (ApplicationListener<ServerErrorEvent>) (event) -> errors.add(event))
			.run((context) -> {
				CallosumServer server = context.getBean(CallosumServer.class);
				try (Socket socket = connect(server)) {
					assertThat(readLine(socket)).isEqualTo("0");
					socket.getOutputStream().write("one\ntwo\nthree\n".getBytes(StandardCharsets.US_ASCII));
					assertThat(readLine(socket)).isEqualTo("one!");
					assertThat(readLine(socket)).isEqualTo("error");
					assertThat(readLine(socket)).isEqualTo("three!");
				}
				try (Socket socket = connect(server)) {
					readLine(socket);
					socket.getOutputStream().write("two\nthr".getBytes(StandardCharsets.US_ASCII));
				}
				assertThat(failed.await(30, TimeUnit.SECONDS)).isTrue();
			});
		assertThat(errors).isEmpty();
	}

	/**
	 * Wait until the handlers of a connection have received this many bytes.
	 */
	private static void awaitReceived(CallosumConnection connection, int count) {
		await().atMost(Duration.ofSeconds(30)).until(() -> connection.bytesReceived() >= count);
		connection.outbound().withConnection((netty) -> netty.channel().eventLoop().submit(() -> {
		}).syncUninterruptibly());
	}

	@Test
	void aBlockingHandlerAnswersEachLineAndNoneThatIsIncomplete() {
		List<String> found = new CopyOnWriteArrayList<>();
		CompletableFuture<Thread> handled = new CompletableFuture<>();
		Database database = (line) -> {
			found.add(line);
			return line + "!";
		};
		this.contextRunner.withBean(BlockingConnectionHandler.class, () -> (connection) -> {
			new LineHandler(database).handle(connection);
			handled.complete(Thread.currentThread());
		}).run((context) -> {
			try (Socket socket = connect(context.getBean(CallosumServer.class))) {
				assertThat(readLine(socket)).isEqualTo("0");
				socket.getOutputStream().write("one\r\ntwo\nthr".getBytes(StandardCharsets.US_ASCII));
				assertThat(readLine(socket)).isEqualTo("one!");
				assertThat(readLine(socket)).isEqualTo("two!");
			}
			assertThat(handled.get(30, TimeUnit.SECONDS)).isNotNull();
			assertThat(found).containsExactly("one", "two");
		});
	}

	@Test
	void aHandlerSaysGoodbyeWhenTheServerDrainsButNotWhenItsPeerHasLeft() {
		CompletableFuture<SignalType> ended = new CompletableFuture<>();
		this.contextRunner.withPropertyValues("callosum.server.completion-timeout=1h")
			.withBean(ConnectionHandler.class,
					() -> (connection) -> Mono.from(new GoodbyeHandler().handle(connection)).doFinally(ended::complete))
			.run((context) -> {
				CallosumServer server = context.getBean(CallosumServer.class);
				try (Socket socket = connect(server)) {
					assertThat(readLine(socket)).isEqualTo("0");
					socket.getOutputStream().write("one\ntw".getBytes(StandardCharsets.US_ASCII));
					assertThat(readLine(socket)).isEqualTo("echo one");
				}
				assertThat(ended.get(30, TimeUnit.SECONDS)).isEqualTo(SignalType.ON_COMPLETE);
				try (Socket socket = connect(server)) {
					assertThat(readLine(socket)).containsOnlyDigits();
					socket.getOutputStream().write("one\n".getBytes(StandardCharsets.US_ASCII));
					assertThat(readLine(socket)).isEqualTo("echo one");
					server.stop(Duration.ofSeconds(30));
					assertThat(readLine(socket)).isEqualTo("bye");
					assertThat(socket.getInputStream().read()).isEqualTo(-1);
				}
			});
	}

	@Test
	void aHandlerExpectsAPasswordOnTheFirstLine() {
		authenticatingHandler(Duration.ofSeconds(30)).run((context) -> {
			CallosumServer server = context.getBean(CallosumServer.class);
			try (Socket socket = connect(server)) {
				assertThat(readLine(socket)).isEqualTo("0");
				socket.getOutputStream().write("secret\none\ntwo\n".getBytes(StandardCharsets.US_ASCII));
				assertThat(readLine(socket)).isEqualTo("welcome");
				assertThat(readLine(socket)).isEqualTo("echo one");
				assertThat(readLine(socket)).isEqualTo("echo two");
			}
			try (Socket socket = connect(server)) {
				readLine(socket);
				socket.getOutputStream().write("guess\none\n".getBytes(StandardCharsets.US_ASCII));
				assertThat(readLine(socket)).isEqualTo("denied");
				assertThat(socket.getInputStream().read()).isEqualTo(-1);
			}
			try (Socket socket = connect(server)) {
				readLine(socket);
				server.stop(Duration.ofSeconds(30));
				assertThat(socket.getInputStream().read()).as("what a drain answers").isEqualTo(-1);
			}
		});
	}

	@Test
	void aClientThatDoesNotAuthenticateIsDeniedAndClosedWithoutAnError() {
		List<ServerErrorEvent> errors = new CopyOnWriteArrayList<>();
		CountDownLatch freed = new CountDownLatch(2);
		authenticatingHandler(Duration.ofMillis(500))
			.withInitializer((context) -> context.addApplicationListener((event) -> {
				if (event instanceof ServerErrorEvent error) {
					errors.add(error);
				}
				else if (event instanceof SlotFreeEvent) {
					freed.countDown();
				}
			}))
			.run((context) -> {
				CallosumServer server = context.getBean(CallosumServer.class);
				try (Socket socket = connect(server)) {
					assertThat(readLine(socket)).isEqualTo("0");
				}
				try (Socket socket = connect(server)) {
					assertThat(readLine(socket)).containsOnlyDigits();
					assertThat(readLine(socket)).isEqualTo("denied");
					assertThat(socket.getInputStream().read()).isEqualTo(-1);
				}
				assertThat(freed.await(30, TimeUnit.SECONDS)).isTrue();
				assertThat(errors).isEmpty();
			});
	}

	private ApplicationContextRunner authenticatingHandler(Duration deadline) {
		return this.contextRunner.withBean(AuthenticatingHandler.class,
				() -> new AuthenticatingHandler("secret", deadline));
	}

	private ApplicationContextRunner blockingHandler(Database database) {
		return this.contextRunner.withConfiguration(AutoConfigurations.of(TaskExecutionAutoConfiguration.class))
			.withBean(Database.class, () -> database)
			.withUserConfiguration(BlockingHandler.class);
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

		private final Scheduler scheduler;

		BlockingHandler(Database database, AsyncTaskExecutor applicationTaskExecutor) {
			this.database = database;
			this.scheduler = Schedulers.fromExecutor(applicationTaskExecutor);
		}

		@Override
		public Publisher<Void> handle(CallosumConnection connection) {
			Flux<String> answers = connection.inbound()
				.withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(1024, true, true)))
				.receive()
				.asString(StandardCharsets.UTF_8)
				.concatMapDelayError(this::answer);
			return connection.outbound().sendString(answers);
		}

		Mono<String> answer(String line) {
			return Mono.fromCallable(() -> this.database.find(line) + "\r\n").subscribeOn(this.scheduler);
		}

	}

	static class ErrorAnsweringHandler extends BlockingHandler {

		ErrorAnsweringHandler(Database database, AsyncTaskExecutor applicationTaskExecutor) {
			super(database, applicationTaskExecutor);
		}

		@Override
		Mono<String> answer(String line) {
			return super.answer(line).onErrorReturn("error\r\n");
		}

	}

	static class LineHandler implements BlockingConnectionHandler {

		private final Database database;

		LineHandler(Database database) {
			this.database = database;
		}

		@Override
		public void handle(CallosumConnection connection) throws IOException {
			InputStream in = new BufferedInputStream(connection.inputStream());
			OutputStream out = connection.outputStream();
			String line;
			while ((line = readLine(in)) != null) {
				out.write((this.database.find(line) + "\r\n").getBytes(StandardCharsets.UTF_8));
			}
		}

		private static String readLine(InputStream in) throws IOException {
			ByteArrayOutputStream line = new ByteArrayOutputStream();
			int read;
			while ((read = in.read()) != '\n') {
				if (read == -1 || line.size() == 1024) {
					return null;
				}
				line.write(read);
			}
			return line.toString(StandardCharsets.UTF_8).trim();
		}

	}

	static class GoodbyeHandler implements ConnectionHandler {

		@Override
		public Publisher<Void> handle(CallosumConnection connection) {
			Flux<String> answers = connection.inbound()
				.withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(1024)))
				.receive()
				.asString()
				.map(this::answer);
			Mono<String> goodbye = connection.draining().thenReturn("bye\r\n").takeUntilOther(connection.onClose());
			return connection.outbound().sendString(answers.concatWith(goodbye));
		}

		private String answer(String line) {
			return "echo " + line + "\r\n";
		}

	}

	static class AuthenticatingHandler implements ConnectionHandler {

		private final String password;

		private final Duration deadline;

		AuthenticatingHandler(String password, Duration deadline) {
			this.password = password;
			this.deadline = deadline;
		}

		@Override
		public Publisher<Void> handle(CallosumConnection connection) {
			Flux<String> answers = connection.inbound()
				.withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(1024)))
				.receive()
				.asString()
				.timeout(Mono.delay(this.deadline))
				.switchOnFirst((first, lines) -> {
					if (this.password.equals(first.get())) {
						return lines.skip(1).map(this::answer).startWith("welcome\r\n");
					}
					return first.isOnComplete() ? Flux.empty() : Flux.just("denied\r\n");
				});
			return connection.outbound().sendString(answers);
		}

		private String answer(String line) {
			return "echo " + line + "\r\n";
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
