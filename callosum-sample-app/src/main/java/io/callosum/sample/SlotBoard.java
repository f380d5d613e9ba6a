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

package io.callosum.sample;

import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.time.Instant;
import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;

import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import io.netty.util.NetUtil;

import org.springframework.beans.factory.annotation.Value;
import org.springframework.context.event.EventListener;
import org.springframework.stereotype.Component;

import io.callosum.server.CallosumConnection;
import io.callosum.server.ConnectionEvent;
import io.callosum.server.ServerErrorEvent;
import io.callosum.server.ServerStartedEvent;
import io.callosum.server.SlotFreeEvent;
import io.callosum.server.SlotRequestEvent;

/**
 * The content of the page, built from the server's events. Each change gets the next
 * version. A viewer asks for the changes since the version that it has, so nothing is
 * queued for slow viewers.
 */
@Component
class SlotBoard {

	private static final int MAX_EVENTS = 100;

	private static final int MAX_SAMPLES = 300;

	private static final int MAX_TEXT_LENGTH = 200;

	private final MeterRegistry meters;

	private final boolean fleet;

	private final TreeMap<Integer, Held> held = new TreeMap<>();

	private final Map<Integer, Freed> freed = new HashMap<>();

	private final Deque<Event> events = new ArrayDeque<>();

	private final Deque<Sample> highest = new ArrayDeque<>();

	private final Map<String, Long> refusals = new HashMap<>();

	private String address = "";

	private long given;

	private long errors;

	private long version;

	SlotBoard(MeterRegistry meters, @Value("${sample.fleet.enabled:true}") boolean fleet) {
		this.meters = meters;
		this.fleet = fleet;
	}

	// The listeners run on event loops, so the lock is only held briefly, and never
	// during a write to the network

	@EventListener
	synchronized void started(ServerStartedEvent event) {
		this.address = text(event.getServer().address());
		this.version++;
	}

	@EventListener
	synchronized void requested(SlotRequestEvent event) {
		add("request", null, text(event.getRequest().remoteAddress()), "");
	}

	@EventListener
	synchronized void connected(ConnectionEvent event) {
		CallosumConnection connection = event.getConnection();
		add("connected", event.getSlot(), text(connection.remoteAddress()), "");
		this.given++;
		this.freed.remove(event.getSlot());
		this.held.put(event.getSlot(), new Held(this.version, event.getSlot(), connection.id(),
				text(connection.remoteAddress()), connection.connectedAt().toEpochMilli()));
		sampleHighest();
	}

	@EventListener
	synchronized void freed(SlotFreeEvent event) {
		add("free", event.getSlot(), text(event.getConnection().remoteAddress()), text(event.getReason()));
		// Missing if the slot line could not be written, because there was no
		// ConnectionEvent
		if (this.held.remove(event.getSlot()) != null) {
			this.freed.put(event.getSlot(), new Freed(this.version, event.getSlot()));
			sampleHighest();
		}
	}

	@EventListener
	synchronized void failed(ServerErrorEvent event) {
		this.errors++;
		String error = event.getError().toString();
		add("error", null, "", error.substring(0, Math.min(error.length(), MAX_TEXT_LENGTH)));
	}

	/**
	 * Return what has changed.
	 * @param version the version that the viewer has, or a negative number for none
	 * @return the changes since that version, or everything
	 */
	Update since(long version) {
		Collection<Counter> counters = this.meters.find("callosum.server.connections.refused").counters();
		synchronized (this) {
			counters.forEach(this::noticeRefusals);
			Totals totals = new Totals(this.held.size(), this.held.isEmpty() ? -1 : this.held.lastKey(), this.given,
					this.refusals.values().stream().mapToLong(Long::longValue).sum(), this.errors);
			return new Update(version, this.version, System.currentTimeMillis(), this.address, this.fleet, totals,
					newer(this.held.values(), version), (version < 0) ? List.of() : newer(this.freed.values(), version),
					newer(this.events, version), newer(this.highest, version));
		}
	}

	/**
	 * Not every refusal has an event, because a peer could cause them at any rate. The
	 * meters count all of them.
	 */
	private void noticeRefusals(Counter counter) {
		String reason = String.valueOf(counter.getId().getTag("reason")).replace('-', ' ');
		long count = (long) counter.count();
		long before = this.refusals.getOrDefault(reason, 0L);
		if (count > before) {
			this.refusals.put(reason, count);
			add("refused", null, "", (count - before) + " × " + reason);
		}
	}

	private void add(String type, Integer slot, String peer, String text) {
		this.version++;
		this.events.addLast(new Event(this.version, System.currentTimeMillis(), type, slot, peer, text));
		if (this.events.size() > MAX_EVENTS) {
			this.events.removeFirst();
		}
	}

	/**
	 * Keep the last sample of each second. Nothing has changed between two samples.
	 */
	private void sampleHighest() {
		long second = Instant.now().getEpochSecond();
		if (!this.highest.isEmpty() && this.highest.getLast().second() == second) {
			this.highest.removeLast();
		}
		this.highest.addLast(new Sample(this.version, second, this.held.isEmpty() ? -1 : this.held.lastKey()));
		if (this.highest.size() > MAX_SAMPLES) {
			this.highest.removeFirst();
		}
	}

	private static <T extends Versioned> List<T> newer(Collection<T> all, long version) {
		return all.stream().filter((one) -> one.version() > version).toList();
	}

	private static String text(SocketAddress address) {
		return (address instanceof InetSocketAddress inetAddress) ? NetUtil.toSocketAddressString(inetAddress)
				: String.valueOf(address);
	}

	private static String text(Enum<?> constant) {
		return constant.name().toLowerCase(Locale.ROOT).replace('_', ' ');
	}

	private interface Versioned {

		long version();

	}

	/**
	 * A snapshot or a change. Times are in milliseconds of this machine's clock, and so
	 * is {@code now}, because the viewer's clock may be wrong.
	 *
	 * @param since the version that it builds on, or a negative number for a snapshot
	 * @param version the version that it leads to
	 * @param now the current time
	 * @param address the address that the server listens on
	 * @param fleet whether there is a fleet to look at
	 * @param totals the totals
	 * @param held the slots that are held now
	 * @param freed the slots that are free now
	 * @param events the last events
	 * @param highest the highest slot over time
	 */
	record Update(long since, long version, long now, String address, boolean fleet, Totals totals, List<Held> held,
			List<Freed> freed, List<Event> events, List<Sample> highest) implements UpdateStream.Update {

	}

	record Totals(int connections, int highest, long given, long refused, long errors) {

	}

	record Held(long version, int slot, String id, String peer, long connectedAt) implements Versioned {

	}

	record Freed(long version, int slot) implements Versioned {

	}

	record Event(long version, long at, String type, Integer slot, String peer, String text) implements Versioned {

	}

	record Sample(long version, long second, int highest) implements Versioned {

	}

}
