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

package io.callosum.client.autoconfigure;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import com.jayway.jsonpath.JsonPath;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import org.springframework.boot.context.properties.bind.Bindable;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;

import io.callosum.client.LeasePolicy;
import io.callosum.client.autoconfigure.ClientProperties.Shutdown;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for what an editor knows about the properties of clients. Another test checks
 * that the reference lists them, together with those of the server.
 */
class ClientConfigurationMetadataTests {

	private static final String PREFIX = "callosum.client.";

	@Test
	void theDefaultsAreThoseThatAClientHas() throws IOException {
		CallosumClientProperties bound = new Binder(new MapConfigurationPropertySource(defaults(PREFIX)))
			.bind("callosum.client", Bindable.of(CallosumClientProperties.class))
			.get();
		assertThat(bound).usingRecursiveComparison().isEqualTo(new CallosumClientProperties());
	}

	@Test
	void aNamedClientHasTheSameProperties() throws IOException {
		assertThat(properties().get("callosum.client.service")).containsEntry("type",
				"java.util.Map<java.lang.String," + ClientProperties.class.getName() + ">");
		Map<String, Object> defaults = defaults(PREFIX + "service.orders.");
		CallosumClientProperties bound = new Binder(new MapConfigurationPropertySource(defaults))
			.bind("callosum.client", Bindable.of(CallosumClientProperties.class))
			.get();
		assertThat(bound.getService()).containsOnlyKeys("orders");
		assertThat(bound.getService().get("orders")).usingRecursiveComparison().isEqualTo(new ClientProperties());
	}

	@ParameterizedTest
	@CsvSource({ "lease-policy,lowest-slot,balanced", "shutdown,graceful,immediate" })
	void thereAreHintsForEachValueOfAChoice(String key, String first, String second) throws IOException {
		List<String> values = read("$.hints[?(@.name == '" + PREFIX + key + "')].values[*].value");
		assertThat(values).containsExactly(first, second);
		assertThat(LeasePolicy.values()).hasSize(2);
		assertThat(Shutdown.values()).hasSize(2);
	}

	private static Map<String, Object> defaults(String prefix) throws IOException {
		Map<String, Object> defaults = new LinkedHashMap<>();
		properties().forEach((name, property) -> {
			boolean own = prefix.equals(PREFIX) || !name.equals(PREFIX + "enabled");
			if (name.startsWith(PREFIX) && own && property.get("defaultValue") != null) {
				defaults.put(prefix + name.substring(PREFIX.length()), property.get("defaultValue"));
			}
		});
		assertThat(defaults).hasSizeGreaterThan(20);
		return defaults;
	}

	private static Map<String, Map<String, Object>> properties() throws IOException {
		List<Map<String, Object>> list = read("$.properties");
		Map<String, Map<String, Object>> properties = new LinkedHashMap<>();
		list.forEach((property) -> properties.put((String) property.get("name"), property));
		return properties;
	}

	private static <T> T read(String path) throws IOException {
		String classFile = CallosumClientProperties.class.getName().replace('.', '/') + ".class";
		String location = CallosumClientProperties.class.getClassLoader().getResource(classFile).toString();
		String root = location.substring(0, location.length() - classFile.length());
		try (InputStream stream = URI.create(root + "META-INF/spring-configuration-metadata.json")
			.toURL()
			.openStream()) {
			return JsonPath.read(stream, path);
		}
	}

}
