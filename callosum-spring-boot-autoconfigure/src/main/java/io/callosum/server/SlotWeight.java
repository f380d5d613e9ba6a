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

import java.time.Duration;
import java.util.function.LongSupplier;

import org.jspecify.annotations.Nullable;

import io.callosum.transport.Channels;

/**
 * How many connections a server attracts, relative to others: clients see a slot divided
 * by the weight, and prefer low ones. While the server warms up, the weight grows from a
 * tenth to its full value. Any thread.
 */
final class SlotWeight {

	private static final double COLD = 0.1;

	private final double weight;

	private final long warmUpNanos;

	private final LongSupplier clock;

	private final long startedAt;

	SlotWeight(double weight, @Nullable Duration warmUp, LongSupplier clock) {
		this.weight = weight;
		this.warmUpNanos = (warmUp != null) ? Channels.nanos(warmUp) : 0;
		this.clock = clock;
		this.startedAt = clock.getAsLong();
	}

	/**
	 * Return the current weight.
	 */
	double current() {
		if (this.warmUpNanos == 0) {
			return this.weight;
		}
		double warm = (double) (this.clock.getAsLong() - this.startedAt) / this.warmUpNanos;
		return (warm < 1) ? this.weight * (COLD + (1 - COLD) * warm) : this.weight;
	}

	/**
	 * Return the number to send for a slot.
	 */
	int announce(int slot) {
		// The cast turns a number that is too large for a slot line into the largest that
		// fits
		return (int) (slot / current());
	}

}
