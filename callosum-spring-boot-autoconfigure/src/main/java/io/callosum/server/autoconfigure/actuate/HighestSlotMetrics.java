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

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.MeterBinder;

import io.callosum.server.CallosumServer;

/**
 * The one measurement that is taken from the server when it is asked for. Apart from the
 * {@link MicrometerMetricsRecorder}, which there is before there is a server.
 */
final class HighestSlotMetrics implements MeterBinder {

	private final CallosumServer server;

	HighestSlotMetrics(CallosumServer server) {
		this.server = server;
	}

	@Override
	public void bindTo(MeterRegistry registry) {
		Gauge.builder("callosum.server.slots.highest", this.server, HighestSlotMetrics::highestSlot)
			.description("Highest slot in use, -1 if there is none")
			.register(registry);
	}

	/**
	 * Not a number would be left out by some monitoring systems, which looks like a
	 * server that is gone.
	 */
	private static double highestSlot(CallosumServer server) {
		Integer highest = ServerView.highestSlot(server.connections());
		return (highest != null) ? highest : -1;
	}

}
