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

import java.util.Collection;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

import org.apache.commons.logging.LogFactory;

import org.springframework.context.SmartLifecycle;

import io.callosum.autoconfigure.GracefulShutdownLifecycle;
import io.callosum.client.CallosumClient;

/**
 * Lets leases end after the servers have drained. {@link ClientRegistry} ends the
 * remaining ones.
 */
final class ClientGracefulShutdownLifecycle extends GracefulShutdownLifecycle {

	static final int PHASE = SmartLifecycle.DEFAULT_PHASE - 3072;

	private final Supplier<Collection<CallosumClient>> clients;

	ClientGracefulShutdownLifecycle(Supplier<Collection<CallosumClient>> clients) {
		super(LogFactory.getLog(CallosumClient.class));
		this.clients = clients;
		// The context has already started its lifecycles and will not start this one
		start();
	}

	@Override
	protected void drain(Runnable ended) {
		Collection<CallosumClient> clients = this.clients.get();
		// One more for this call itself
		AtomicInteger pending = new AtomicInteger(clients.size() + 1);
		Runnable oneEnded = () -> {
			if (pending.decrementAndGet() == 0) {
				ended.run();
			}
		};
		for (CallosumClient client : clients) {
			drainOnNewThread("callosum-client-shutdown", () -> client.stop(UNTIL_CUT_SHORT),
					"Failed to wait for the leases of " + client, oneEnded);
		}
		oneEnded.run();
	}

	@Override
	public int getPhase() {
		return PHASE;
	}

}
