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

import org.springframework.beans.factory.config.BeanDefinition;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Role;

/**
 * Auto-configuration for the binding of all Callosum properties.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
@AutoConfiguration
public final class CallosumPropertiesAutoConfiguration {

	CallosumPropertiesAutoConfiguration() {
	}

	/**
	 * Static, because it is created before all beans with properties.
	 */
	@Bean
	@Role(BeanDefinition.ROLE_INFRASTRUCTURE)
	static EmptyPropertyBindHandlerAdvisor callosumEmptyPropertyBindHandlerAdvisor() {
		return new EmptyPropertyBindHandlerAdvisor();
	}

}
