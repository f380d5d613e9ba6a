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
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

import io.netty.channel.Channel;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.util.concurrent.GlobalEventExecutor;
import org.awaitility.Awaitility;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.openqa.selenium.Keys;
import org.openqa.selenium.WebElement;
import org.openqa.selenium.By;

import org.springframework.boot.reactor.netty.NettyServerCustomizer;
import org.springframework.context.annotation.Bean;
import org.springframework.http.HttpStatus;
import org.springframework.web.server.WebFilter;

import io.callosum.server.CallosumConnection;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Looks at the page as people do, in a browser, and presses its buttons.
 */
class PageIntegrationTests {

	private static Browser browser;

	private RunningSample sample;

	private String url;

	@AfterAll
	static void stopBrowser() throws IOException {
		if (browser != null) {
			browser.close();
		}
	}

	@BeforeEach
	void startSample() throws IOException {
		if (browser == null) {
			browser = Browser.start();
		}
		this.sample = new RunningSample(List.of(Breaker.class), "callosum.server.max-connections=1000");
		this.url = "http://localhost:" + this.sample.httpPort() + "/";
		browser.console();
	}

	@AfterEach
	void stopSample() throws IOException {
		if (this.sample != null) {
			// Else the page looks for the sample when that is gone
			browser.driver().get("about:blank");
			this.sample.close();
		}
	}

	@Test
	void slotsFillAndBecomeFree() throws Exception {
		open(1280, 900, "light");
		await().untilAsserted(
				() -> assertThat(text("#hint")).isEqualTo("Nobody is connected. In a terminal, say nc localhost "
						+ this.sample.port() + ", and again in another."));
		List<Socket> clients = this.sample.connect(3);
		awaitSlots(3);
		assertThat(text("#slots li:nth-child(2)")).contains("127.0.0.1:" + clients.get(1).getLocalPort(), "s");
		assertThat(text("[data-total=highest]")).isEqualTo("2");
		assertThat(text("#plot-text")).startsWith("now 2, at most 2");
		clients.get(1).close();
		awaitSlots(2);
		assertThat(text("#slots li:nth-child(2)")).isEqualTo("1\nfree");
		await().untilAsserted(() -> assertThat(text("#feed li")).contains("free", "slot 1, peer closed"));
		this.sample.disconnectAll();
		awaitSlots(0);
		assertThat(text("[data-total=highest]")).isEqualTo("none");
		assertThat(browser.console()).isEmpty();
	}

	@Test
	void aButtonPushesItsConnectionOff() throws Exception {
		List<Socket> clients = this.sample.connect(3);
		open(1280, 900, "light");
		awaitSlots(3);
		button(1).click();
		awaitSlots(2);
		assertThat(clients.get(1).getInputStream().read()).isEqualTo(-1);
		assertThat(slots()).containsOnlyKeys(0, 2);
		assertThat(browser.console()).isEmpty();
	}

	@Test
	void theKeyboardPushesAConnectionOffAndStaysWhereItWas() throws Exception {
		List<Socket> clients = this.sample.connect(3);
		open(1280, 900, "light");
		awaitSlots(3);
		browser.driver().switchTo().activeElement().sendKeys(Keys.TAB);
		assertThat(focused()).isEqualTo("Close connection in slot 0");
		browser.driver().switchTo().activeElement().sendKeys(Keys.ARROW_RIGHT);
		assertThat(focused()).isEqualTo("Close connection in slot 1");
		browser.driver().switchTo().activeElement().sendKeys(Keys.ENTER);
		awaitSlots(2);
		assertThat(slots()).containsOnlyKeys(0, 2);
		assertThat(clients.get(1).getInputStream().read()).isEqualTo(-1);
		assertThat(browser.run("return document.activeElement.innerText")).isEqualTo("1\nfree");
		browser.driver().switchTo().activeElement().sendKeys(Keys.TAB);
		assertThat(focused()).isEqualTo("Close connection in slot 2");
		assertThat(browser.console()).isEmpty();
	}

