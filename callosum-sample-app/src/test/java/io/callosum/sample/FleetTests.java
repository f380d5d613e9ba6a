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

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URL;
import java.net.URLConnection;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import com.sun.management.OperatingSystemMXBean;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.reactivestreams.Subscription;
import reactor.core.publisher.BaseSubscriber;
import reactor.core.publisher.Mono;

import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.context.annotation.Primary;

import io.callosum.sample.FleetBoard.Event;
import io.callosum.sample.FleetBoard.Server;
import io.callosum.sample.FleetBoard.Update;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Controls the fleet over HTTP, as from a terminal, and watches what becomes of it.
 */
@ExtendWith(OutputCaptureExtension.class)
class FleetTests {

	private static final Path ANIMATION = Browser.DOCS.resolve("rolling-restart.svg");

	private RunningSample sample;

	@BeforeEach
	void start() {
		this.sample = new RunningSample(List.of(), "sample.fleet.enabled=true");
	}

	@AfterEach
	void stop() throws IOException {
		this.sample.close();
	}

	@Test
	void theFleetEvensOutByItselfAndIsAsked() {
		awaitEven(3, 60);
		await().until(() -> all().servers().stream().allMatch((server) -> server.rate() > 0));
		assertThat(all().settings().clients()).hasSize(12);
		assertThat(all().samples()).isNotEmpty();
	}

	@ParameterizedTest
	@ValueSource(strings = { "stop", "kill" })
	void theConnectionsOfAServerThatStopsMoveAndComeBack(String action) throws Exception {
		awaitEven(3, 60);
		int port = server("A").port();
		assertThat(change("POST", "servers/A/" + action)).isEqualTo(204);
		// At once, because the feed forgets
		await().until(() -> hasEvent("lost", "A"));
		await().until(() -> hasEvent("kept", "B"));
		await().until(() -> server("A").state().equals("stopped") && connections("A") == 0
				&& connections("B") + connections("C") == 60);
		assertThat(change("POST", "servers/A/start")).isEqualTo(204);
		await().until(() -> hasEvent("returned", "A"));
		awaitEven(3, 60);
		assertThat(server("A").port()).isEqualTo(port);
	}

	@Test
	void aFrozenServerIsLeftAndComesBack() throws Exception {
		awaitEven(3, 60);
		assertThat(change("POST", "servers/B/freeze")).isEqualTo(204);
		await().until(() -> server("B").state().equals("frozen") && connections("B") == 0);
		await().until(
				() -> hasEvent("closed", "B") && hasEvent("ejected", "B") && connections("A") + connections("C") == 60);
		assertThat(change("POST", "servers/B/unfreeze")).isEqualTo(204);
		awaitEven(3, 60);
		assertThat(change("POST", "reset")).isEqualTo(204);
		awaitEven(3, 60);
		await().until(() -> all().settings().failed() == 0);
	}

	@Test
	void theFeedReportsWhatClientsDo() throws Exception {
		FleetBoard board = this.sample.bean(FleetBoard.class);
		Set<String> types = new LinkedHashSet<>();
		Predicate<List<String>> seen = (expected) -> {
			board.since(-1).events().stream().map(Event::type).forEach(types::add);
			return types.containsAll(expected);
		};
		awaitEven(3, 60);
		await().until(() -> seen.test(List.of("kept", "turned down")));
		assertThat(change("POST", "servers/A/kill")).isEqualTo(204);
		await().until(() -> seen.test(List.of("lost", "action")) && connections("B") + connections("C") == 60);
		assertThat(change("POST", "servers/A/start")).isEqualTo(204);
		await().until(() -> seen.test(List.of("returned", "replaced")));
		awaitEven(3, 60);
		assertThat(change("POST", "servers/B/freeze")).isEqualTo(204);
		await().until(() -> seen.test(List.of("ejected")));
		assertThat(change("POST", "servers/B/unfreeze")).isEqualTo(204);
		await().until(() -> seen.test(List.of("restored")));
	}

	@Test
	void weightsDrawConnections() throws Exception {
		awaitEven(3, 60);
		assertThat(change("PUT", "servers/C/weight/2")).isEqualTo(204);
		await().until(() -> all().settings().clients().size() == 12 && connections("C") >= 26
				&& connections("A") + connections("B") + connections("C") == 60);
		assertThat(server("C").weight()).isEqualTo(2);
		assertThat(change("PUT", "servers/C/weight/1")).isEqualTo(204);
		awaitEven(3, 60);
	}

