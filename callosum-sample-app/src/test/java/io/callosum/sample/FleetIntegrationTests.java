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

import java.util.List;

import org.junit.jupiter.api.Test;
import org.openqa.selenium.By;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Opens the fleet's page in a browser, and adds and removes servers, clients and
 * connections with its buttons.
 */
class FleetIntegrationTests extends AbstractFleetIntegrationTests {

	@Test
	void aTabOfTheFirstPageLeadsToTheFleetAndBack() throws Exception {
		this.browser.open("http://localhost:" + this.sample.httpPort() + "/", 1280, 1000, "light");
		// Shown once the page knows that there is a fleet
		await().until(() -> !this.browser.driver().findElements(By.linkText("Fleet")).isEmpty());
		this.browser.driver().findElement(By.linkText("Fleet")).click();
		awaitEven(3, 60);
		await().until(() -> this.browser.text("[data-total=connections]").equals("60")
				&& this.browser.text("#ratio-text").startsWith("now 1.0"));
		this.browser.driver().findElement(By.linkText("Slots")).click();
		await().until(() -> this.browser.text("h2").equals("Slots"));
		assertThat(this.browser.console()).isEmpty();
	}

	@Test
	void noTabLeadsToAFleetThatIsOff() throws Exception {
		try (RunningSample other = new RunningSample(List.of(), "sample.fleet.enabled=false")) {
			this.browser.open("http://localhost:" + other.httpPort() + "/", 1280, 1000, "light");
			await().until(() -> this.browser.text("#stream").equals("live")
					&& this.browser.text("[data-total=connections]").equals("0"));
			assertThat(this.browser.driver().findElement(By.id("fleet-link")).isDisplayed()).isFalse();
			assertThat(this.browser.console()).isEmpty();
			this.browser.driver().get("about:blank");
		}
	}

	@Test
	void serversClientsAndConnectionsAreAddedByButtonsAndResetByOne() throws Exception {
		open(1280, 1000, "light");
		awaitEven(3, 60);
		press("Add server");
		awaitEven(4, 60);
		press("Add client");
		awaitEven(4, 65);
		press("More connections each");
		awaitEven(4, 78);
		press("Fewer connections each");
		awaitEven(4, 65);
		press("Remove client");
		awaitEven(4, 60);
		press("Reset");
		awaitEven(3, 60);
		assertThat(this.browser.console()).isEmpty();
	}

	@Test
	void quickPressesAllCount() throws Exception {
		open(1280, 1000, "light");
		press("Add client");
		press("Add client");
		press("Remove client");
		press("Remove client");
		press("Remove client");
		press("More connections each");
		press("More connections each");
		press("More connections each");
		press("Fewer connections each");
		awaitEven(3, 11 * 7);
		assertThat(this.browser.text("#client-count")).isEqualTo("11");
		assertThat(this.browser.text("#pool-size")).isEqualTo("7");
		assertThat(this.browser.text("#said")).isEmpty();
		assertThat(this.browser.console()).isEmpty();
	}

	@Test
	void aDrawingThatFailsDoesNotStopTheNextOnes() throws Exception {
		open(1280, 1000, "light");
		awaitEven(3, 60);
		this.browser.run("""
				const setAttribute = Element.prototype.setAttribute;
				Element.prototype.setAttribute = function(name, value) {
					if (this.classList.contains('bar')) {
						Element.prototype.setAttribute = setAttribute;
						throw new Error('Drawing failed once');
					}
					setAttribute.call(this, name, value);
				};
				""");
		press("Kill B");
		await().until(() -> counts().get("B") == 0);
		press("Start B");
		awaitEven(3, 60);
		assertThat(this.browser.console()).singleElement().asString().contains("Drawing failed once");
	}

	@Test
	void whatFailsIsSaid() throws Exception {
		open(1280, 1000, "light");
		awaitEven(3, 60);
		for (int server = 4; server <= 10; server++) {
			press("Add server");
			int servers = server;
			await().until(() -> counts().size() == servers);
		}
		press("Add server");
		await().until(() -> this.browser.text("#said").equals("There are already 10 servers, which is the maximum"));
		// The browser logs every error response
		assertThat(this.browser.console()).allMatch((line) -> line.contains("409"));
	}

}
