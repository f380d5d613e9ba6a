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

package io.callosum.client;

import java.lang.reflect.RecordComponent;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Gives tests access to the settings of a builder.
 */
public final class BuilderView {

	private BuilderView() {
	}

	/**
	 * Return the settings, by the names that the builder uses for them.
	 */
	public static Map<String, Object> settings(CallosumClient.Builder builder) {
		ClientSettings settings = builder.settings();
		Map<String, Object> values = new LinkedHashMap<>();
		try {
			for (RecordComponent component : ClientSettings.class.getRecordComponents()) {
				component.getAccessor().setAccessible(true);
				values.put(component.getName(), component.getAccessor().invoke(settings));
			}
		}
		catch (ReflectiveOperationException ex) {
			throw new IllegalStateException(ex);
		}
		return values;
	}

}