	@Test
	void theRollingRestartEndsEvenAndFailsNoRequest() throws Exception {
		awaitEven(3, 60);
		long failed = all().settings().failed();
		FleetRecorder recorder = new FleetRecorder(this.sample.bean(FleetBoard.class));
		assertThat(change("POST", "rolling-restart")).isEqualTo(202);
		assertThat(change("POST", "rolling-restart")).isEqualTo(409);
		Set<String> restarted = new LinkedHashSet<>();
		await().until(() -> {
			all().events()
				.stream()
				.filter((event) -> event.text().equals("restart"))
				.forEach((event) -> restarted.add(event.server()));
			return !this.sample.bean(Fleet.class).isRolling();
		});
		assertThat(restarted).containsExactly("A", "B", "C");
		awaitEven(3, 60);
		recorder.save(ANIMATION);
		assertThat(Files.size(ANIMATION)).isLessThan(1_000_000);
		assertThat(Files.readAllLines(Path.of("docs", "rolling-restart.svg")).subList(1, 6))
			.as("the start of the one in docs")
			.isEqualTo(Files.readAllLines(ANIMATION).subList(1, 6));
		assertThat(all().settings().failed()).isEqualTo(failed);
	}

	@Test
	void aResetEndsARollingRestartWithoutAnError(CapturedOutput output) throws Exception {
		awaitEven(3, 60);
		for (String restart : List.of("restart A", "restart B")) {
			assertThat(change("POST", "rolling-restart")).isEqualTo(202);
			await().until(() -> actions().contains(restart));
			assertThat(change("POST", "reset")).isEqualTo(204);
			await().until(() -> !all().settings().rolling());
			awaitEven(3, 60);
		}
		assertThat(output).doesNotContain("onErrorDropped", "The rolling restart failed");
	}

	@Test
	void serversAndClientsAndConnectionsAreAddedUpToALimit() throws Exception {
		for (int server = 4; server <= 10; server++) {
			assertThat(change("POST", "servers")).isEqualTo(204);
		}
		assertThat(change("POST", "servers")).isEqualTo(409);
		for (int client = 13; client <= 50; client++) {
			assertThat(change("POST", "clients")).isEqualTo(204);
		}
		assertThat(change("POST", "clients")).isEqualTo(409);
		awaitEven(10, 250);
		assertThat(change("DELETE", "clients/7")).isEqualTo(204);
		assertThat(change("DELETE", "clients/7")).isEqualTo(404);
		await().until(() -> all().settings().clients().size() == 49);
		assertThat(change("POST", "clients")).isEqualTo(204);
		await().until(() -> all().settings().clients().size() == 50);
		assertThat(all().settings().clients()).as("the clients, one of them new").isSorted();
		assertThat(change("DELETE", "clients/7")).isEqualTo(204);
		assertThat(change("PUT", "pool-size/2")).isEqualTo(204);
		awaitEven(10, 98);
		assertThat(change("PUT", "pool-size/0")).isEqualTo(400);
		assertThat(change("PUT", "pool-size/21")).isEqualTo(400);
		assertThat(change("POST", "reset")).isEqualTo(204);
		awaitEven(3, 60);
	}

	@Test
	void aRequestThatIsRefusedIsAnsweredWithASentenceAndNotReported() throws Exception {
		assertRefused("POST", "servers/Z/stop", 404, "There is no server Z");
		assertRefused("POST", "servers/A/jump", 404,
				"There is no such action, only start, stop, kill, freeze and unfreeze");
		assertRefused("DELETE", "clients/99", 404, "There is no client 99");
		assertRefused("PUT", "servers/A/weight/0", 400, "The weight must be more than 0 and at most 10");
		assertRefused("PUT", "servers/A/weight/NaN", 400, "The weight must be more than 0 and at most 10");
		assertRefused("PUT", "servers/A/weight/much", 400, "The path must end with a number");
		assertRefused("PUT", "pool-size/0", 400, "Each client keeps from 1 to 20 connections");
		assertRefused("PUT", "pool-size/many", 400, "The path must end with a number");
		assertThat(actions()).isEmpty();
		assertThat(change("POST", "servers/A/kill")).isEqualTo(204);
		assertRefused("POST", "servers/A/freeze", 409, "Server A is not running");
		// Nothing is left to do
		assertThat(change("POST", "servers/A/stop")).isEqualTo(204);
		assertThat(change("POST", "servers/A/kill")).isEqualTo(204);
		assertThat(change("POST", "servers/A/unfreeze")).isEqualTo(204);
		assertThat(change("POST", "servers/B/start")).isEqualTo(204);
		assertThat(change("PUT", "servers/B/weight/1")).isEqualTo(204);
		assertThat(actions()).containsExactly("kill A");
	}

