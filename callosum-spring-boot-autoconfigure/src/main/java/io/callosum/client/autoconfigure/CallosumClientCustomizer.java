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

import io.callosum.client.CallosumClient;

/**
 * Customizes the clients that are configured by properties. Customizers are called in
 * order when a client is created, after the properties have been applied, and may
 * override them.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
@FunctionalInterface
public interface CallosumClientCustomizer {

	/**
	 * Customize a client.
	 * @param name the name of the client
	 * @param builder the builder, to which the properties have been applied; the name of
	 * the client cannot be changed
	 */
	void customize(String name, CallosumClient.Builder builder);

}
