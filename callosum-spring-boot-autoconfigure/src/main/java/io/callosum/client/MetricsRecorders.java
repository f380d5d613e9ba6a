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
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;

import org.jspecify.annotations.Nullable;

import io.callosum.transport.ThrottledLog;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;

/**
 * The metrics recorders of a client. Logs the exceptions that they throw.
 */
final class MetricsRecorders implements CallosumClientMetricsRecorder {

	private static final Log logger = LogFactory.getLog(CallosumClient.class);

	private final ThrottledLog failures = new ThrottledLog(logger::warn);

	private final List<CallosumClientMetricsRecorder> recorders = new CopyOnWriteArrayList<>();

	private @Nullable CallosumClient started;

	MetricsRecorders(@Nullable CallosumClientMetricsRecorder recorder) {
		if (recorder != null) {
			this.recorders.add(recorder);
		}
	}

	boolean isEmpty() {
		return this.recorders.isEmpty();
	}

	synchronized void add(CallosumClientMetricsRecorder recorder) {
		CallosumClient client = this.started;
		if (client != null) {
			call(recorder, (added) -> added.started(client));
		}
		this.recorders.add(recorder);
	}

	/**
	 * The client has started or stopped. Its current state is looked up, so the order in
	 * which two threads call this method does not matter.
	 */
	synchronized void update(CallosumClient client) {
		boolean running = client.isRunning();
		if (running && this.started == null) {
			this.started = client;
			callAll((recorder) -> recorder.started(client));
		}
		else if (!running && this.started != null) {
			this.started = null;
			callAll((recorder) -> recorder.stopped(client));
		}
	}

	@Override
	public void acquireEnded(Duration time, AcquireOutcome outcome) {
		callAll((recorder) -> recorder.acquireEnded(time, outcome));
	}

	@Override
	public void leaseEnded(Duration time, LeaseOutcome outcome) {
		callAll((recorder) -> recorder.leaseEnded(time, outcome));
	}

	@Override
	public void dialEnded(Duration time, DialOutcome outcome) {
		callAll((recorder) -> recorder.dialEnded(time, outcome));
	}

	@Override
	public void connectionClosed(CloseReason reason) {
		callAll((recorder) -> recorder.connectionClosed(reason));
	}

	@Override
	public void discoveryFailed() {
		callAll(CallosumClientMetricsRecorder::discoveryFailed);
	}

	private void callAll(Consumer<CallosumClientMetricsRecorder> call) {
		for (CallosumClientMetricsRecorder recorder : this.recorders) {
			call(recorder, call);
		}
	}

	private void call(CallosumClientMetricsRecorder recorder, Consumer<CallosumClientMetricsRecorder> call) {
		try {
			call.accept(recorder);
		}
		catch (Throwable ex) {
			this.failures.log("A metrics recorder of a Callosum client failed", ex);
		}
	}

}
