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

package io.callosum.server.autoconfigure;

import java.io.IOException;
import java.net.URI;
import java.util.List;
import java.util.Map;

import com.jayway.jsonpath.JsonPath;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

import org.springframework.boot.context.properties.bind.BindException;
import org.springframework.boot.context.properties.bind.BindHandler;
import org.springframework.boot.context.properties.bind.Bindable;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;

import io.callosum.autoconfigure.EmptyPropertyBindHandlerAdvisor;
import io.callosum.client.autoconfigure.CallosumClientProperties;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

/**
 * Tests that no property of the server or of a client may be set to an empty value, which
 * binding treats as not set where it can.
 *
 * @author The Callosum authors
 */
class EmptyPropertyTests {

	private static final String SERVER = "callosum.server";

	private static final String CLIENT = "callosum.client";

	@ParameterizedTest
	@MethodSource("keys")
	void aKeyThatIsSetAndEmptyIsNamed(String key) {
		Binder binder = new Binder(new MapConfigurationPropertySource(Map.of(key, "")));
		String prefix = key.startsWith(SERVER) ? SERVER : CLIENT;
		Class<?> type = key.startsWith(SERVER) ? CallosumServerProperties.class : CallosumClientProperties.class;
		BindHandler handler = new EmptyPropertyBindHandlerAdvisor().apply(BindHandler.DEFAULT);
		assertThatThrownBy(() -> binder.bind(prefix, Bindable.of(type), handler)).isInstanceOf(BindException.class)
			.hasStackTraceContaining("'" + key + "'");
	}

	static List<String> keys() throws IOException {
		String classFile = CallosumServerProperties.class.getName().replace('.', '/') + ".class";
		String location = CallosumServerProperties.class.getClassLoader().getResource(classFile).toString();
		String metadata = location.replace(classFile, "META-INF/spring-configuration-metadata.json");
		List<String> names = JsonPath.read(URI.create(metadata).toURL().openStream(), "$.properties[*].name");
		// Except for those that are read individually: see StartFailureTests and
		// ConfiguredClientTests
		List<String> keys = names.stream()
			.filter((name) -> name.startsWith("callosum."))
			.filter((name) -> !name.equals(SERVER + ".enabled") && !name.equals(CLIENT + ".enabled"))
			.toList();
		assertThat(keys).hasSizeGreaterThan(50);
		return keys;
	}

}
