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

import java.util.ArrayDeque;
import java.util.Collection;
import java.util.Collections;
import java.util.Deque;

import io.callosum.sample.FleetBoard.Sample;

/**
 * How even the fleet was over time: the peaks of each second, so that none is lost
 * between two samples. A second in which nothing changed has no sample.
 */
final class BalanceHistory {

	private static final int MAX_SAMPLES = 300;

	private final Deque<Sample> samples = new ArrayDeque<>();

	/**
	 * Add what was measured now.
	 * @return {@code true} if the samples have changed
	 */
	boolean add(Sample now) {
		Sample last = this.samples.peekLast();
		Sample next = now;
		if (last != null && last.second() == now.second()) {
			next = new Sample(now.version(), now.second(), Math.max(last.ratio(), now.ratio()),
					Math.max(last.spread(), now.spread()));
		}
		if (last != null && next.ratio() == last.ratio() && next.spread() == last.spread()) {
			return false;
		}
		if (last != null && last.second() == now.second()) {
			this.samples.removeLast();
		}
		this.samples.addLast(next);
		if (this.samples.size() > MAX_SAMPLES) {
			this.samples.removeFirst();
		}
		return true;
	}

	/**
	 * Return the samples, the oldest first.
	 */
	Collection<Sample> samples() {
		return Collections.unmodifiableCollection(this.samples);
	}

}
