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

package io.callosum.client;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

import io.callosum.client.PendingDial.Purpose;

/**
 * The dials in flight. Guarded by the pool's lock.
 */
final class PendingDials {

	private final PoolLock lock;

	private final Dialler dialler;

	private final List<PendingDial> dials = new ArrayList<>(2);

	PendingDials(PoolLock lock, Dialler dialler) {
		this.lock = lock;
		this.dialler = dialler;
	}

	void begin(PendingDial dial) {
		assert this.lock.isHeld();
		dial.server.dialling = true;
		this.dials.add(dial);
		this.lock.afterwards(() -> dial.begin(this.dialler));
	}

	/**
	 * A dial has ended.
	 * @return {@code false} if it was abandoned before
	 */
	boolean end(PendingDial dial) {
		assert this.lock.isHeld();
		boolean pending = this.dials.remove(dial);
		if (pending) {
			dial.server.dialling = false;
		}
		return pending;
	}

	void abandonIf(Predicate<PendingDial> condition) {
		assert this.lock.isHeld();
		for (PendingDial dial : List.copyOf(this.dials)) {
			if (condition.test(dial)) {
				end(dial);
				this.lock.afterwards(dial::abandon);
			}
		}
	}

	int count(Purpose purpose) {
		int count = 0;
		for (PendingDial dial : this.dials) {
			count += (dial.purpose == purpose) ? 1 : 0;
		}
		return count;
	}

	int size() {
		return this.dials.size();
	}

}
