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

import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.WeakReference;

import io.netty.buffer.ByteBufAllocator;

/**
 * Collects the garbage, so that Netty reports buffers that are lost.
 */
public final class GarbageCollection {

	private static final int MAX_ATTEMPTS = 10;

	private GarbageCollection() {
	}

	/**
	 * Collect, and wait until the collector has reported what it found, which it does on
	 * its own thread.
	 */
	public static void await() {
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

	/**
	 * Let Netty report each buffer that was not released and is no longer referenced.
	 */
	public static void reportLostBuffers() {
		await();
		// What the first collection found is certainly in its queues once anything that
		// the second one found is
		await();
		// The detector checks its queue when a buffer is allocated. Not a direct buffer,
		// because there may be no memory for it
		ByteBufAllocator.DEFAULT.heapBuffer().release();
	}

}
