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

import java.util.Collection;
import java.util.Collections;
import java.util.List;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.netty.buffer.AbstractByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.util.ResourceLeakDetector;
import org.slf4j.LoggerFactory;

import org.springframework.test.util.ReflectionTestUtils;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * What Netty's leak detection finds, which tracks every buffer in tests.
 */
public final class BufferLeaks {

	private static final ListAppender<ILoggingEvent> reports = new ListAppender<>();

	/**
	 * Buffers that are not released yet. Netty does not publish them.
	 */
	private static final Collection<?> tracked;

	static {
		reports.list = Collections.synchronizedList(reports.list);
		reports.start();
		Object detector = ReflectionTestUtils.getField(AbstractByteBuf.class, "leakDetector");
		tracked = (Collection<?>) ReflectionTestUtils.getField(detector, "allLeaks");
	}

	private BufferLeaks() {
	}

	/**
	 * Note from now on what the detector reports.
	 */
	public static void watch() {
		((Logger) LoggerFactory.getLogger(ResourceLeakDetector.class)).addAppender(reports);
	}

	/**
	 * Verify that no buffer was lost before it was released.
	 */
	public static void verifyNone() {
		// Collecting the garbage is expensive, and in vain if all are released
		if (!tracked.isEmpty()) {
			GarbageCollection.await();
			// The detector reports when a buffer is allocated after the leaked one was
			// collected
			for (int i = 0; i < 16; i++) {
				ByteBufAllocator.DEFAULT.buffer().release();
			}
		}
		List<ILoggingEvent> found = List.copyOf(reports.list);
		reports.list.removeAll(found);
		assertThat(found).extracting(ILoggingEvent::getFormattedMessage).isEmpty();
	}

}