	@Test
	void whatIsDoneIsReported() throws Exception {
		List<String> reported = new ArrayList<>();
		for (String request : List.of("POST servers/A/freeze", "POST servers/A/unfreeze", "POST servers/A/stop",
				"POST servers/A/start", "POST servers/A/kill", "PUT servers/A/weight/0.5", "POST servers",
				"POST clients", "DELETE clients/7", "DELETE clients", "PUT pool-size/2", "POST pool-size/decrease",
				"POST pool-size/increase", "POST reset")) {
			long version = all().version();
			assertThat(change(request.split(" ")[0], request.split(" ")[1])).as(request).isEqualTo(204);
			reported.addAll(actions(version));
		}
		assertThat(reported).containsExactly("freeze A", "unfreeze A", "stop A", "start A", "kill A", "weight 0.5 A",
				"add D", "add client 13", "remove client 7", "remove client 13", "2 connections each",
				"1 connection each", "2 connections each", "reset");
		assertThat(change("POST", "rolling-restart")).isEqualTo(202);
		await().until(() -> actions().contains("restart A"));
	}

	@Test
	void aFailureToUpdateDoesNotEndTheFleet() throws Exception {
		this.sample.close();
		this.sample = new RunningSample(List.of(FailingBoard.class), "sample.fleet.enabled=true");
		FailingBoard board = this.sample.bean(FailingBoard.class);
		await().until(() -> board.failures == 3);
		awaitEven(3, 60);
	}

	@Test
	void aRollingRestartIsSeenInATerminal() throws Exception {
		awaitEven(3, 60);
		URLConnection connection = new URL("http", "127.0.0.1", this.sample.httpPort(), "/fleet/stream?format=text")
			.openConnection();
		connection.setReadTimeout(30_000);
		try (BufferedReader in = new BufferedReader(
				new InputStreamReader(connection.getInputStream(), StandardCharsets.UTF_8))) {
			assertThat(change("POST", "rolling-restart")).isEqualTo(202);
			Set<String> stopped = new LinkedHashSet<>();
			String line = in.readLine();
			while (!line.contains("in progress")) {
				line = in.readLine();
			}
			while (!line.contains(" servers, ") || line.contains("in progress")) {
				line = in.readLine();
				if (line.contains(" stopped ")) {
					stopped.add(line.substring(0, 1));
				}
			}
			assertThat(stopped).as("the servers that were shown as stopped").isNotEmpty();
		}
		awaitEven(3, 60);
	}

	@Test
	void noOtherPageSeesOrChangesTheFleet() throws Exception {
		String host = "Host: localhost:" + this.sample.httpPort();
		for (String request : List.of("POST /fleet/servers", "POST /fleet/servers/A/kill",
				"PUT /fleet/servers/A/weight/2", "POST /fleet/clients", "DELETE /fleet/clients/1",
				"DELETE /fleet/clients", "PUT /fleet/pool-size/2", "POST /fleet/pool-size/increase",
				"POST /fleet/pool-size/decrease", "POST /fleet/rolling-restart", "POST /fleet/reset", "GET /fleet",
				"GET /fleet/stream", "GET /fleet/stream?format=text")) {
			assertThat(this.sample.request(request, host, "Origin: http://example.com").status()).as(request)
				.isEqualTo(403);
			if (!request.startsWith("GET")) {
				assertThat(this.sample.request(request, host, "Content-Length: 0").status()).as(request).isEqualTo(403);
			}
		}
		awaitEven(3, 60);
		assertThat(all().events()).noneMatch((event) -> event.type().equals("action"));
	}

	@Test
	void thePageLoadsNothingFromElsewhere() throws Exception {
		RunningSample.Response page = this.sample.request("GET /fleet", "Host: localhost:" + this.sample.httpPort());
		assertThat(page.head()).contains("Content-Security-Policy: default-src 'self'", "text/html");
		assertThat(page.body()).contains("<title>Callosum fleet</title>").doesNotContain("http:", "https:", "//");
	}

	@Test
	void aTerminalIsShownTheBars() throws Exception {
		awaitEven(3, 60);
		URLConnection connection = new URL("http", "127.0.0.1", this.sample.httpPort(), "/fleet/stream?format=text")
			.openConnection();
		connection.setReadTimeout(30_000);
		try (BufferedReader in = new BufferedReader(
				new InputStreamReader(connection.getInputStream(), StandardCharsets.UTF_8))) {
			assertThat(in.readLine()).contains("3 servers, 12 clients with 5 connections each, max/mean 1.");
			in.readLine();
			assertThat(in.readLine()).matches("A :\\d+ +running +weight 1 +\\d+/s +\\d+  [1-9a-c·]{18,}\u001b\\[K");
			in.readLine();
			assertThat(in.readLine()).startsWith("C :");
			assertThat(in.readLine()).as("the next picture").contains("3 servers, 12 clients");
		}
	}

