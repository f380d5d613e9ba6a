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

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

import org.jspecify.annotations.Nullable;

/**
 * The runs of a client: one for each start. A client that is started again while its
 * previous run still waits for leases has two.
 */
final class ClientRuns {

	private final ClientSettings settings;

	private final ClientTransport.Factory transportFactory;

	private final AtomicLong connectionIds = new AtomicLong();

	private final Object monitor = new Object();

	/**
	 * The runs that have been started and have not ended, the current one last. Written
	 * under the monitor.
	 */
	private volatile List<ClientRun> runs = List.of();

	/**
	 * Create the runs of a client, initially none.
	 * @param settings the settings
	 * @param transportFactory opens the network of a run
	 */
	ClientRuns(ClientSettings settings, ClientTransport.Factory transportFactory) {
		this.settings = settings;
		this.transportFactory = transportFactory;
	}

	/**
	 * Start a run, unless there is one that is not stopping.
	 * @param client the client as its user sees it, which may be a spy
	 */
	void start(CallosumClient client) {
		if (isStarted()) {
			return;
		}
		ClientTransport transport = this.transportFactory.open(this.settings,
				() -> "c" + this.connectionIds.incrementAndGet());
		ClientRun run = new ClientRun(client, this.settings, transport, this::ended);
		synchronized (this.monitor) {
			if (isStarted()) {
				// Another thread was faster
				transport.close();
				return;
			}
			List<ClientRun> runs = new ArrayList<>(this.runs);
			runs.add(run);
			this.runs = List.copyOf(runs);
		}
		run.start();
	}

	private boolean isStarted() {
		ClientRun current = current();
		return current != null && !current.isStopping();
	}

	/**
	 * Stop all runs, and wait for their end unless the current thread must not wait.
	 * @param timeout how long leases may last; then their connections are closed
	 */
	void stop(Duration timeout) {
		List<ClientRun> runs = this.runs;
		runs.forEach((run) -> run.stop(timeout));
		runs.forEach((run) -> run.awaitTermination(timeout));
	}

	/**
	 * Return the run that was started last, which may be stopping, or {@code null} if
	 * there is none.
	 */
	@Nullable ClientRun current() {
		List<ClientRun> runs = this.runs;
		return runs.isEmpty() ? null : runs.get(runs.size() - 1);
	}

	private void ended(ClientRun run) {
		synchronized (this.monitor) {
			List<ClientRun> runs = new ArrayList<>(this.runs);
			runs.remove(run);
			this.runs = List.copyOf(runs);
		}
	}

}
