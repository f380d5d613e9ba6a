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
import java.net.URL;
import java.net.URLConnection;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

import org.junit.jupiter.api.Test;
import org.reactivestreams.Subscription;
import reactor.core.publisher.BaseSubscriber;
import reactor.core.publisher.Mono;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Reads what terminals show of the fleet while it changes.
 */
class FleetTerminalTests extends AbstractFleetTests {

	private BufferedReader openTerminal() throws IOException {
		URLConnection connection = new URL("http", "127.0.0.1", this.sample.httpPort(), "/fleet/stream?format=text")
			.openConnection();
		connection.setReadTimeout(30_000);
		return new BufferedReader(new InputStreamReader(connection.getInputStream(), StandardCharsets.UTF_8));
	}

	@Test
	void aRollingRestartIsSeenInATerminal() throws Exception {
		awaitEven(3, 60);
		try (BufferedReader in = openTerminal()) {
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
	void aTerminalIsShownTheBars() throws Exception {
		awaitEven(3, 60);
		try (BufferedReader in = openTerminal()) {
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
		// The web server also requests many and writes them one after another
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

}
