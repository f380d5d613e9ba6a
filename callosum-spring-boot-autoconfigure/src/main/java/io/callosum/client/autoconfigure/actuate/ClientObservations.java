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

import io.micrometer.observation.ObservationRegistry;

import org.springframework.beans.factory.SmartInitializingSingleton;

import io.callosum.client.autoconfigure.CallosumClients;

/**
 * Adds an interceptor that observes all clients, including those that the application
 * defines itself, before they are started.
 */
final class ClientObservations implements SmartInitializingSingleton {

	private final CallosumClients clients;

	private final ObservationRegistry registry;

	ClientObservations(CallosumClients clients, ObservationRegistry registry) {
		this.clients = clients;
		this.registry = registry;
	}

	@Override
	public void afterSingletonsInstantiated() {
		ObservationClientInterceptor interceptor = new ObservationClientInterceptor(this.registry);
		this.clients.stream().forEach((client) -> client.addInterceptor(interceptor));
	}

}
