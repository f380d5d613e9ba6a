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

import java.time.Duration;
import java.util.function.Consumer;

import org.jspecify.annotations.Nullable;

import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;

/**
 * Maps properties to setters of a builder. A value that the builder rejects becomes an
 * exception that names the property.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public abstract class PropertiesMapper {

	/**
	 * Map a property.
	 * @param <T> the type of the value
	 * @param name the name of the property, without the prefix
	 * @param value the value, or {@code null} to keep the default
	 * @param setter the setter
	 */
	protected final <T> void map(String name, @Nullable T value, Consumer<T> setter) {
		if (value == null) {
			return;
		}
		try {
			setter.accept(value);
		}
		catch (IllegalArgumentException ex) {
			// The message may begin with its subject, which is the key here
			String reason = String.valueOf(ex.getMessage()).replaceFirst("^'[^']*' (of the \\w+ )?", "");
			throw new InvalidConfigurationPropertyValueException(key(name), value, "It " + reason + ".");
		}
	}

	/**
	 * Map the properties of TCP keep-alive. Each value is set together with valid ones,
	 * so that the exception names the right key.
	 * @param keepAlive the properties
	 * @param setter the setter
	 * @param disable called if TCP keep-alive is disabled
	 */
	protected final void mapKeepAlive(KeepAliveProperties keepAlive, KeepAliveSetter setter, Runnable disable) {
		Duration second = Duration.ofSeconds(1);
		map("keep-alive.idle", keepAlive.getIdle(), (idle) -> setter.set(idle, second, 1));
		map("keep-alive.interval", keepAlive.getInterval(), (interval) -> setter.set(second, interval, 1));
		map("keep-alive.count", keepAlive.getCount(),
				(count) -> setter.set(keepAlive.getIdle(), keepAlive.getInterval(), count));
		if (!keepAlive.isEnabled()) {
			disable.run();
		}
	}

	/**
	 * Return the key under which a property is found.
	 * @param name the name of the property, without the prefix
	 * @return the key
	 */
	protected abstract String key(String name);

	/**
	 * Sets TCP keep-alive.
	 */
	@FunctionalInterface
	protected interface KeepAliveSetter {

		/**
		 * Set TCP keep-alive.
		 * @param idle how long a connection is idle before its peer is probed
		 * @param interval the time between unanswered probes
		 * @param count the number of unanswered probes before the connection is closed
		 */
		void set(Duration idle, Duration interval, int count);

	}

}
