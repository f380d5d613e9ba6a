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

package io.callosum.client;

import org.springframework.context.ApplicationEvent;

/**
 * An event of a {@link CallosumClient}, which is its source. The events of a client are
 * published in order and one at a time, on one of the threads that caused them, usually
 * an event loop. Listeners must not block.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public abstract class CallosumClientEvent extends ApplicationEvent {

	CallosumClientEvent(CallosumClient client) {
		super(client);
	}

	/**
	 * Return the client that published the event.
	 * @return the client
	 */
	public final CallosumClient getClient() {
		return (CallosumClient) getSource();
	}

	@Override
	public String toString() {
		return getClass().getSimpleName() + "[client=" + getClient().name() + ", " + describe() + "]";
	}

	abstract String describe();

}
