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
import io.micrometer.core.instrument.binder.BaseUnits;

import org.springframework.util.Assert;

import io.callosum.server.CallosumMetricsRecorder;
import io.callosum.server.EndReason;
import io.callosum.server.RefusalReason;

/**
 * {@link CallosumMetricsRecorder} that uses Micrometer. All meters are registered at the
 * start: a missing meter could not be distinguished from one that is zero, and a lookup
 * for each connection would be expensive.
 */
final class MicrometerMetricsRecorder implements CallosumMetricsRecorder {

	private final LongAdder active = new LongAdder();

	private final LongAdder pending = new LongAdder();

	private final LongAdder overdue = new LongAdder();

	private final Counter accepted;

	private final Map<RefusalReason, Counter> refused;

	private final Timer slotTime;

	private final Map<EndReason, Timer> duration;

	private final Counter bytesReceived;

	private final Counter bytesSent;

	private final Counter acceptErrors;

	private final Counter listenerErrors;

	MicrometerMetricsRecorder(MeterRegistry registry) {
		Gauge.builder("callosum.server.connections.active", this.active, LongAdder::sum)
			.description("Connections that hold a slot")
			.strongReference(true)
			.register(registry);
		Gauge.builder("callosum.server.slot.requests.pending", this.pending, LongAdder::sum)
			.description("Slot requests without an answer, including those of connections that have gone")
			.strongReference(true)
			.register(registry);
		Gauge.builder("callosum.server.slot.requests.overdue", this.overdue, LongAdder::sum)
			.description("Slot requests that are still without an answer after their timeout")
			.strongReference(true)
			.register(registry);
		this.accepted = Counter.builder("callosum.server.connections.accepted")
			.description("Connections accepted, including those that are refused")
			.register(registry);
		this.refused = perConstant(RefusalReason.class,
				(reason) -> Counter.builder("callosum.server.connections.refused")
					.description("Connections closed without a slot")
					.tag("reason", tag(reason))
					.register(registry));
		this.slotTime = Timer.builder("callosum.server.slot.time")
			.description("Time from the accept of a connection until its slot line was written")
			.register(registry);
		this.duration = perConstant(EndReason.class,
				(reason) -> Timer.builder("callosum.server.connection.duration")
					.description("Duration of connections with a slot, by what ended them")
					.tag("reason", tag(reason))
					.register(registry));
		this.bytesReceived = bytes(registry, "received");
		this.bytesSent = bytes(registry, "sent");
		this.acceptErrors = Counter.builder("callosum.server.accept.errors")
			.description("Failures to accept connections, usually for lack of file descriptors")
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
		meter(this.refused, reason).increment();
	}

	@Override
	public void slotAssigned() {
		this.active.increment();
	}

	@Override
	public void slotRequested() {
		this.pending.increment();
	}

	@Override
	public void slotRequestAnswered() {
		this.pending.decrement();
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
	public void slotFreed(Duration sinceAccepted, EndReason reason) {
		this.active.decrement();
		meter(this.duration, reason).record(sinceAccepted);
	}

	@Override
	public void bytesReceived(long count) {
		this.bytesReceived.increment(count);
	}

	@Override
	public void bytesSent(long count) {
		this.bytesSent.increment(count);
	}

	@Override
	public void acceptFailed() {
		this.acceptErrors.increment();
	}

	@Override
	public void listenerFailed() {
		this.listenerErrors.increment();
	}

	private static Counter bytes(MeterRegistry registry, String direction) {
		return Counter.builder("callosum.server.bytes")
			.description("Bytes of the application and slot lines, before encryption")
			.baseUnit(BaseUnits.BYTES)
			.tag("direction", direction)
			.register(registry);
	}

	private static <E extends Enum<E>, M> Map<E, M> perConstant(Class<E> type, Function<E, M> meter) {
		Map<E, M> meters = new EnumMap<>(type);
		for (E constant : type.getEnumConstants()) {
			meters.put(constant, meter.apply(constant));
		}
		return meters;
	}

	private static <E extends Enum<E>, M> M meter(Map<E, M> meters, E constant) {
		M meter = meters.get(constant);
		Assert.state(meter != null, () -> "No meter for " + constant);
		return meter;
	}

	private static String tag(Enum<?> constant) {
		return constant.name().toLowerCase(Locale.ROOT).replace('_', '-');
	}

}
