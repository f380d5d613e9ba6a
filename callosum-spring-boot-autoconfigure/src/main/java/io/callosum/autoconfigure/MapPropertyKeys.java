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

package io.callosum.autoconfigure;

import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

import org.springframework.boot.context.properties.source.ConfigurationPropertyName;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;
import org.springframework.core.env.ConfigurableEnvironment;
import org.springframework.core.env.EnumerablePropertySource;
import org.springframework.core.env.Environment;
import org.springframework.core.env.PropertySource;

/**
 * Verifies the keys of a property that is a map of simple values. Binding silently drops
 * characters that are not valid in a property name, unless the key is in brackets.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public final class MapPropertyKeys {

	private MapPropertyKeys() {
	}

	/**
	 * Verify that binding has changed no key of a map.
	 * @param environment the environment that was bound
	 * @param property the canonical name of the property that is a map
	 * @param keys the keys of the map that was bound
	 * @throws InvalidConfigurationPropertyValueException if a key was changed; the
	 * message shows how to write it
	 */
	public static void verify(Environment environment, String property, Set<String> keys) {
		if (environment instanceof ConfigurableEnvironment configurable) {
			int elements = ConfigurationPropertyName.of(property).getNumberOfElements();
			// Such as 'callosum.server.ssl.serverNameBundles.key', but not [key]
			Pattern pattern = Pattern.compile("((?:[^.\\[]+\\.){" + elements + "})([^\\[].*)");
			for (PropertySource<?> source : configurable.getPropertySources()) {
				if (source instanceof EnumerablePropertySource<?> enumerable) {
					for (String name : enumerable.getPropertyNames()) {
						verify(name, pattern.matcher(name), property, keys, source);
					}
				}
			}
		}
	}

	private static void verify(String name, Matcher matcher, String property, Set<String> keys,
			PropertySource<?> source) {
		if (!matcher.matches()) {
			return;
		}
		String prefix = matcher.group(1);
		String key = matcher.group(2);
		if (ConfigurationPropertyName.adapt(prefix.substring(0, prefix.length() - 1), '.')
			.equals(ConfigurationPropertyName.of(property)) && !keys.contains(key)) {
			Object value = source.getProperty(name);
			throw new InvalidConfigurationPropertyValueException(name, (value != null) ? value : "", "'" + key
					+ "' is not bound as it is written. Write \"[" + key + "]\", in YAML with quotation marks.");
		}
	}

}
