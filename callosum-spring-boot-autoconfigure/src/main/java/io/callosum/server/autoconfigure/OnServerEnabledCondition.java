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

package io.callosum.server.autoconfigure;

import org.springframework.boot.autoconfigure.condition.ConditionMessage;
import org.springframework.boot.autoconfigure.condition.ConditionOutcome;
import org.springframework.boot.autoconfigure.condition.SpringBootCondition;
import org.springframework.boot.context.properties.bind.BindHandler;
import org.springframework.boot.context.properties.bind.BindResult;
import org.springframework.boot.context.properties.bind.Bindable;
import org.springframework.boot.context.properties.bind.Binder;
import org.springframework.context.annotation.ConditionContext;
import org.springframework.core.type.AnnotatedTypeMetadata;

import io.callosum.autoconfigure.EmptyPropertyBindHandlerAdvisor;

/**
 * Matches unless the server is disabled. Binds the property, so that an empty or invalid
 * value fails the start, as with all other properties, instead of disabling the server.
 */
final class OnServerEnabledCondition extends SpringBootCondition {

	private static final String ENABLED = "callosum.server.enabled";

	@Override
	public ConditionOutcome getMatchOutcome(ConditionContext context, AnnotatedTypeMetadata metadata) {
		BindHandler handler = new EmptyPropertyBindHandlerAdvisor().apply(BindHandler.DEFAULT);
		BindResult<Boolean> enabled = Binder.get(context.getEnvironment())
			.bind(ENABLED, Bindable.of(Boolean.class), handler);
		String state = enabled.isBound() ? enabled.get().toString() : "not set";
		return new ConditionOutcome(enabled.orElse(true),
				ConditionMessage.forCondition("Callosum server").because(ENABLED + " is " + state));
	}

}