	@ParameterizedTest
	@CsvSource({ "CUT_OFF", "UNAVAILABLE" })
	void thePageIsRightAfterTheStreamHasBroken(Breaker.State state) throws Exception {
		List<Socket> clients = this.sample.connect(4);
		open(1280, 900, "light");
		awaitSlots(4);
		assertThat(text("#stream")).isEqualTo("live");
		this.sample.bean(Breaker.class).become(state);
		await().until(() -> text("#stream").equals("reconnecting"));
		clients.get(1).close();
		clients.get(3).close();
		await().until(() -> this.sample.server().connections().size() == 2);
		this.sample.connect(1);
		clients.get(0).close();
		await().until(() -> this.sample.server().connections().size() == 2);
		assertThat(slots()).containsOnlyKeys(0, 1, 2, 3);
		this.sample.bean(Breaker.class).become(Breaker.State.WHOLE);
		await().until(() -> text("#stream").equals("live"));
		awaitSlots(2);
		assertThat(slots()).containsOnlyKeys(1, 2);
		this.sample.connect(1);
		awaitSlots(3);
		assertThat(slots()).containsOnlyKeys(0, 1, 2);
		assertThat(browser.console()).allMatch((line) -> line.contains("/events"));
	}

	@Test
	void theFeedTellsOfErrorsAndRefusalsAsText() throws Exception {
		open(1280, 900, "light");
		Socket client = this.sample.connect();
		client.getOutputStream().write("x".repeat(5000).getBytes(StandardCharsets.US_ASCII));
		await().untilAsserted(() -> assertThat(text("#feed")).contains("error", "TooLongFrameException"));
		assertThat(text("[data-total=errors]")).isEqualTo("1");
		this.sample.connect(1000);
		this.sample.connectOnly();
		await().untilAsserted(() -> assertThat(text("#feed")).contains("refused", "1 × max connections"));
		assertThat(text("[data-total=refused]")).isEqualTo("1");
		assertThat(browser.console()).isEmpty();
	}

	@Test
	void aThousandConnectionsDoNotSlowThePageDown() throws Exception {
		open(1280, 900, "light");
		List<Socket> clients = new ArrayList<>(this.sample.connect(900));
		awaitSlots(900);
		browser.run("""
				window.frames = [];
				let last = performance.now();
				requestAnimationFrame(function frame(now) {
					window.frames.push(now - last);
					last = now;
					requestAnimationFrame(frame);
				});
				""");
		for (int i = 0; i < 3000; i++) {
			clients.remove((i * 37) % clients.size()).close();
			clients.add(this.sample.connect());
		}
		// Not the longest one: that tells of the machine and what else it does
		Object median = browser.run("return window.frames.sort((a, b) => a - b)[window.frames.length >> 1]");
		long nodes = (long) browser.run("return document.querySelectorAll('*').length");
		awaitSlots(900);
		assertThat(((Number) median).doubleValue()).as("the median frame in ms").isLessThan(500);
		assertThat(nodes).isLessThan(10_000);
		assertThat((long) browser.run("return document.querySelectorAll('#feed li').length")).isEqualTo(50);
		assertThat(browser.console()).isEmpty();
		browser.saveScreenshot("1000-light-wide");
		open(390, 844, "dark");
		awaitSlots(900);
		browser.saveScreenshot("1000-dark-narrow");
	}

	@ParameterizedTest
	@CsvSource({ "light,1280,800", "dark,1280,800", "light,360,1700", "dark,360,1700" })
	void thePageIsLegibleAndNoWiderThanItsWindow(String colorScheme, int width, int height) throws Exception {
		String name = colorScheme + ((width < 600) ? "-narrow" : "-wide");
		open(width, height, colorScheme);
		awaitSlots(0);
		browser.saveScreenshot("0-" + name);
		List<Socket> clients = this.sample.connect(12);
		clients.get(2).close();
		clients.get(7).close();
		awaitSlots(10);
		assertThat(browser.run("return document.documentElement.scrollWidth"))
			.isEqualTo(browser.run("return document.documentElement.clientWidth"));
		assertThat(browser.run("return getComputedStyle(document.body).backgroundColor"))
			.isEqualTo(colorScheme.equals("dark") ? "rgb(16, 21, 26)" : "rgb(244, 246, 248)");
		browser.saveScreenshot("12-" + name);
		assertThat(violations()).isEmpty();
		assertThat(browser.console()).isEmpty();
	}