	@Test
	void aSlowTerminalIsShownTheFleetAsItIsThen() throws Exception {
		awaitEven(3, 60);
		BlockingQueue<String> pictures = new LinkedBlockingQueue<>();
		BaseSubscriber<String> terminal = new BaseSubscriber<>() {

			@Override
			protected void hookOnSubscribe(Subscription subscription) {
				subscription.request(1);
			}

			@Override
			protected void hookOnNext(String picture) {
				pictures.add(picture);
			}

		};
		// The web server also asks for many and writes them one after another
		this.sample.bean(FleetController.class).pictures().concatMap(Function.identity(), 32).subscribe(terminal);
		assertThat(pictures.poll(30, TimeUnit.SECONDS)).contains("3 servers");
		// In this time, pictures could pile up
		await().pollDelay(Duration.ofMillis(2500)).until(() -> true);
		assertThat(change("POST", "servers")).isEqualTo(204);
		awaitEven(4, 60);
		assertThat(pictures).isEmpty();
		terminal.request(1);
		assertThat(pictures.poll(30, TimeUnit.SECONDS)).contains("4 servers");
		terminal.cancel();
	}

	@Test
	void aTerminalDoesNotDelayTheEndOfTheApplication() throws Exception {
		List<String> pictures = new CopyOnWriteArrayList<>();
		Mono<Void> end = this.sample.bean(FleetController.class)
			.pictures()
			.concatMap(Function.identity(), 32)
			.doOnNext(pictures::add)
			.then();
		CompletableFuture<Void> ended = end.toFuture();
		await().until(() -> !pictures.isEmpty());
		int shown = pictures.size();
		this.sample.bean(UpdateStream.class).closing();
		ended.get(30, TimeUnit.SECONDS);
		assertThat(pictures).hasSizeLessThan(shown + 9);
	}

	@Test
	void atRestTheFleetTakesLittleOfAProcessor() {
		awaitEven(3, 60);
		// On a slow machine, it takes the JVM longer to warm up
		await().pollDelay(Duration.ZERO).untilAsserted(() -> assertThat(processorShare()).isLessThan(0.15));
	}

