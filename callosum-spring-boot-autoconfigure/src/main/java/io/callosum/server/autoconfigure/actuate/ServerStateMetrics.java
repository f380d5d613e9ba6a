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

package io.callosum.server.autoconfigure.actuate;

import java.util.concurrent.TimeUnit;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.TimeGauge;
import io.micrometer.core.instrument.binder.MeterBinder;

import io.callosum.server.CallosumServer;

/**
 * {@link MeterBinder} for values that are read from the server. Separate from
 * {@link MicrometerMetricsRecorder}, which is created before the server.
 */
final class ServerStateMetrics implements MeterBinder {

	private final CallosumServer server;

	ServerStateMetrics(CallosumServer server) {
		this.server = server;
	}

	@Override
	public void bindTo(MeterRegistry registry) {
		Gauge.builder("callosum.server.slots.highest", this.server, ServerStateMetrics::highestSlot)
			.description("Highest slot in use, or -1 if there is none")
			.register(registry);
		TimeGauge
			.builder("callosum.server.event-loop.lag", this.server, TimeUnit.NANOSECONDS,
					(server) -> server.eventLoopLag().toNanos())
			.description("Longest time that a task waited for an event loop at the last measurement")
			.register(registry);
	}

	/**
	 * Some monitoring systems drop {@code NaN}, as if the server were gone.
	 */
	private static double highestSlot(CallosumServer server) {
		Integer highest = ServerView.highestSlot(server.connections());
		return (highest != null) ? highest : -1;
	}

}
