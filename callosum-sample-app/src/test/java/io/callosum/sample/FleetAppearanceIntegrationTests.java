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
import java.util.Map;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Looks at the fleet's page in a browser, in windows of several sizes and two color
 * schemes.
 */
class FleetAppearanceIntegrationTests extends AbstractFleetIntegrationTests {

	@ParameterizedTest
	@CsvSource({ "light,1280,1000", "dark,1280,1000", "light,360,2000", "dark,360,2000" })
	void thePageIsLegibleAndNoWiderThanItsWindow(String colorScheme, int width, int height) throws Exception {
		open(width, height, colorScheme);
		awaitEven(3, 60);
		press("Stop B");
		await().until(() -> this.browser.text("[data-server=B] .state").equals("stopped"));
		this.browser.run("document.querySelector('summary').click()");
		await().until(() -> this.browser.text("table").contains("12"));
		assertThat(
				this.browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth"))
			.isEqualTo(0L);
		this.browser.saveScreenshot("fleet-table-" + colorScheme + ((width < 600) ? "-narrow" : "-wide"));
		assertThat(this.browser.violations()).isEmpty();
		assertThat(this.browser.console()).isEmpty();
	}

	@Test
	void nothingMovesForThoseWhoWantNoMotion() throws Exception {
		this.browser.driver()
			.executeCdpCommand("Emulation.setEmulatedMedia",
					Map.of("features", List.of(Map.of("name", "prefers-reduced-motion", "value", "reduce"))));
		this.browser.driver().get(url());
		awaitEven(3, 60);
		assertThat(this.browser.run("return getComputedStyle(document.querySelector('.bar i')).animationName"))
			.isEqualTo("none");
	}

	@ParameterizedTest
	@ValueSource(strings = { "light", "dark" })
	void theReadmeShowsTheFleet(String colorScheme) throws Exception {
		open(1280, 1010, colorScheme);
		awaitEven(3, 60);
		press("Kill B");
		await().until(() -> counts().get("B") == 0 && this.browser.text("[data-total=connections]").equals("60"));
		press("Start B");
		awaitEven(3, 60);
		await().until(() -> wasFed("returned") && wasFed("turned down"));
		this.browser.saveReadmePicture("fleet-" + colorScheme,
				"h1, h2, h3, nav a, dt, button, summary, #clients-hint, .state",
				"text('[data-total=connections]') === '60' && Number(text('[data-total=spread]')) <= 2");
		assertThat(this.browser.console()).isEmpty();
	}

}
