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

package io.callosum.server.autoconfigure.actuate;

import java.util.Map;

import org.junit.jupiter.api.Test;

import org.springframework.boot.actuate.info.Info;
import org.springframework.boot.actuate.info.InfoContributor;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.ApplicationContext;

import io.callosum.server.CallosumServer;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for the info of a server.
 */
class CallosumInfoTests {

	@Test
	void tellsWhereTheServerListens() {
		enabled().run((context) -> {
			int port = Applications.server(context).address().getPort();
			assertThat(info(context)).isEqualTo(
					Map.of("callosum", Map.of("protocol", "callosum", "address", "127.0.0.1:" + port, "port", port)));
			context.stop();
			assertThat(info(context)).isEqualTo(Map.of("callosum", Map.of("protocol", "callosum")));
		});
	}

	@Test
	void thereIsNoneUnlessItIsEnabled() {
		runner().run((context) -> assertThat(context).doesNotHaveBean(InfoContributor.class));
		runner().withPropertyValues("management.info.defaults.enabled=true")
			.run((context) -> assertThat(context).doesNotHaveBean(InfoContributor.class));
	}

	@Test
	void thereIsNoneWithoutAServer() {
		enabled().withPropertyValues("callosum.server.enabled=false")
			.run((context) -> assertThat(context).hasNotFailed().doesNotHaveBean(InfoContributor.class));
	}

	@Test
	void thereIsNoneWithoutTheActuator() {
		enabled().withClassLoader(new FilteredClassLoader(InfoContributor.class))
			.run((context) -> assertThat(context).hasNotFailed()
				.hasSingleBean(CallosumServer.class)
				.doesNotHaveBean(CallosumInfoContributorAutoConfiguration.class));
	}

	@Test
	void oneOfTheApplicationWins() {
		InfoContributor own = (builder) -> builder.withDetail("own", true);
		enabled().withBean("callosumInfoContributor", InfoContributor.class, () -> own)
			.run((context) -> assertThat(context).getBean(InfoContributor.class).isSameAs(own));
	}

	private static ApplicationContextRunner enabled() {
		return runner().withPropertyValues("management.info.callosum.enabled=true");
	}

	private static ApplicationContextRunner runner() {
		return Applications.runner(CallosumInfoContributorAutoConfiguration.class);
	}

	private static Map<String, Object> info(ApplicationContext context) {
		Info.Builder builder = new Info.Builder();
		context.getBean(InfoContributor.class).contribute(builder);
		return builder.build().getDetails();
	}

}
