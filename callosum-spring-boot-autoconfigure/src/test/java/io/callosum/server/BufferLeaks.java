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
import io.netty.util.ResourceLeakDetector;

import org.springframework.test.util.ReflectionTestUtils;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * The buffers that Netty's leak detector reports as lost. It tracks every buffer in
 * tests, and is queried directly because each Spring application that a test starts
 * resets logging.
 */
public final class BufferLeaks {

	private static final Queue<String> found = new ConcurrentLinkedQueue<>();

	private static final ResourceLeakDetector<?> detector = (ResourceLeakDetector<?>) ReflectionTestUtils
		.getField(AbstractByteBuf.class, "leakDetector");

	/**
	 * One element for each buffer, until it is released or reported as lost. Netty does
	 * not expose them.
	 */
	private static final Collection<?> tracked = (Collection<?>) ReflectionTestUtils.getField(detector, "allLeaks");

	private BufferLeaks() {
	}

	/**
	 * Start recording what the detector finds.
	 */
	public static void watch() {
		ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.PARANOID);
		detector.setLeakListener((resourceType, records) -> found.add(resourceType + records));
	}

	/**
	 * Fail if a buffer was lost without being released.
	 */
	public static void verifyNone() {
		// Garbage collection is expensive, and pointless if all buffers are released
		if (!tracked.isEmpty()) {
			GarbageCollection.reportLostBuffers();
		}
		List<String> lost = new ArrayList<>(found);
		found.removeAll(lost);
		assertThat(lost).isEmpty();
	}

}
