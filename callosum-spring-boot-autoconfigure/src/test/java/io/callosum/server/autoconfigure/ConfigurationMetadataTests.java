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
import java.io.InputStream;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.stream.Collectors;

import com.jayway.jsonpath.JsonPath;
import org.junit.jupiter.api.Test;

import org.springframework.boot.context.properties.bind.Bindable;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.boot.context.properties.source.MapConfigurationPropertySource;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for the metadata of the properties, which editors use.
 *
 * @author The Callosum authors
 */
class ConfigurationMetadataTests {

	private static final String PREFIX = "callosum.server.";

	@Test
	void everyKeyHasADescription() throws IOException {
		assertThat(properties().values()).isNotEmpty().allSatisfy((property) -> {
			assertThat(property).containsKey("type");
			assertThat((String) property.get("description")).isNotBlank().endsWith(".");
		});
	}

	@Test
	void theReferenceListsEveryKeyWithItsDefaultAndMeaning() throws IOException {
		List<String> rows = properties().values().stream().map((property) -> {
			Object value = property.get("defaultValue");
			String defaultValue = (value instanceof List<?> list)
					? list.stream().map(String::valueOf).collect(Collectors.joining(",")) : String.valueOf(value);
			return "| `" + property.get("name") + "` | " + ((value != null) ? "`" + defaultValue + "`" : "") + " | "
					+ property.get("description") + " |";
		}).toList();
		String reference = Files.readString(Path.of("README.md"));
		String section = reference.substring(reference.indexOf("## Properties"));
		assertThat(section.lines().filter((line) -> line.startsWith("| `"))).containsExactlyElementsOf(rows);
	}

	@Test
	void theDefaultsAreThoseThatTheServerHas() throws IOException {
		Map<String, Object> defaults = new TreeMap<>();
		properties().forEach((name, property) -> {
			if (property.get("defaultValue") != null) {
				defaults.put(name, property.get("defaultValue"));
			}
		});
		CallosumServerProperties bound = new Binder(new MapConfigurationPropertySource(defaults))
			.bind("callosum.server", Bindable.of(CallosumServerProperties.class))
			.get();
		assertThat(bound).usingRecursiveComparison().isEqualTo(new CallosumServerProperties());
	}

	@Test
	void hintsAreForKeysThatExist() throws IOException {
		Map<String, Map<String, Object>> properties = properties();
		assertThat(list("hints")).isNotEmpty().allSatisfy((hint) -> {
			// A map has hints for its keys
			assertThat(properties).containsKey(((String) hint.get("name")).replaceFirst("\\.keys$", ""));
			assertThat(list(hint, "values")).isNotEmpty()
				.allSatisfy((value) -> assertThat((String) value.get("description")).isNotBlank());
		});
	}

	@Test
	void conditionsCanBeCheckedWithoutLoadingTheAutoConfiguration() throws IOException {
		Properties metadata = new Properties();
		try (InputStream stream = open("META-INF/spring-autoconfigure-metadata.properties")) {
			metadata.load(stream);
		}
		assertThat(metadata).containsEntry(CallosumServerAutoConfiguration.class.getName() + ".ConditionalOnClass",
				"reactor.netty.tcp.TcpServer");
	}

	private static Map<String, Map<String, Object>> properties() throws IOException {
		Map<String, Map<String, Object>> properties = new TreeMap<>();
		for (Map<String, Object> property : list("properties")) {
			properties.put((String) property.get("name"), property);
		}
		return properties;
	}

	private static List<Map<String, Object>> list(String name) throws IOException {
		try (InputStream stream = open("META-INF/spring-configuration-metadata.json")) {
			return JsonPath.read(stream, "$." + name);
		}
	}

	@SuppressWarnings("unchecked")
	private static List<Map<String, Object>> list(Map<String, Object> map, String name) {
		return (List<Map<String, Object>>) map.get(name);
	}

	/**
	 * The file of this module, not one of a dependency with the same name.
	 */
	private static InputStream open(String path) throws IOException {
		String classFile = CallosumServerProperties.class.getName().replace('.', '/') + ".class";
		String location = CallosumServerProperties.class.getClassLoader().getResource(classFile).toString();
		return URI.create(location.substring(0, location.length() - classFile.length()) + path).toURL().openStream();
	}

}