	@ParameterizedTest
	@ValueSource(strings = { "light", "dark" })
	void theReadmeShowsThePage(String colorScheme) throws Exception {
		open(1120, 820, colorScheme);
		List<Socket> clients = new ArrayList<>();
		for (int target : List.of(4, 9, 6, 14, 11, 18)) {
			while (clients.size() > target) {
				clients.remove(clients.size() - 1).close();
			}
			while (clients.size() < target) {
				clients.add(this.sample.connect());
			}
			awaitSlots(target);
			// Time has to pass for there to be something to plot
			await().pollDelay(Duration.ofMillis(1100)).until(() -> true);
		}
		clients.get(3).close();
		clients.get(12).close();
		button(9).click();
		awaitSlots(15);
		browser.run("document.activeElement.blur()");
		browser.saveScreenshot("page-" + colorScheme);
		assertThat(browser.console()).isEmpty();
	}

	/**
	 * What axe finds wrong with the page, a rule of theirs and an element each.
	 */
	private static List<?> violations() throws IOException {
		try (var script = PageIntegrationTests.class.getResourceAsStream("/axe.min.js")) {
			browser.run(new String(script.readAllBytes(), StandardCharsets.UTF_8));
		}
		return (List<?>) browser.driver().executeAsyncScript("""
				const done = arguments[arguments.length - 1];
				axe.run().then(({ violations }) => done(violations.flatMap(({ id, nodes }) =>
					nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary}`))));
				""");
	}

	private void open(int width, int height, String colorScheme) {
		browser.open(this.url, width, height, colorScheme);
	}

	/**
	 * Wait until the page shows what the server has.
	 * @param connections how many those are when the server knows of all that have come
	 * and gone
	 */
	private void awaitSlots(int connections) {
		await().untilAsserted(() -> {
			Map<Integer, String> expected = new TreeMap<>();
			for (CallosumConnection connection : this.sample.server().connections()) {
				expected.put(connection.slot(), connection.id());
			}
			assertThat(expected).hasSize(connections);
			assertThat(slots()).isEqualTo(expected);
			assertThat(text("[data-total=connections]")).isEqualTo(String.format("%,d", expected.size()));
		});
	}

	private static Map<Integer, String> slots() {
		Map<Integer, String> slots = new TreeMap<>();
		((Map<?, ?>) browser.run("""
				return Object.fromEntries([...document.querySelectorAll('#slots li.held')].map((item) =>
					[item.querySelector('.slot').textContent, item.querySelector('button').dataset.id]));
				""")).forEach((slot, id) -> slots.put(Integer.valueOf((String) slot), (String) id));
		return slots;
	}

	private static WebElement button(int slot) {
		return browser.driver().findElement(By.cssSelector("[aria-label='Close connection in slot " + slot + "']"));
	}

	private static String focused() {
		return (String) browser.run("return document.activeElement.getAttribute('aria-label')");
	}

	private static String text(String selector) {
		return (String) browser.run("return document.querySelector(arguments[0]).innerText", selector);
	}

	private static ConditionFactory await() {
		return Awaitility.await().atMost(Duration.ofSeconds(60));
	}

	/**
	 * Breaks the way from the browser to the sample.
	 */
	static class Breaker {

		private final ChannelGroup channels = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE);

		private volatile State state = State.WHOLE;

		void become(State state) {
			this.state = state;
			if (state != State.WHOLE) {
				this.channels.close();
			}
		}

		@Bean
		NettyServerCustomizer cutOff() {
			return (server) -> server.doOnConnection((connection) -> {
				Channel channel = connection.channel();
				if (this.state == State.CUT_OFF) {
					channel.close();
				}
				else {
					this.channels.add(channel);
				}
			});
		}

		@Bean
		WebFilter unavailable() {
			return (exchange, chain) -> {
				if (this.state != State.UNAVAILABLE) {
					return chain.filter(exchange);
				}
				exchange.getResponse().setStatusCode(HttpStatus.SERVICE_UNAVAILABLE);
				return exchange.getResponse().setComplete();
			};
		}

		enum State {

			WHOLE, CUT_OFF, UNAVAILABLE

		}

	}

}
