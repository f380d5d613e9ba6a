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

import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;

/**
 * Runs the sample during each test, and one browser during all of them.
 */
final class SampleInBrowser implements BeforeEachCallback, AfterEachCallback {

	private final List<Class<?>> sources;

	private final String[] properties;

	private Browser browser;

	private RunningSample sample;

	SampleInBrowser(List<Class<?>> sources, String... properties) {
		this.sources = sources;
		this.properties = properties;
	}

	Browser browser() {
		return this.browser;
	}

	RunningSample sample() {
		return this.sample;
	}

	@Override
	public void beforeEach(ExtensionContext context) {
		// The store closes it after the last test
		this.browser = context.getRoot()
			.getStore(Namespace.create(SampleInBrowser.class))
			.computeIfAbsent(Browser.class, (type) -> Browser.start(), Browser.class);
		this.sample = new RunningSample(this.sources, this.properties);
		this.browser.console();
	}

	@Override
	public void afterEach(ExtensionContext context) throws Exception {
		if (this.sample != null) {
			// Otherwise the page would try to reach a sample that is gone
			RunningSample sample = this.sample;
			this.sample = null;
			try (sample) {
				this.browser.driver().get("about:blank");
			}
		}
	}

}
