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
import java.util.List;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.netty.buffer.ByteBufAllocator;
import io.netty.util.ResourceLeakDetector;
import org.slf4j.LoggerFactory;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * What Netty's leak detector has logged.
 */
final class BufferLeaks {

	private static final int MAX_ATTEMPTS = 10;

	private static final ListAppender<ILoggingEvent> log = new ListAppender<>();

	private BufferLeaks() {
	}

	/**
	 * Record what the detector logs. To be called after each start of an application,
	 * because that resets the log.
	 */
	static void record() {
		log.start();
		((Logger) LoggerFactory.getLogger(ResourceLeakDetector.class)).addAppender(log);
	}

	/**
	 * Fail if a buffer was lost that nothing refers to any more.
	 */
	static void verifyNone() {
		// The second time, what the first collection has found is in its queue for sure
		for (int round = 0; round < 2; round++) {
			collectGarbage();
			// The detector speaks when a buffer is allocated after the leaked one was
			// collected
			for (int i = 0; i < 16; i++) {
				ByteBufAllocator.DEFAULT.buffer().release();
			}
		}
		List<ILoggingEvent> found = List.copyOf(log.list);
		log.list.removeAll(found);
		assertThat(found).extracting(ILoggingEvent::getFormattedMessage).isEmpty();
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
