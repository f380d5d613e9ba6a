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

import java.util.Collection;
import java.util.Map;

import org.jspecify.annotations.Nullable;

import org.springframework.boot.context.properties.ConfigurationPropertiesBindHandlerAdvisor;
import org.springframework.boot.context.properties.bind.AbstractBindHandler;
import org.springframework.boot.context.properties.bind.BindContext;
import org.springframework.boot.context.properties.bind.BindHandler;
import org.springframework.boot.context.properties.bind.Bindable;
import org.springframework.boot.context.properties.source.ConfigurationProperty;
import org.springframework.boot.context.properties.source.ConfigurationPropertyName;
import org.springframework.boot.context.properties.source.ConfigurationPropertySource;
import org.springframework.util.StringUtils;

/**
 * Rejects Callosum properties that are set but empty. Binding treats most of them as not
 * set: an empty environment variable, for example from a placeholder without a value,
 * would silently remove a limit that a configuration file sets.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public final class EmptyPropertyBindHandlerAdvisor implements ConfigurationPropertiesBindHandlerAdvisor {

	private static final ConfigurationPropertyName PREFIX = ConfigurationPropertyName.of("callosum");

	@Override
	public BindHandler apply(BindHandler bindHandler) {
		return new AbstractBindHandler(bindHandler) {

			@Override
			public <T> @Nullable Bindable<T> onStart(ConfigurationPropertyName name, Bindable<T> target,
					BindContext context) {
				// Binding fails on an empty group below the root, with an unhelpful
				// message
				if (PREFIX.isAncestorOf(name) && !PREFIX.isParentOf(name) && isGroup(target)) {
					verifyNotEmpty(name, context);
				}
				return super.onStart(name, target, context);
			}

			@Override
			public void onFinish(ConfigurationPropertyName name, Bindable<?> target, BindContext context,
					@Nullable Object result) throws Exception {
				if (PREFIX.isAncestorOf(name) && !isGroup(target) && isEmpty(result)) {
					verifyNotSet(name, context);
				}
				super.onFinish(name, target, context, result);
			}

		};
	}

	/**
	 * Return whether the target has properties of its own.
	 */
	private static boolean isGroup(Bindable<?> target) {
		Class<?> type = target.getType().resolve(Object.class);
		return type.getName().startsWith("io.callosum.") && !type.isEnum();
	}

	private static boolean isEmpty(@Nullable Object value) {
		return value == null || (value instanceof String string && !StringUtils.hasText(string))
				|| (value instanceof Collection<?> collection && collection.isEmpty())
				|| (value instanceof Map<?, ?> map && map.isEmpty());
	}

	private static void verifyNotEmpty(ConfigurationPropertyName name, BindContext context) {
		for (ConfigurationPropertySource source : context.getSources()) {
			ConfigurationProperty property = source.getConfigurationProperty(name);
			if (property != null && isEmpty(property.getValue())) {
				throw new EmptyPropertyException(property);
			}
		}
	}

	private static void verifyNotSet(ConfigurationPropertyName name, BindContext context) {
		for (ConfigurationPropertySource source : context.getSources()) {
			ConfigurationProperty property = source.getConfigurationProperty(name);
			if (property != null) {
				throw new EmptyPropertyException(property);
			}
		}
	}

}
