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

import java.util.ArrayList;
import java.util.List;

import org.junit.jupiter.api.Test;
import org.openqa.selenium.By;
import org.openqa.selenium.Keys;
import org.openqa.selenium.interactions.Actions;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Uses the fleet's page in a browser with the keyboard, a mouse and a screen reader, and
 * when there is much to show.
 */
class FleetPageIntegrationTests extends AbstractFleetIntegrationTests {

	@Test
	void aScreenReaderIsToldHowManyConnectionsEachServerHas() throws Exception {
		open(1280, 1000, "light");
		assertThat(this.browser.driver().findElement(By.id("spoken")).getAttribute("aria-live")).isEqualTo("polite");
		await().until(() -> this.browser.text("#spoken")
			.matches("A has \\d+ connections, B has \\d+ connections, C has \\d+ connections"));
		press("Kill B");
		await().until(() -> this.browser.text("#spoken").contains("B is stopped"));
	}

	@Test
	void aClientThatIsPointedAtOrFocusedLightsUpEverywhere() throws Exception {
		open(1280, 1000, "light");
		awaitEven(3, 60);
		// Something that one client does alone
		this.sample.bean(Fleet.class).removeClient(7);
		this.sample.bean(Fleet.class).addClient();
		await().until(() -> wasFed("client 7"));
		awaitEven(3, 60);
		this.browser.run("document.querySelector('summary').click()");
		new Actions(this.browser.driver()).moveToElement(labelled("Client 7")).perform();
		awaitLit("7");
		assertThat(this.browser.text("tr.mine")).startsWith("7");
		await().untilAsserted(() -> assertThat(this.browser.text("#feed li.mine")).contains("client"));
		assertThat(this.browser.run("""
				return [...document.querySelectorAll('#feed li')]
					.filter((item) => item.innerText.endsWith('client 7') !== item.classList.contains('mine')
						&& item.innerText.match(/client \\d+$/)
						&& !item.innerText.match(/(add|remove) client/)).length
				""")).as("events that are wrongly lit or not").isEqualTo(0L);
		assertThat(this.browser.violations()).isEmpty();
		new Actions(this.browser.driver()).moveToElement(this.browser.driver().findElement(By.id("servers-title")))
			.perform();
		await().untilAsserted(() -> assertThat(lit()).isEmpty());
		this.browser.run("document.querySelector('#clients button').focus()");
		awaitLit("1");
		new Actions(this.browser.driver()).moveToElement(labelled("Client 7")).perform();
		awaitLit("7");
		new Actions(this.browser.driver()).moveToElement(this.browser.driver().findElement(By.id("servers-title")))
			.perform();
		awaitLit("1");
		type(Keys.ARROW_RIGHT);
		awaitLit("2");
		type(Keys.ENTER);
		type(Keys.TAB);
		awaitLit("2");
		this.browser.saveScreenshot("fleet-lit");
		assertThat(this.browser.console()).isEmpty();
	}

	@Test
	void theKeyboardReachesEverything() throws Exception {
		open(1280, 1000, "light");
		awaitEven(3, 60);
		labelled("Stop C").sendKeys(Keys.ENTER);
		await().until(() -> this.browser.text("[data-server=C] .state").equals("stopped"));
		assertThat(focused()).isEqualTo("Start C");
		type(Keys.SPACE);
		awaitEven(3, 60);
		labelled("Kill C").sendKeys(Keys.SPACE);
		await().until(() -> isDisabled("Kill C"));
		assertThat(focused()).isEqualTo("Kill C");
		type(Keys.ENTER);
		labelled("Start C").sendKeys(Keys.ENTER);
		awaitEven(3, 60);
		assertThat(this.browser.console()).isEmpty();
	}