	/**
	 * Return the share of a processor that this process takes in the next ten seconds:
	 * the time on processors, not the time that passes, so other processes make little
	 * difference. Much of it is what a JVM needs to warm up, and to track each buffer.
	 */
	private static double processorShare() {
		OperatingSystemMXBean system = ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class);
		long start = System.nanoTime();
		long before = system.getProcessCpuTime();
		await().pollDelay(Duration.ofSeconds(10)).until(() -> true);
		return (double) (system.getProcessCpuTime() - before) / (System.nanoTime() - start);
	}

	@Test
	void theReadmeShowsEachRequest() throws Exception {
		List<String> requests = new ArrayList<>();
		Matcher rows = Pattern.compile("(?m)^\\| (`\\w+ /fleet.*?`) \\|")
			.matcher(Files.readString(Path.of("..", "README.md")));
		while (rows.find()) {
			Matcher names = Pattern.compile("`([^`]+)`").matcher(rows.group(1));
			while (names.find()) {
				String last = requests.isEmpty() ? "" : requests.get(requests.size() - 1);
				// Only the last part, if the rest is as before
				requests.add(names.group(1).contains("/") ? names.group(1)
						: last.substring(0, last.lastIndexOf('/') + 1) + names.group(1));
			}
		}
		for (String request : requests) {
			int status = change(request.split(" ")[0], request.split(" ")[1].substring("/fleet/".length()));
			assertThat(status).as(request).isBetween(200, 299);
		}
		assertThat(requests.stream().map((request) -> request.replaceAll("/[B\\d]+\\b", "/*")))
			.containsExactlyInAnyOrder("POST /fleet/servers", "POST /fleet/servers/*/stop",
					"POST /fleet/servers/*/kill", "POST /fleet/servers/*/start", "POST /fleet/servers/*/freeze",
					"POST /fleet/servers/*/unfreeze", "PUT /fleet/servers/*/weight/*", "POST /fleet/clients",
					"DELETE /fleet/clients/*", "DELETE /fleet/clients", "PUT /fleet/pool-size/*",
					"POST /fleet/pool-size/increase", "POST /fleet/pool-size/decrease", "POST /fleet/rolling-restart",
					"POST /fleet/reset");
	}

	@ParameterizedTest
	@ValueSource(strings = { "/events", "/fleet/stream", "/fleet/stream?format=text" })
	void noBufferIsLostWhenViewersLeaveInTheMiddleOfAnUpdate(String path) throws Exception {
		awaitEven(3, 60);
		for (int i = 0; i < 500; i++) {
			try (Socket viewer = new Socket(InetAddress.getByName("127.0.0.1"), this.sample.httpPort())) {
				viewer.setSoTimeout(30_000);
				viewer.setSoLinger(true, 0);
				viewer.getOutputStream()
					.write(("GET " + path + " HTTP/1.1\r\nHost: localhost:" + this.sample.httpPort() + "\r\n\r\n")
						.getBytes(StandardCharsets.US_ASCII));
				// Some do not even wait for the first byte
				viewer.getInputStream().readNBytes(i % 10 * 50);
			}
		}
	}

	@Test
	void theFleetCanBeSwitchedOff() throws Exception {
		try (RunningSample other = new RunningSample(List.of(), "sample.fleet.enabled=false")) {
			String host = "Host: localhost:" + other.httpPort();
			for (String request : List.of("GET /fleet", "GET /fleet/stream", "GET /fleet/stream?format=text",
					"POST /fleet/servers", "POST /fleet/reset")) {
				RunningSample.Response response = other.request(request, host,
						"Origin: http://localhost:" + other.httpPort(), "Content-Length: 0");
				assertThat(response.status()).as(request).isEqualTo(404);
				assertThat(response.body()).as(request)
					.isEqualTo("The fleet is disabled; set sample.fleet.enabled=true to enable it\n");
			}
			assertThat(other.request("GET /fleet.html", host).status()).isEqualTo(404);
			assertThat(other.bean(FleetBoard.class).since(-1).servers()).isEmpty();
			assertThat(other.bean(SlotBoard.class).since(-1).fleet()).isFalse();
		}
		assertThat(this.sample.bean(SlotBoard.class).since(-1).fleet()).isTrue();
	}

	/**
	 * Wait until as many connections as there should be are spread as evenly as they are
	 * guaranteed to be.
	 */
	private void awaitEven(int servers, int connections) {
		await().untilAsserted(() -> {
			List<Server> all = all().servers();
			assertThat(all).hasSize(servers).allMatch((server) -> server.state().equals("running"));
			assertThat(all.stream().mapToInt(Server::connections).sum()).isEqualTo(connections);
			assertThat(all.stream().mapToInt(Server::connections).max().getAsInt()
					- all.stream().mapToInt(Server::connections).min().getAsInt())
				.isLessThanOrEqualTo(2);
		});
	}

	private boolean hasEvent(String type, String server) {
		Predicate<Event> matches = (event) -> event.type().equals(type) && server.equals(event.server());
		return all().events().stream().anyMatch(matches);
	}

	private int connections(String server) {
		return server(server).connections();
	}

	private Server server(String name) {
		return all().servers().stream().filter((server) -> server.name().equals(name)).findFirst().orElseThrow();
	}

	private Update all() {
		return this.sample.bean(FleetBoard.class).since(-1);
	}

	private List<String> actions() {
		return actions(-1);
	}

	/**
	 * Return what users did after a version, according to the feed.
	 */
	private List<String> actions(long version) {
		return this.sample.bean(FleetBoard.class)
			.since(version)
			.events()
			.stream()
			.filter((event) -> event.type().equals("action"))
			.map((event) -> (event.server() != null) ? event.text() + " " + event.server() : event.text())
			.toList();
	}

	private void assertRefused(String method, String path, int status, String reason) throws IOException {
		RunningSample.Response response = request(method, path);
		assertThat(response.status()).as(path).isEqualTo(status);
		assertThat(response.body()).as(path).isEqualTo(reason + "\n");
		assertThat(response.head()).as(path).contains("text/plain");
	}

	private int change(String method, String path) throws IOException {
		return request(method, path).status();
	}

	private RunningSample.Response request(String method, String path) throws IOException {
		String host = "localhost:" + this.sample.httpPort();
		return this.sample.request(method + " /fleet/" + path, "Host: " + host, "Origin: http://" + host,
				"Content-Length: 0");
	}

	private static ConditionFactory await() {
		return Awaitility.await().atMost(Duration.ofMinutes(3));
	}

	@Primary
	static class FailingBoard extends FleetBoard {

		private volatile int failures;

		@Override
		synchronized void update(Collection<FleetServer> servers, Collection<FleetClient> clients, int poolSize,
				boolean rolling) {
			if (this.failures < 3) {
				this.failures++;
				throw new IllegalStateException("Not yet");
			}
			super.update(servers, clients, poolSize, rolling);
		}

	}

}
