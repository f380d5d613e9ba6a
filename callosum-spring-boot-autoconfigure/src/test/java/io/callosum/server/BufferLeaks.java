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
 * What Netty's leak detection finds, which tracks every buffer in tests. It is asked
 * directly, as each Spring application of a test resets logging.
 */
public final class BufferLeaks {

	private static final Queue<String> found = new ConcurrentLinkedQueue<>();

	private static final ResourceLeakDetector<?> detector = (ResourceLeakDetector<?>) ReflectionTestUtils
		.getField(AbstractByteBuf.class, "leakDetector");

	/**
	 * Buffers that are not released yet. Netty does not publish them.
	 */
	private static final Collection<?> tracked = (Collection<?>) ReflectionTestUtils.getField(detector, "allLeaks");

	private BufferLeaks() {
	}

	/**
	 * Note from now on what the detector finds.
	 */
	public static void watch() {
		detector.setLeakListener((resourceType, records) -> found.add(resourceType + records));
	}

	/**
	 * Verify that no buffer was lost before it was released.
	 */
	public static void verifyNone() {
		// Collecting the garbage is expensive, and in vain if all are released
		if (!tracked.isEmpty()) {
			// The second time, what the first collection found is in the detector's queue
			GarbageCollection.await();
			GarbageCollection.await();
			// The detector looks into its queue when a buffer is allocated
			ByteBufAllocator.DEFAULT.buffer().release();
		}
		List<String> lost = new ArrayList<>(found);
		found.removeAll(lost);
		assertThat(lost).isEmpty();
	}

}