	@Test
	void theTabKeyReachesEverythingInTheOrderOfThePageAndShowsWhereItIs() throws Exception {
		open(1280, 1000, "light");
		awaitEven(3, 60);
		List<String> reached = new ArrayList<>();
		for (int i = 0; i < 30; i++) {
			type(Keys.TAB);
			reached.add((String) this.browser.run("""
					const { activeElement } = document;
					const { outlineStyle, outlineWidth } = getComputedStyle(activeElement);
					const name = activeElement.getAttribute('aria-label') ?? activeElement.innerText.split('\\n')[0];
					return (outlineStyle === 'solid' && outlineWidth === '3px') ? name : name + ' without an outline';
					"""));
		}
		List<String> expected = new ArrayList<>(List.of("Slots", "Rolling restart", "Add server", "Remove client",
				"Add client", "Fewer connections each", "More connections each", "Reset"));
		for (String server : List.of("A", "B", "C")) {
			expected.addAll(List.of("Weight of " + server, "Stop " + server, "Freeze " + server, "Kill " + server));
		}
		expected.addAll(List.of("Client 1", "Show as a table"));
		assertThat(reached).startsWith(expected.toArray(String[]::new));
	}

	@Test
	void onlyTheDeleteKeyRemovesAClientAndEscapeUnpinsIt() throws Exception {
		open(1280, 1000, "light");
		awaitEven(3, 60);
		this.browser.run("document.querySelector('#clients button').focus()");
		type(Keys.END);
		assertThat(focused()).isEqualTo("Client 12");
		type(Keys.ENTER);
		assertThat(pinned()).isEqualTo("12");
		type(Keys.ESCAPE);
		assertThat(pinned()).isEmpty();
		assertThat(focused()).isEqualTo("Client 12");
		type(Keys.ENTER);
		// Sent to the last button before the clients, which ignores the key
		labelled("Kill C").sendKeys(Keys.ESCAPE);
		assertThat(pinned()).isEmpty();
		await().untilAsserted(() -> assertThat(lit()).isEmpty());
		labelled("Client 12").sendKeys(Keys.BACK_SPACE);
		labelled("Client 12").sendKeys(Keys.DELETE);
		awaitEven(3, 55);
		assertThat(focused()).isEqualTo("Client 11");
		assertThat(this.browser.console()).isEmpty();
	}

	@Test
	void tenServersAndFiftyClientsDoNotSlowThePageDown() throws Exception {
		open(1280, 1000, "light");
		for (int server = 4; server <= 10; server++) {
			this.sample.bean(Fleet.class).addServer();
		}
		for (int client = 13; client <= 50; client++) {
			this.sample.bean(Fleet.class).addClient();
		}
		this.sample.bean(Fleet.class).setPoolSize(10);
		awaitEven(10, 500);
		this.browser
			.run("""
					window.cells = 0;
					new MutationObserver((mutations) => mutations.forEach(({ addedNodes }) => window.cells += addedNodes.length))
						.observe(document.getElementById('servers'), { subtree: true, childList: true });
					""");
		this.browser.countDrawings("#ratio .line");
		double before = this.browser.busySeconds();
		press("Kill D");
		await().until(() -> counts().get("D") == 0);
		press("Start D");
		awaitEven(10, 500);
		double busy = this.browser.busySeconds() - before;
		long drawings = this.browser.drawings();
		assertThat(busy / drawings).as("busy seconds per drawing, of which there are up to 4 a second")
			.isLessThan(0.25);
		// About half of the 500 connections move, and occasionally one more
		assertThat((long) this.browser.run("return window.cells")).as("cells replaced in " + drawings + " drawings")
			.isBetween(100L, 500 + 10 * drawings);
		assertThat((long) this.browser.run("return document.querySelectorAll('*').length")).isLessThan(3000);
		this.browser.saveScreenshot("fleet-500-light-wide");
		open(390, 1700, "dark");
		awaitEven(10, 500);
		assertThat(this.browser.run("return document.documentElement.scrollWidth")).isEqualTo(390L);
		this.browser.saveScreenshot("fleet-500-dark-narrow");
		assertThat(this.browser.violations()).isEmpty();
		assertThat(this.browser.console()).isEmpty();
	}

	private String pinned() {
		return this.browser.text("#clients [aria-pressed=true]");
	}

	private void awaitLit(String client) {
		await().untilAsserted(() -> assertThat(lit()).containsOnly(client).hasSize(5));
	}

	private List<String> lit() {
		return ((List<?>) this.browser
			.run("return [...document.querySelectorAll('.lit i.mine')].map((cell) => cell.innerText)")).stream()
			.map(String.class::cast)
			.toList();
	}

	private void type(Keys key) {
		this.browser.driver().switchTo().activeElement().sendKeys(key);
	}

	private String focused() {
		return (String) this.browser.run("return document.activeElement.getAttribute('aria-label')");
	}

}
