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

import java.util.concurrent.atomic.AtomicReference;

import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;

import org.springframework.util.Assert;

/**
 * Published when a new connection asks for a slot. A listener may answer, at once or with
 * a publisher. The first answer wins. If no listener answers, the {@link SlotAllocator}
 * does.
 * <p>
 * If a listener throws an exception, the connection is refused.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public class SlotRequestEvent extends CallosumServerEvent {

	private final SlotRequest request;

	private final transient AtomicReference<@Nullable Answer> answer = new AtomicReference<>();

	/**
	 * Create a new event.
	 * @param server the server that accepted the connection
	 * @param request the connection that asks for a slot
	 */
	public SlotRequestEvent(CallosumServer server, SlotRequest request) {
		super(server);
		Assert.notNull(request, "'request' must not be null");
		this.request = request;
	}

	/**
	 * Return the connection that asks for a slot.
	 * @return the request
	 */
	public SlotRequest getRequest() {
		return this.request;
	}

	/**
	 * Assign a slot. Exactly one {@link SlotFreeEvent} follows, unless the connection is
	 * refused because another one holds the slot.
	 * @param slot the slot, 0 or more
	 * @throws IllegalArgumentException if the slot is negative
	 * @throws IllegalStateException if the request is already answered or the publication
	 * of this event has ended
	 */
	public void assign(int slot) {
		Assert.isTrue(slot >= 0, () -> "'slot' must not be negative, but is " + slot);
		answer(new Answer.Assigned(slot));
	}

	/**
	 * Assign the first element that a publisher emits. The publisher is subscribed to
	 * when all listeners have returned, and not at all if one of them throws. One element
	 * is requested. The subscription is never cancelled, so that no slot is lost: one
	 * that arrives too late is freed at once, with a {@link SlotFreeEvent}. If the
	 * publisher is empty, fails, emits a negative number, or emits nothing within the
	 * slot timeout, the connection is refused.
	 * @param slot a publisher of the slot
	 * @throws IllegalStateException if the request is already answered or the publication
	 * of this event has ended
	 */
	public void assign(Publisher<Integer> slot) {
		Assert.notNull(slot, "'slot' must not be null");
		answer(new Answer.Deferred(slot));
	}

	/**
	 * Refuse the connection. With a {@link NoSlotAvailableException}, no error is
	 * reported.
	 * @param cause why the connection is refused
	 * @throws IllegalStateException if the request is already answered or the publication
	 * of this event has ended
	 */
	public void reject(Throwable cause) {
		Assert.notNull(cause, "'cause' must not be null");
		answer(new Answer.Rejected(cause));
	}

	/**
	 * Return whether the request has been answered.
	 * @return {@code true} after the first {@code assign} or {@code reject}
	 */
	public boolean isAnswered() {
		Answer answer = this.answer.get();
		return (answer != null) && (answer != Answer.NONE);
	}

	private void answer(Answer answer) {
		if (!this.answer.compareAndSet(null, answer)) {
			throw new IllegalStateException((this.answer.get() == Answer.NONE)
					? "The slot request of connection " + this.request.connectionId()
							+ " can only be answered while its event is being"
							+ " published; assign a publisher to answer later"
					: "The slot request of connection " + this.request.connectionId() + " is already answered");
		}
	}

	/**
	 * End the publication. No answer is accepted from now on.
	 * @return the answer, or {@link Answer#NONE}
	 */
	Answer endPublication() {
		this.answer.compareAndSet(null, Answer.NONE);
		Answer answer = this.answer.get();
		Assert.state(answer != null, "No answer");
		return answer;
	}

	@Override
	String describe() {
		return "connection=" + this.request.connectionId() + ", remoteAddress=" + this.request.remoteAddress();
	}

	/**
	 * The answer of the listeners.
	 */
	sealed interface Answer {

		Answer NONE = new None();

		record None() implements Answer {
		}

		record Assigned(int slot) implements Answer {
		}

		record Deferred(Publisher<Integer> slot) implements Answer {
		}

		record Rejected(Throwable cause) implements Answer {
		}

	}

}
