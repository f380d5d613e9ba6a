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
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.openqa.selenium.Keys;

import org.springframework.boot.reactor.netty.NettyServerCustomizer;
import org.springframework.context.annotation.Bean;
import org.springframework.http.HttpStatus;
import org.springframework.web.server.WebFilter;

import io.callosum.server.CallosumConnection;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Uses the page of the slots in a browser.
 */
class PageIntegrationTests {

	@RegisterExtension
	private final SampleInBrowser extension = new SampleInBrowser(List.of(Breaker.class),
			"callosum.server.max-connections=1000", "sample.fleet.enabled=true");

	private Browser browser;

	private RunningSample sample;

	@BeforeEach
	void start() {
		this.browser = this.extension.browser();
		this.sample = this.extension.sample();
	}

	@Test
	void slotsFillAndBecomeFree() throws Exception {
		open(1280, 900, "light");
		await().untilAsserted(() -> assertThat(this.browser.text("#hint"))
			.isEqualTo("No connections. Run nc localhost " + this.sample.port() + " in one or more terminals."));
		List<Socket> clients = this.sample.connect(3);
		awaitSlots(3);
		assertThat(this.browser.text("#slots li:nth-child(2)")).contains("127.0.0.1:" + clients.get(1).getLocalPort(),
				"s");
		assertThat(this.browser.text("[data-total=highest]")).isEqualTo("2");
		assertThat(this.browser.text("#plot-text")).startsWith("now 2, at most 2");
		clients.get(1).close();
		awaitSlots(2);
		assertThat(this.browser.text("#slots li:nth-child(2)")).isEqualTo("1\nfree");
		await().untilAsserted(() -> assertThat(this.browser.text("#feed li")).contains("free", "slot 1, peer closed"));
		this.sample.disconnectAll();
		awaitSlots(0);
		assertThat(this.browser.text("[data-total=highest]")).isEqualTo("none");
		assertThat(this.browser.console()).isEmpty();
	}

	@Test
	void aButtonPushesItsConnectionOff() throws Exception {
		List<Socket> clients = this.sample.connect(3);
		open(1280, 900, "light");
		awaitSlots(3);
		this.browser.press("Close connection in slot 1");
		awaitSlots(2);
		assertThat(clients.get(1).getInputStream().read()).isEqualTo(-1);
		assertThat(slots()).containsOnlyKeys(0, 2);
		assertThat(this.browser.console()).isEmpty();
	}

	@Test
	void theKeyboardPushesAConnectionOffAndStaysWhereItWas() throws Exception {
		List<Socket> clients = this.sample.connect(3);
		open(1280, 900, "light");
		awaitSlots(3);
		this.browser.driver().switchTo().activeElement().sendKeys(Keys.TAB);
		assertThat(this.browser.run("return document.activeElement.innerText")).isEqualTo("Fleet");
		this.browser.driver().switchTo().activeElement().sendKeys(Keys.TAB);
		assertThat(focused()).isEqualTo("Close connection in slot 0");
		this.browser.driver().switchTo().activeElement().sendKeys(Keys.ARROW_RIGHT);
		assertThat(focused()).isEqualTo("Close connection in slot 1");
		this.browser.driver().switchTo().activeElement().sendKeys(Keys.ENTER);
		awaitSlots(2);
		assertThat(slots()).containsOnlyKeys(0, 2);
		assertThat(clients.get(1).getInputStream().read()).isEqualTo(-1);
		assertThat(this.browser.run("return document.activeElement.innerText")).isEqualTo("1\nfree");
		this.browser.driver().switchTo().activeElement().sendKeys(Keys.TAB);
		assertThat(focused()).isEqualTo("Close connection in slot 2");
		assertThat(this.browser.console()).isEmpty();
	}

	@ParameterizedTest
	@CsvSource({ "CUT_OFF", "UNAVAILABLE" })
	void thePageIsRightAfterTheStreamHasBroken(Breaker.State state) throws Exception {
		List<Socket> clients = this.sample.connect(4);
		open(1280, 900, "light");
		awaitSlots(4);
		await().until(() -> this.browser.text("#stream").equals("live"));
		this.sample.bean(Breaker.class).become(state);
		await().until(() -> this.browser.text("#stream").equals("reconnecting"));
		clients.get(1).close();
		clients.get(3).close();
		await().until(() -> this.sample.server().connections().size() == 2);
		this.sample.connect(1);
		clients.get(0).close();
		await().until(() -> this.sample.server().connections().size() == 2);
		assertThat(slots()).containsOnlyKeys(0, 1, 2, 3);
		this.sample.bean(Breaker.class).become(Breaker.State.WHOLE);
		await().until(() -> this.browser.text("#stream").equals("live"));
		awaitSlots(2);
		assertThat(slots()).containsOnlyKeys(1, 2);
		this.sample.connect(1);
		awaitSlots(3);
		assertThat(slots()).containsOnlyKeys(0, 1, 2);
		assertThat(this.browser.console()).allMatch((line) -> line.contains("/events"));
	}

