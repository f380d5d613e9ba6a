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

import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import org.jspecify.annotations.Nullable;

import org.springframework.util.Assert;

import io.callosum.client.CallosumClient;
import io.callosum.client.CallosumClientMetricsRecorder;
import io.callosum.client.ClientSnapshot;
import io.callosum.client.ClientSnapshot.Member;
import io.callosum.client.ClientSnapshot.Server;
import io.callosum.client.CloseReason;

/**
 * Records the metrics of one client with Micrometer. All meters are registered while the
 * client is running: a missing meter could not be distinguished from one that is not
 * recorded, and looking one up for each lease would be costly.
 */
final class MicrometerClientMetricsRecorder implements CallosumClientMetricsRecorder {

	private final MeterRegistry registry;

	private volatile @Nullable Meters meters;

	MicrometerClientMetricsRecorder(MeterRegistry registry) {
		this.registry = registry;
	}

	@Override
	public void started(CallosumClient client) {
		this.meters = new Meters(this.registry, client);
	}

	@Override
	public void stopped(CallosumClient client) {
		Meters meters = this.meters;
		this.meters = null;
		if (meters != null) {
			meters.all.forEach(this.registry::remove);
		}
	}

	@Override
	public void acquireEnded(Duration time, AcquireOutcome outcome) {
		Meters meters = this.meters;
		if (meters != null) {
			meter(meters.acquireTime, outcome).record(time);
		}
	}

	@Override
	public void leaseEnded(Duration time, LeaseOutcome outcome) {
		Meters meters = this.meters;
		if (meters != null) {
			meter(meters.leaseDuration, outcome).record(time);
		}
	}

	@Override
	public void dialEnded(Duration time, DialOutcome outcome) {
		Meters meters = this.meters;
		if (meters != null) {
			meter(meters.dialTime, outcome).record(time);
		}
	}

	@Override
	public void connectionClosed(CloseReason reason) {
		Meters meters = this.meters;
		if (meters != null) {
			meter(meters.closed, reason).increment();
		}
	}

	@Override
	public void discoveryFailed() {
		Meters meters = this.meters;
		if (meters != null) {
			meters.discoveryFailures.increment();
		}
	}

	private static <E extends Enum<E>, M> M meter(Map<E, M> meters, E constant) {
		M meter = meters.get(constant);
		Assert.state(meter != null, () -> "No meter for " + constant);
		return meter;
	}

	/**
	 * The meters of a running client.
	 */
	private static final class Meters {

		private final List<Meter> all = new ArrayList<>();

		private final MeterRegistry registry;

		private final CallosumClient client;

		private final Map<AcquireOutcome, Timer> acquireTime;

		private final Map<LeaseOutcome, Timer> leaseDuration;

		private final Map<DialOutcome, Timer> dialTime;

		private final Map<CloseReason, Counter> closed;

		private final Counter discoveryFailures;

		private Meters(MeterRegistry registry, CallosumClient client) {
			this.registry = registry;
			this.client = client;
			gauge("connections.active", "Connections that are leased",
					(snapshot) -> snapshot.members().stream().filter(Member::leased).count());
			gauge("connections.idle", "Connections that can be leased",
					(snapshot) -> snapshot.members().stream().filter((member) -> !member.leased()).count());
			gauge("connections.max", "Connections that the client keeps", ClientSnapshot::poolSize);
			gauge("acquires.pending", "Acquires that wait for a connection", ClientSnapshot::pending);
			for (Server.State state : Server.State.values()) {
				add(Gauge.builder("callosum.client.servers", client, (current) -> servers(current.snapshot(), state))
					.description("Known servers")
					.tag("name", client.name())
					.tag("state", tag(state))
					.strongReference(true)
					.register(registry));
			}
			gauge("slots.worst", "Highest slot of a connection, -1 if there is none",
					MicrometerClientMetricsRecorder::worstSlot);
			this.acquireTime = perConstant(AcquireOutcome.class,
					(outcome) -> timer("acquire.time", "Time that acquires took", outcome));
			this.leaseDuration = perConstant(LeaseOutcome.class,
					(outcome) -> timer("lease.duration", "Time for which connections were leased", outcome));
			this.dialTime = perConstant(DialOutcome.class, (outcome) -> timer("dial.time",
					"Time from the start of a connect to the slot or the failure", outcome));
			this.closed = perConstant(CloseReason.class,
					(reason) -> add(Counter.builder("callosum.client.connections.closed")
						.description("Connections of the pool that were closed")
						.tag("name", client.name())
						.tag("reason", tag(reason))
						.register(registry)));
			this.discoveryFailures = add(Counter.builder("callosum.client.discovery.failures")
				.description("Failures to update the list of servers")
				.tag("name", client.name())
				.register(registry));
		}

		private void gauge(String name, String description, ToDoubleFunction<ClientSnapshot> value) {
			add(Gauge
				.builder("callosum.client." + name, this.client, (client) -> value.applyAsDouble(client.snapshot()))
				.description(description)
				.tag("name", this.client.name())
				.strongReference(true)
				.register(this.registry));
		}

		private Timer timer(String name, String description, Enum<?> outcome) {
			return add(Timer.builder("callosum.client." + name)
				.description(description)
				.tag("name", this.client.name())
				.tag("outcome", tag(outcome))
				.register(this.registry));
		}

		private <M extends Meter> M add(M meter) {
			this.all.add(meter);
			return meter;
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

	private static double servers(ClientSnapshot snapshot, Server.State state) {
		return snapshot.servers().stream().filter((server) -> server.state() == state).count();
	}

	private static double worstSlot(ClientSnapshot snapshot) {
		return snapshot.members()
			.stream()
			.filter((member) -> !member.retiring())
			.mapToInt(Member::slot)
			.max()
			.orElse(-1);
	}

}
