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

package io.callosum.client.autoconfigure.actuate;

import io.micrometer.observation.Observation;
import io.micrometer.observation.ObservationRegistry;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.SignalType;
import reactor.util.context.Context;
import reactor.util.context.ContextView;

import io.callosum.client.CallosumClient;
import io.callosum.client.CallosumClientInterceptor;

/**
 * Observes exchanges, streams and executions from the acquire to the end of the lease.
 * All key values have low cardinality.
 */
final class ObservationClientInterceptor implements CallosumClientInterceptor {

	static final String NAME = "callosum.client.operations";

	/**
	 * The key under which Micrometer's context propagation stores the current observation
	 * in the context of a subscriber.
	 */
	private static final String CONTEXT_KEY = "micrometer.observation";

	private final ObservationRegistry registry;

	ObservationClientInterceptor(ObservationRegistry registry) {
		this.registry = registry;
	}

	@Override
	public <T> Mono<T> exchange(CallosumClient client, Mono<T> exchange) {
		return Mono.deferContextual((context) -> {
			Observation observation = start(client, "exchange", parent(context));
			return exchange.doOnError(observation::error)
				.doFinally((signal) -> stop(observation, signal))
				.contextWrite(Context.of(CONTEXT_KEY, observation));
		});
	}

	@Override
	public <T> Flux<T> use(CallosumClient client, Flux<T> use) {
		return Flux.deferContextual((context) -> {
			Observation observation = start(client, "use", parent(context));
			return use.doOnError(observation::error)
				.doFinally((signal) -> stop(observation, signal))
				.contextWrite(Context.of(CONTEXT_KEY, observation));
		});
	}

	@Override
	public <T extends @Nullable Object, E extends Exception> Execution<T, E> execute(CallosumClient client,
			Execution<T, E> execution) {
		return () -> {
			Observation observation = start(client, "execute", this.registry.getCurrentObservation());
			SignalType end = SignalType.ON_ERROR;
			Observation.Scope scope = observation.openScope();
			try {
				T result = execution.execute();
				end = SignalType.ON_COMPLETE;
				return result;
			}
			catch (Throwable ex) {
				observation.error(ex);
				throw ex;
			}
			finally {
				scope.close();
				stop(observation, end);
			}
		};
	}

	private @Nullable Observation parent(ContextView context) {
		Object parent = context.getOrDefault(CONTEXT_KEY, null);
		return (parent instanceof Observation observation) ? observation : this.registry.getCurrentObservation();
	}

	private Observation start(CallosumClient client, String operation, @Nullable Observation parent) {
		return Observation.createNotStarted(NAME, this.registry)
			.contextualName("callosum " + client.name())
			.lowCardinalityKeyValue("name", client.name())
			.lowCardinalityKeyValue("operation", operation)
			.parentObservation(parent)
			.start();
	}

	private static void stop(Observation observation, SignalType signal) {
		observation.lowCardinalityKeyValue("outcome", switch (signal) {
			case ON_ERROR -> "failed";
			case CANCEL -> "cancelled";
			default -> "completed";
		});
		observation.stop();
	}

}
