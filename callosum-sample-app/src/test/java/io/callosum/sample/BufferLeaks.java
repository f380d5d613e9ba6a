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

import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

import io.netty.buffer.AbstractByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.util.ResourceLeakDetector;

import org.springframework.test.util.ReflectionTestUtils;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * The buffers that Netty's leak detector reports as lost. It tracks every buffer in
 * tests, and its reports are not taken from the log because each start of an application
 * resets logging.
 */
final class BufferLeaks {

	private static final int MAX_ATTEMPTS = 10;

	private static final Queue<String> found = new ConcurrentLinkedQueue<>();

	private static final ResourceLeakDetector<?> detector = (ResourceLeakDetector<?>) ReflectionTestUtils
		.getField(AbstractByteBuf.class, "leakDetector");

	/**
	 * One element for each buffer, until it is released or reported as lost. Netty does
	 * not publish them.
	 */
	private static final Collection<?> tracked = (Collection<?>) ReflectionTestUtils.getField(detector, "allLeaks");

	private BufferLeaks() {
	}

	/**
	 * Record from now on what the detector finds.
	 */
	static void watch() {
		ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.PARANOID);
		detector.setLeakListener((resourceType, records) -> found.add(resourceType + records));
	}

	/**
	 * Fail if a buffer was lost without being released.
	 */
	static void verifyNone() {
		// Collecting garbage is expensive, and useless if all buffers are released
		if (!tracked.isEmpty()) {
			collectGarbage();
			// After this, what the first collection found is in the detector's queue
			collectGarbage();
			// The detector looks there when a buffer is allocated
			ByteBufAllocator.DEFAULT.buffer().release();
		}
		List<String> lost = new ArrayList<>(found);
		found.removeAll(lost);
		assertThat(lost).isEmpty();
	}

	private static void collectGarbage() {
		ReferenceQueue<Object> collected = new ReferenceQueue<>();
		Reference<Object> sentinel = new WeakReference<>(new Object(), collected);
		try {
			for (int i = 0; i < MAX_ATTEMPTS; i++) {
				System.gc();
				if (collected.remove(1000) == sentinel) {
					return;
				}
			}
		}
		catch (InterruptedException ex) {
			throw new IllegalStateException(ex);
		}
		throw new AssertionError("No garbage was collected");
	}

}
