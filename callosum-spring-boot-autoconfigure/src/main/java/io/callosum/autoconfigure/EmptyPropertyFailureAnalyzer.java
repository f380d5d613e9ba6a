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
import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;

/**
 * Explains a property that is set, but empty. Ordered before Spring Boot's analyzer for
 * all other binding failures.
 */
@Order(Ordered.HIGHEST_PRECEDENCE)
final class EmptyPropertyFailureAnalyzer extends AbstractFailureAnalyzer<EmptyPropertyException> {

	@Override
	protected FailureAnalysis analyze(Throwable rootFailure, EmptyPropertyException cause) {
		ConfigurationProperty property = cause.getProperty();
		return new FailureAnalysis(
				"The configuration property '" + property.getName() + "' is set, but empty"
						+ ((property.getOrigin() != null) ? " (" + property.getOrigin() + ")" : "") + ".",
				"Set it to a value, or remove it to use the default.", cause);
	}

}
