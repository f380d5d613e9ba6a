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

import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

import org.jspecify.annotations.Nullable;

import org.springframework.boot.context.properties.bind.BindException;
import org.springframework.boot.context.properties.source.ConfigurationProperty;
import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;
import org.springframework.boot.origin.Origin;
import org.springframework.boot.origin.PropertySourceOrigin;
import org.springframework.core.Ordered;
import org.springframework.core.annotation.Order;
import org.springframework.core.env.Environment;

/**
 * Explains a property that cannot be bound because Kubernetes, or a Docker link, has set
 * its environment variable for a service with a matching name.
 */
@Order(Ordered.HIGHEST_PRECEDENCE)
final class ServiceLinkFailureAnalyzer extends AbstractFailureAnalyzer<BindException> {

	private static final String PREFIX = "CALLOSUM_";

	private static final String PORT = "_PORT";

	private static final List<String> SUFFIXES = List.of(PORT, "_SERVICE_HOST", "_SERVICE_PORT");

	private static final Pattern VALUE = Pattern.compile("(?:tcp|udp|sctp)://.*");

	private final Environment environment;

	ServiceLinkFailureAnalyzer(Environment environment) {
		this.environment = environment;
	}

	@Override
	protected @Nullable FailureAnalysis analyze(Throwable rootFailure, BindException cause) {
		ConfigurationProperty property = cause.getProperty();
		String variable = (property != null) ? variable(property.getOrigin()) : null;
		if (property == null || variable == null) {
			return null;
		}
		String service = service(variable);
		if (service == null) {
			return null;
		}
		return new FailureAnalysis(
				"The environment variable " + variable + " has the value '" + property.getValue()
						+ "', which is not a valid value of " + property.getName()
						+ ". Kubernetes sets this variable in the pods of a namespace that has a service named '"
						+ service + "'.",
				"Set 'enableServiceLinks: false' in the specification of the pod, or give the service another name.",
				cause);
	}

	private @Nullable String service(String variable) {
		for (String suffix : SUFFIXES) {
			if (variable.startsWith(PREFIX) && variable.endsWith(suffix)) {
				String service = variable.substring(0, variable.length() - suffix.length());
				if (isLink(service + PORT)) {
					return service.toLowerCase(Locale.ROOT).replace('_', '-');
				}
			}
		}
		return null;
	}

	private boolean isLink(String variable) {
		String value = this.environment.getProperty(variable);
		return value != null && VALUE.matcher(value).matches();
	}

	private static @Nullable String variable(@Nullable Origin origin) {
		return (origin instanceof PropertySourceOrigin propertySourceOrigin) ? propertySourceOrigin.getPropertyName()
				: null;
	}

}