	@Test
	void theFeedShowsErrorsAndRefusalsAsText() throws Exception {
		open(1280, 900, "light");
		Socket client = this.sample.connect();
		client.getOutputStream().write("x".repeat(5000).getBytes(StandardCharsets.US_ASCII));
		await().untilAsserted(() -> assertThat(this.browser.text("#feed")).contains("error", "TooLongFrameException"));
		assertThat(this.browser.text("[data-total=errors]")).isEqualTo("1");
		this.sample.connect(1000);
		this.sample.connectOnly();
		await().untilAsserted(() -> assertThat(this.browser.text("#feed")).contains("refused", "1 × max connections"));
		assertThat(this.browser.text("[data-total=refused]")).isEqualTo("1");
		assertThat(this.browser.console()).isEmpty();
	}

	@Test
	void aThousandConnectionsDoNotSlowThePageDown() throws Exception {
		open(1280, 900, "light");
		List<Socket> clients = new ArrayList<>(this.sample.connect(900));
		awaitSlots(900);
		this.browser.countDrawings("#plot .line");
		double before = this.browser.busySeconds();
		for (int i = 0; i < 3000; i++) {
			clients.remove((i * 37) % clients.size()).close();
			clients.add(this.sample.connect());
		}
		awaitSlots(900);
		double busy = this.browser.busySeconds() - before;
		assertThat(busy / this.browser.drawings()).as("busy seconds per drawing, of which there are up to 10 a second")
			.isLessThan(0.1);
		long nodes = (long) this.browser.run("return document.querySelectorAll('*').length");
		assertThat(nodes).isLessThan(10_000);
		assertThat((long) this.browser.run("return document.querySelectorAll('#feed li').length")).isEqualTo(50);
		assertThat(this.browser.console()).isEmpty();
		this.browser.saveScreenshot("1000-light-wide");
		open(390, 844, "dark");
		awaitSlots(900);
		this.browser.saveScreenshot("1000-dark-narrow");
	}

	@ParameterizedTest
	@CsvSource({ "light,1280,800", "dark,1280,800", "light,360,1700", "dark,360,1700" })
	void thePageIsLegibleAndNoWiderThanItsWindow(String colorScheme, int width, int height) throws Exception {
		String name = colorScheme + ((width < 600) ? "-narrow" : "-wide");
		open(width, height, colorScheme);
		awaitSlots(0);
		this.browser.saveScreenshot("0-" + name);
		List<Socket> clients = this.sample.connect(12);
		clients.get(2).close();
		clients.get(7).close();
		awaitSlots(10);
		assertThat(
				this.browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth"))
			.isEqualTo(0L);
		assertThat(this.browser.run("return getComputedStyle(document.body).backgroundColor"))
			.isEqualTo(colorScheme.equals("dark") ? "rgb(16, 21, 26)" : "rgb(244, 246, 248)");
		this.browser.saveScreenshot("12-" + name);
		assertThat(this.browser.violations()).isEmpty();
		assertThat(this.browser.console()).isEmpty();
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
			// Let time pass, so that there is something to plot
			await().pollDelay(Duration.ofMillis(1100)).until(() -> true);
		}
		clients.get(3).close();
		clients.get(12).close();
		this.browser.press("Close connection in slot 9");
		awaitSlots(15);
		this.browser.saveReadmePicture("page-" + colorScheme, "h1, h2, nav a, dt, dd, .slot",
				"document.querySelectorAll('li.held').length === 15 && text('#feed li:nth-child(3) b') === 'free'");
		assertThat(this.browser.console()).isEmpty();
	}

	private void open(int width, int height, String colorScheme) {
		this.browser.open("http://localhost:" + this.sample.httpPort() + "/", width, height, colorScheme);
	}

	/**
	 * Wait until the page shows the connections of the server.
	 * @param connections how many there are once the server has noticed all that have
	 * been opened and closed
	 */
	private void awaitSlots(int connections) {
		await().untilAsserted(() -> {
			Map<Integer, String> expected = new TreeMap<>();
			for (CallosumConnection connection : this.sample.server().connections()) {
				expected.put(connection.slot(), connection.id());
			}
			assertThat(expected).hasSize(connections);
			assertThat(slots()).isEqualTo(expected);
			assertThat(this.browser.text("[data-total=connections]")).isEqualTo(String.format("%,d", expected.size()));
		});
	}

	private Map<Integer, String> slots() {
		Map<Integer, String> slots = new TreeMap<>();
		((Map<?, ?>) this.browser.run("""
				return Object.fromEntries([...document.querySelectorAll('#slots li.held')].map((item) =>
					[item.querySelector('.slot').textContent, item.querySelector('button').dataset.id]));
				""")).forEach((slot, id) -> slots.put(Integer.valueOf((String) slot), (String) id));
		return slots;
	}

	private String focused() {
		return (String) this.browser.run("return document.activeElement.getAttribute('aria-label')");
	}

	private static ConditionFactory await() {
		return Awaitility.await().atMost(Duration.ofMinutes(3));
	}

	/**
	 * Breaks the connection between the browser and the sample.
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
