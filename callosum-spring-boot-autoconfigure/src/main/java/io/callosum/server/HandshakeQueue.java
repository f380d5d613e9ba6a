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

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

import io.netty.channel.EventLoop;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;

/**
 * The TLS handshakes of an event loop that wait for their turn. Each step of a handshake
 * takes about a millisecond of CPU time. Steps are computed one at a time, and between
 * two steps the loop learns which peers have left. Their steps are skipped, so that peers
 * that connect faster than handshakes can be computed do not keep others waiting. Event
 * loop.
 */
final class HandshakeQueue {

	private static final Log logger = LogFactory.getLog(HandshakeQueue.class);

	private final EventLoop eventLoop;

	private final Deque<BooleanSupplier> waiting = new ArrayDeque<>();

	private boolean scheduled;

	HandshakeQueue(EventLoop eventLoop) {
		this.eventLoop = eventLoop;
	}

	/**
	 * Queue the next step of a handshake. Handshakes that have begun precede all that
	 * have not: otherwise, with many at once, none would complete in time.
	 * @param step computes the step, and returns {@code false} if the peer has left
	 * @param begun whether a step of this handshake has been computed
	 */
	void add(BooleanSupplier step, boolean begun) {
		assert this.eventLoop.inEventLoop();
		if (begun) {
			this.waiting.addFirst(step);
		}
		else {
			this.waiting.addLast(step);
		}
		schedule();
	}

	private void schedule() {
		if (this.scheduled) {
			return;
		}
		try {
			// The loop runs submitted tasks until none are left, but polls its channels
			// before it runs a scheduled one
			this.eventLoop.schedule(this::next, 0, TimeUnit.NANOSECONDS);
			this.scheduled = true;
		}
		catch (RejectedExecutionException ex) {
			logger.trace("The event loop has ended", ex);
		}
	}

	private void next() {
		this.scheduled = false;
		try {
			BooleanSupplier step;
			do {
				step = this.waiting.poll();
			}
			while (step != null && !step.getAsBoolean());
		}
		finally {
			if (!this.waiting.isEmpty()) {
				schedule();
			}
		}
	}

}
