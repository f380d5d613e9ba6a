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

package io.callosum.server;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;

import org.springframework.context.ApplicationEventPublisher;

/**
 * Records the events of a server, and passes each on to the listeners of a test, in the
 * order in which they were added, as Spring does.
 */
public final class RecordedEvents implements ApplicationEventPublisher {

	private final List<CallosumServerEvent> events = new ArrayList<>();

	private final List<Consumer<CallosumServerEvent>> listeners = new CopyOnWriteArrayList<>();

	private final Set<Class<?>> types = ConcurrentHashMap.newKeySet();

	@Override
	public void publishEvent(Object event) {
		CallosumServerEvent serverEvent = (CallosumServerEvent) event;
		synchronized (this.events) {
			this.events.add(serverEvent);
		}
		this.listeners.forEach((listener) -> listener.accept(serverEvent));
	}

	public <E extends CallosumServerEvent> RecordedEvents on(Class<E> type, Consumer<? super E> listener) {
		this.types.add(type);
		this.listeners.add((event) -> {
			if (type.isInstance(event)) {
				listener.accept(type.cast(event));
			}
		});
		return this;
	}

	/**
	 * Return whether a test listens to events of exactly this type.
	 */
	boolean hasListener(Class<? extends CallosumServerEvent> type) {
		return this.types.contains(type);
	}

	public List<CallosumServerEvent> all() {
		synchronized (this.events) {
			return List.copyOf(this.events);
		}
	}

	public <E extends CallosumServerEvent> List<E> of(Class<E> type) {
		return all().stream().filter(type::isInstance).map(type::cast).toList();
	}

	/**
	 * Check what holds for the events of every server: each connection has each of its
	 * events once and in order, and no slot has two holders at a time.
	 */
	public void verifyOrder() {
		Map<String, String> last = new HashMap<>();
		Map<Integer, String> holders = new HashMap<>();
		for (CallosumServerEvent event : all()) {
			if (event instanceof SlotRequestEvent request) {
				advance(last, request.getRequest().connectionId(), null, "request");
			}
			else if (event instanceof ConnectionEvent connection) {
				String id = connection.getConnection().id();
				advance(last, id, "request", "connection");
				String holder = holders.putIfAbsent(connection.getSlot(), id);
				if (holder != null) {
					throw new AssertionError("Slot " + connection.getSlot() + " of " + id + " is held by " + holder);
				}
			}
			else if (event instanceof SlotFreeEvent free) {
				String id = free.getConnection().id();
				String before = last.put(id, "free");
				if (!"request".equals(before) && !"connection".equals(before)) {
					throw new AssertionError("SlotFreeEvent of " + id + " after " + before);
				}
				holders.remove(free.getSlot(), id);
			}
		}
	}

	/**
	 * Check that each connection of a stopped server has ended.
	 */
	void verifyEnd() {
		Set<String> open = new HashSet<>();
		of(ConnectionEvent.class).forEach((event) -> open.add(event.getConnection().id()));
		of(SlotFreeEvent.class).forEach((event) -> open.remove(event.getConnection().id()));
		if (!open.isEmpty()) {
			throw new AssertionError("No SlotFreeEvent of " + open);
		}
	}

	private static void advance(Map<String, String> last, String id, String from, String to) {
		String before = last.put(id, to);
		if (from == null ? before != null : !from.equals(before)) {
			throw new AssertionError(to + " of " + id + " after " + before);
		}
	}

}
