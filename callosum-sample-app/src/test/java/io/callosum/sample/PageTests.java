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
import java.net.HttpURLConnection;
import java.net.Socket;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

import com.jayway.jsonpath.DocumentContext;
import com.jayway.jsonpath.JsonPath;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;
import org.reactivestreams.Subscription;
import reactor.core.publisher.BaseSubscriber;

import org.springframework.http.codec.ServerSentEvent;

import io.callosum.server.CallosumConnection;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Reads what the page and terminals show over HTTP.
 */
@ParameterizedClass(name = "native transport: {0}")
@ValueSource(booleans = { true, false })
class PageTests {

	@Parameter
	boolean nativeTransport;

	private RunningSample sample;

	@BeforeEach
	void start() {
		this.sample = new RunningSample(List.of(), "callosum.server.native-transport=" + this.nativeTransport,
				"callosum.server.max-connections=300");
	}

	@AfterEach
	void stop() throws IOException {
		this.sample.close();
	}

	@Test
	void aViewerIsToldAllThatThereIsAndThenWhatChanges() throws Exception {
		this.sample.connect(2);
		awaitHeld(2);
		try (Viewer viewer = new Viewer()) {
			viewer.readUntil((board) -> board.version >= 0);
			assertThat(viewer.event).isEqualTo("snapshot");
			assertThat(viewer.held).containsOnlyKeys(0, 1);
			// In this order for each connection, but not for both together
			assertThat(viewer.events).containsExactlyInAnyOrder("request", "connected", "request", "connected");
			Socket third = this.sample.connect();
			viewer.readUntil((board) -> board.held.containsKey(2));
			assertThat(viewer.event).isEqualTo("change");
			third.close();
			viewer.readUntil((board) -> !board.held.containsKey(2));
			assertThat(viewer.held).containsOnlyKeys(0, 1);
			assertThat(viewer.events).endsWith("request", "connected", "free");
		}
	}

	@Test
	void viewersThatComeAtAnyTimeEndWithTheSameAsTheServer() throws Exception {
		ExecutorService executor = Executors.newCachedThreadPool();
		try {
			Future<Integer> churn = executor.submit(() -> {
				Random random = new Random(1);
				List<Socket> clients = new ArrayList<>();
				for (int i = 0; i < 3000; i++) {
					if (clients.size() > 60 || (!clients.isEmpty() && random.nextInt(3) == 0)) {
						clients.remove(random.nextInt(clients.size())).close();
					}
					else {
						clients.add(this.sample.connect());
					}
				}
				return clients.size();
			});
			List<Viewer> viewers = new ArrayList<>();
			while (!churn.isDone()) {
				if (viewers.size() < 20) {
					viewers.add(new Viewer());
				}
				for (Viewer viewer : viewers) {
					viewer.read();
				}
			}
			int left = churn.get();
			Map<Integer, String> expected = new HashMap<>();
			Awaitility.await().atMost(Duration.ofSeconds(30)).until(() -> {
				expected.clear();
				for (CallosumConnection connection : this.sample.server().connections()) {
					expected.put(connection.slot(), connection.id());
				}
				return expected.size() == left && this.sample.bean(SlotBoard.class).since(-1).held().size() == left;
			});
			long version = this.sample.bean(SlotBoard.class).since(-1).version();
			for (Viewer viewer : viewers) {
				viewer.readUntil((board) -> board.version >= version);
				assertThat(viewer.held).isEqualTo(expected);
				viewer.close();
			}
		}
		finally {
			executor.shutdownNow();
		}
	}

	@Test
	void aSlowViewerIsToldAllThatItHasMissedAtOnce() throws Exception {
		BlockingQueue<DocumentContext> updates = new LinkedBlockingQueue<>();
		BaseSubscriber<ServerSentEvent<String>> viewer = new BaseSubscriber<>() {

			@Override
			protected void hookOnSubscribe(Subscription subscription) {
				subscription.request(1);
			}

			@Override
			protected void hookOnNext(ServerSentEvent<String> event) {
				updates.add(JsonPath.parse(event.data()));
			}

		};
		this.sample.bean(PageController.class).events().subscribe(viewer);
		DocumentContext snapshot = updates.poll(30, TimeUnit.SECONDS);
		for (int i = 0; i < 200; i++) {
			this.sample.connect().close();
		}
		SlotBoard board = this.sample.bean(SlotBoard.class);
		Awaitility.await()
			.atMost(Duration.ofSeconds(30))
			.until(() -> board.since(-1).totals().given() == 200 && board.since(-1).held().isEmpty());
		assertThat(updates).isEmpty();
		viewer.request(1);
		DocumentContext change = updates.poll(30, TimeUnit.SECONDS);
		viewer.cancel();
		assertThat(change.<Integer>read("since")).isEqualTo(snapshot.<Integer>read("version"));
		assertThat(change.<Integer>read("totals.given")).isEqualTo(200);
		assertThat(change.<List<?>>read("events")).hasSize(100);
	}

