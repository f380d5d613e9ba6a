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

package io.callosum.server.faults;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.ArgumentsProvider;
import org.junit.jupiter.params.provider.ArgumentsSource;
import org.junit.jupiter.params.support.ParameterDeclarations;

import io.callosum.server.Link;
import io.callosum.server.Transport;

/**
 * A fault, named after the promise that holds despite it, and tested with every
 * combination of the values of its parameters, which are enums: a {@link Link} if the
 * fault makes sense with TLS, a {@link Transport} if it does not.
 */
@Target(ElementType.METHOD)
@Retention(RetentionPolicy.RUNTIME)
@Documented
@ParameterizedTest
@ArgumentsSource(FaultTest.Combinations.class)
@interface FaultTest {

	/**
	 * Every combination of the values of a method's parameters.
	 */
	final class Combinations implements ArgumentsProvider {

		@Override
		public Stream<? extends Arguments> provideArguments(ParameterDeclarations parameters,
				ExtensionContext context) {
			Method method = context.getRequiredTestMethod();
			List<List<Object>> combinations = List.of(List.of());
			for (Class<?> type : method.getParameterTypes()) {
				List<List<Object>> longer = new ArrayList<>();
				for (List<Object> combination : combinations) {
					for (Object value : type.getEnumConstants()) {
						List<Object> next = new ArrayList<>(combination);
						next.add(value);
						longer.add(next);
					}
				}
				combinations = longer;
			}
			return combinations.stream().map((combination) -> Arguments.of(combination.toArray()));
		}

	}

}
