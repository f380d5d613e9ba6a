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

import org.springframework.boot.context.properties.source.ConfigurationProperty;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;

/**
 * Thrown if a property is set, but empty.
 */
final class EmptyPropertyException extends InvalidConfigurationPropertyValueException {

	private final transient ConfigurationProperty property;

	EmptyPropertyException(ConfigurationProperty property) {
		super(property.getName().toString(), property.getValue(), "It is set, but empty.");
		this.property = property;
	}

	ConfigurationProperty getProperty() {
		return this.property;
	}

}