	@Test
	void aRefusalWithoutAnEventIsToldToo() throws Exception {
		this.sample.connect(300);
		try (Viewer viewer = new Viewer(); Socket refused = this.sample.connectOnly()) {
			assertThat(refused.getInputStream().read()).isEqualTo(-1);
			viewer.readUntil((board) -> board.events.contains("refused"));
			assertThat(viewer.lastData).contains("1 × max connections").contains("\"refused\":1");
		}
	}

	@Test
	void aTerminalIsShownTheConnections() throws Exception {
		Socket client = this.sample.connect();
		awaitHeld(1);
		RunningSample.Response response = this.sample.request("GET /connections",
				"Host: localhost:" + this.sample.httpPort());
		assertThat(response.status()).isEqualTo(200);
		assertThat(response.body().lines().toList().get(1))
			.matches(" +0  127\\.0\\.0\\.1:" + client.getLocalPort() + " +\\d+ s  \\S+");
	}

	@Test
	void aViewerDoesNotDelayTheEndOfTheApplication() throws Exception {
		try (Viewer viewer = new Viewer()) {
			viewer.read();
			long start = System.nanoTime();
			this.sample.close();
			assertThat(Duration.ofNanos(System.nanoTime() - start)).isLessThan(Duration.ofSeconds(20));
			assertThat(viewer.read()).as("more of the stream").isFalse();
		}
	}

	/**
	 * A client may know its slot before the listeners do.
	 */
	private void awaitHeld(int count) {
		SlotBoard board = this.sample.bean(SlotBoard.class);
		Awaitility.await().atMost(Duration.ofSeconds(30)).until(() -> board.since(-1).held().size() == count);
	}

	/**
	 * Reads the stream as the page does.
	 */
	private final class Viewer implements AutoCloseable {

		private final HttpURLConnection connection;

		private final BufferedReader in;

		private final Map<Integer, String> held = new HashMap<>();

		private final List<String> events = new ArrayList<>();

		private long version = -1;

		private String event;

		private String lastData;

		Viewer() throws IOException {
			this.connection = (HttpURLConnection) new URL("http", "127.0.0.1", PageTests.this.sample.httpPort(),
					"/events")
				.openConnection();
			this.connection.setReadTimeout(30_000);
			this.in = new BufferedReader(
					new InputStreamReader(this.connection.getInputStream(), StandardCharsets.UTF_8));
		}

		void readUntil(Predicate<Viewer> condition) throws IOException {
			// Heartbeats continue forever
			long deadline = System.nanoTime() + Duration.ofSeconds(60).toNanos();
			while (!condition.test(this)) {
				assertThat(System.nanoTime()).as("the time").isLessThan(deadline);
				assertThat(read()).as("more of the stream").isTrue();
			}
		}

		boolean read() throws IOException {
			String line = this.in.readLine();
			while (line != null && !line.startsWith("data:")) {
				this.event = line.startsWith("event:") ? line.substring(6) : this.event;
				line = this.in.readLine();
			}
			if (line == null) {
				return false;
			}
			this.lastData = line.substring(5);
			apply(JsonPath.parse(this.lastData).json());
			return true;
		}

		@SuppressWarnings("unchecked")
		private void apply(Map<String, Object> update) {
			assertThat(((Number) update.get("since")).longValue()).as("the version built on").isEqualTo(this.version);
			this.version = ((Number) update.get("version")).longValue();
			for (Map<String, Object> one : (List<Map<String, Object>>) update.get("held")) {
				this.held.put((Integer) one.get("slot"), (String) one.get("id"));
			}
			for (Map<String, Object> one : (List<Map<String, Object>>) update.get("freed")) {
				this.held.remove((Integer) one.get("slot"));
			}
			for (Map<String, Object> one : (List<Map<String, Object>>) update.get("events")) {
				this.events.add((String) one.get("type"));
			}
		}

		@Override
		public void close() {
			this.connection.disconnect();
		}

	}

}
