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

import java.time.Duration;
import java.util.Collection;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;

import org.springframework.context.SmartLifecycle;

import io.callosum.client.CallosumClient;

/**
 * Lets leases end when the context stops, after servers have drained, for as long as
 * {@code spring.lifecycle.timeout-per-shutdown-phase} allows. {@link ClientRegistry} ends
 * the rest.
 */
final class ClientGracefulShutdownLifecycle implements SmartLifecycle {

	static final int PHASE = SmartLifecycle.DEFAULT_PHASE - 3072;

	private static final Log logger = LogFactory.getLog(CallosumClient.class);

	/**
	 * The timeout of the phase comes first.
	 */
	private static final Duration TIMEOUT = Duration.ofDays(365);

	private final Supplier<Collection<CallosumClient>> clients;

	private volatile boolean running = true;

	ClientGracefulShutdownLifecycle(Supplier<Collection<CallosumClient>> clients) {
		this.clients = clients;
	}

	@Override
	public void start() {
		this.running = true;
	}

	@Override
	public void stop() {
		stop(() -> {
		});
	}

	@Override
	public void stop(Runnable callback) {
		this.running = false;
		Collection<CallosumClient> clients = this.clients.get();
		// One more, which is this call itself
		AtomicInteger pending = new AtomicInteger(clients.size() + 1);
		Runnable ended = () -> {
			if (pending.decrementAndGet() == 0) {
				callback.run();
			}
		};
		for (CallosumClient client : clients) {
			try {
				new Thread(() -> drain(client, ended), "callosum-client-shutdown").start();
			}
			catch (Throwable ex) {
				// Such as no memory for a thread: the stop must go on
				logger.warn("Cannot wait for the leases of " + client, ex);
				ended.run();
			}
		}
		ended.run();
	}

	private void drain(CallosumClient client, Runnable ended) {
		try {
			client.stop(TIMEOUT);
		}
		catch (Throwable ex) {
			logger.warn("Failed to wait for the leases of " + client, ex);
		}
		finally {
			ended.run();
		}
	}

	@Override
	public boolean isRunning() {
		return this.running;
	}

	@Override
	public int getPhase() {
		return PHASE;
	}

	@Override
	public boolean isPauseable() {
		return false;
	}

}
