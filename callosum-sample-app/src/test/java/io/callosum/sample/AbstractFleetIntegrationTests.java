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

import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

import org.awaitility.Awaitility;
import org.awaitility.core.ConditionFactory;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.openqa.selenium.By;
import org.openqa.selenium.WebElement;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Runs the sample with its fleet during each test, and opens its page in a browser.
 */
abstract class AbstractFleetIntegrationTests {

	@RegisterExtension
	private final SampleInBrowser extension = new SampleInBrowser(List.of(), "sample.fleet.enabled=true");

	Browser browser;

	RunningSample sample;

	@BeforeEach
	void start() {
		this.browser = this.extension.browser();
		this.sample = this.extension.sample();
	}

	String url() {
		return "http://localhost:" + this.sample.httpPort() + "/fleet";
	}

	void open(int width, int height, String colorScheme) {
		this.browser.open(url(), width, height, colorScheme);
		this.browser.run("""
				window.fed = [];
				const note = (item) =>
					window.fed.push([...item.children].map(({ textContent }) => textContent).join(' '));
				const feed = document.getElementById('feed');
				[...feed.children].forEach(note);
				new MutationObserver((mutations) =>
					mutations.forEach(({ addedNodes }) => addedNodes.forEach(note))).observe(feed, { childList: true });
				""");
	}

	/**
	 * Wait until the page shows as many connections as there should be, spread as evenly
	 * as they are guaranteed to be.
	 */
	void awaitEven(int servers, int connections) {
		await().untilAsserted(() -> {
			Map<String, Integer> counts = counts();
			assertThat(counts).hasSize(servers);
			assertThat(counts.values().stream().mapToInt(Integer::intValue).sum()).isEqualTo(connections);
			assertThat(counts.values().stream().mapToInt(Integer::intValue).max().getAsInt()
					- counts.values().stream().mapToInt(Integer::intValue).min().getAsInt())
				.isLessThanOrEqualTo(2);
		});
	}

	/**
	 * Return the number of cells of each bar.
	 */
	Map<String, Integer> counts() {
		Map<String, Integer> counts = new HashMap<>();
		((Map<?, ?>) this.browser.run("""
				return Object.fromEntries([...document.querySelectorAll('.server')].map((server) =>
					[server.dataset.server, server.querySelectorAll('i.held').length]));
				""")).forEach((server, count) -> counts.put((String) server, ((Number) count).intValue()));
		return counts;
	}

	void press(String name) {
		this.browser.press(name);
	}

	boolean isDisabled(String button) {
		return (boolean) this.browser.run("""
				return [...document.querySelectorAll('button')]
					.find((one) => (one.getAttribute('aria-label') ?? one.textContent) === arguments[0])
					.getAttribute('aria-disabled') === 'true';
				""", button);
	}

	/**
	 * Return whether the feed has shown a text since the page was opened, even if it no
	 * longer does.
	 */
	boolean wasFed(String text) {
		return (boolean) this.browser.run("return window.fed.some((item) => item.includes(arguments[0]))", text);
	}

	WebElement labelled(String label) {
		return this.browser.driver().findElement(By.cssSelector("[aria-label='" + label + "']"));
	}

	static ConditionFactory await() {
		return Awaitility.await().atMost(Duration.ofMinutes(3));
	}

}
