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

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.openqa.selenium.By;
import org.openqa.selenium.Keys;
import org.openqa.selenium.WebElement;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Stops, kills, freezes, restarts and weights servers of the fleet on its page in a
 * browser.
 */
class FleetServersIntegrationTests extends AbstractFleetIntegrationTests {

	@ParameterizedTest
	@ValueSource(strings = { "Stop", "Kill" })
	void theConnectionsOfAServerThatStopsMoveAndComeBack(String action) throws Exception {
		open(1280, 1000, "light");
		awaitEven(3, 60);
		press(action + " B");
		await().until(() -> this.browser.text("[data-server=B] .state").equals("stopped"));
		await().until(() -> counts().get("B") == 0 && counts().get("A") + counts().get("C") == 60);
		await().until(() -> wasFed("lost"));
		press("Start B");
		awaitEven(3, 60);
		await().until(() -> wasFed("returned"));
		assertThat(this.browser.console()).isEmpty();
	}

	@Test
	void aFrozenServerIsLeftAndComesBack() throws Exception {
		open(1280, 1000, "light");
		awaitEven(3, 60);
		press("Freeze A");
		await().until(() -> this.browser.text("[data-server=A] .state").equals("frozen") && counts().get("A") == 0);
		press("Unfreeze A");
		awaitEven(3, 60);
		assertThat(this.browser.console()).isEmpty();
	}

	@Test
	void weightsShow() throws Exception {
		open(1280, 1000, "light");
		awaitEven(3, 60);
		WebElement weight = labelled("Weight of C");
		assertThat(weight.findElement(By.xpath("..")).getText()).startsWith("Weight");
		weight.sendKeys(Keys.ARROW_DOWN);
		// More key presses, with no delay even on a slow machine
		this.browser.run("""
				for (const value of [3, 4, 3, 2]) {
					arguments[0].value = value;
					arguments[0].dispatchEvent(new Event('change'));
				}
				""", weight);
		await().until(() -> wasFed("weight 2 C"));
		assertThat(wasFed("weight 3") || wasFed("weight 4")).as("a restart for a weight that was passed over")
			.isFalse();
		await().until(() -> counts().get("C") >= 26 && this.browser.text("[data-total=connections]").equals("60"));
		this.browser.saveScreenshot("fleet-weight");
		assertThat(this.browser.console()).isEmpty();
	}

	@Test
	void theRollingRestartEndsEvenAndFailsNoRequest() throws Exception {
		open(1280, 1000, "light");
		awaitEven(3, 60);
		String failed = this.browser.text("[data-total=failed]");
		press("Rolling restart");
		await().until(() -> isDisabled("Rolling restart"));
		assertThat(this.browser.run("return document.activeElement.innerText")).isEqualTo("Rolling restart");
		await().until(() -> wasFed("restart A") && wasFed("restart B") && wasFed("restart C"));
		await().until(() -> !isDisabled("Rolling restart"));
		awaitEven(3, 60);
		assertThat(this.browser.text("[data-total=failed]")).isEqualTo(failed);
		assertThat(this.browser.console()).isEmpty();
	}

}
