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

import java.time.Duration;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Function;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;

import io.callosum.server.CallosumMetricsRecorder;
import io.callosum.server.RefusalReason;
import io.callosum.server.SlotFreeEvent;

/**
 * Records the measurements of a server with Micrometer. All meters are there from the
 * start: what is not there yet cannot be told from what is not measured, and looking one
 * up for each connection would cost.
 */
final class MicrometerMetricsRecorder implements CallosumMetricsRecorder {

	private final LongAdder active = new LongAdder();

	private final LongAdder overdue = new LongAdder();

	private final Counter accepted;

	private final Map<RefusalReason, Counter> refused;

	private final Timer slotTime;

	private final Map<SlotFreeEvent.Reason, Timer> duration;

	private final Counter acceptErrors;

	private final Counter listenerErrors;

	MicrometerMetricsRecorder(MeterRegistry registry) {
		Gauge.builder("callosum.server.connections.active", this.active, LongAdder::sum)
			.description("Connections that hold a slot")
			.strongReference(true)
			.register(registry);
		Gauge.builder("callosum.server.slot.requests.overdue", this.overdue, LongAdder::sum)
			.description("Slot requests that were not answered in time, and still are not")
			.strongReference(true)
			.register(registry);
		this.accepted = Counter.builder("callosum.server.connections.accepted")
			.description("Connections accepted, those refused included")
			.register(registry);
		this.refused = perConstant(RefusalReason.class,
				(reason) -> Counter.builder("callosum.server.connections.refused")
					.description("Connections closed without a slot")
					.tag("reason", tag(reason))
					.register(registry));
		this.slotTime = Timer.builder("callosum.server.slot.time")
			.description("Time from when a connection was accepted until its slot was written")
			.register(registry);
		this.duration = perConstant(SlotFreeEvent.Reason.class,
				(reason) -> Timer.builder("callosum.server.connection.duration")
					.description("How long connections with a slot lasted, by what ended them")
					.tag("reason", tag(reason))
					.register(registry));
		this.acceptErrors = Counter.builder("callosum.server.accept.errors")
			.description("Failures to accept connections, mostly for want of file descriptors")
			.register(registry);
		this.listenerErrors = Counter.builder("callosum.server.listener.errors")
			.description("Exceptions thrown by event listeners")
			.register(registry);
	}

	@Override
	public void accepted() {
		this.accepted.increment();
	}

	@Override
	public void refused(RefusalReason reason) {
		this.refused.get(reason).increment();
	}

	@Override
	public void slotAssigned() {
		this.active.increment();
	}

	@Override
	public void slotRequestOverdue() {
		this.overdue.increment();
	}

	@Override
	public void overdueSlotRequestAnswered() {
		this.overdue.decrement();
	}

	@Override
	public void slotLineWritten(Duration sinceAccepted) {
		this.slotTime.record(sinceAccepted);
	}

	@Override
	public void slotFreed(Duration sinceAccepted, SlotFreeEvent.Reason reason) {
		this.active.decrement();
		this.duration.get(reason).record(sinceAccepted);
	}

	@Override
	public void acceptFailed() {
		this.acceptErrors.increment();
	}

	@Override
	public void listenerFailed() {
		this.listenerErrors.increment();
	}

	private static <E extends Enum<E>, M> Map<E, M> perConstant(Class<E> type, Function<E, M> meter) {
		Map<E, M> meters = new EnumMap<>(type);
		for (E constant : type.getEnumConstants()) {
			meters.put(constant, meter.apply(constant));
		}
		return meters;
	}

	private static String tag(Enum<?> constant) {
		return constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
	}

}
