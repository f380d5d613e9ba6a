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

import ch.qos.logback.classic.Logger;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.util.ResourceLeakDetector;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/**
 * Tests for {@link BufferLeaks}, without which no other test would notice a lost buffer.
 *
 * @author The Callosum authors
 */
class BufferLeaksTests {

	private final Logger logger = (Logger) LoggerFactory.getLogger(ResourceLeakDetector.class);

	@BeforeEach
	void watch() {
		BufferLeaks.watch();
		BufferLeaks.verifyNone();
		// Not to the console, where it would look like a leak
		this.logger.setAdditive(false);
	}

	@AfterEach
	void restore() {
		this.logger.setAdditive(true);
	}

	@Test
	void aLostBufferIsFoundOnce() {
		ByteBufAllocator.DEFAULT.directBuffer(10).writeByte(1);
		verifyFound();
		BufferLeaks.verifyNone();
	}

	@Test
	void aBufferWhoseSliceAloneWasReleasedIsFound() {
		ByteBufAllocator.DEFAULT.buffer(10).writeByte(1).readRetainedSlice(1).release();
		verifyFound();
	}

	@Test
	void aBufferThatIsInUseIsNotLost() {
		ByteBuf buffer = ByteBufAllocator.DEFAULT.buffer(10);
		BufferLeaks.verifyNone();
		buffer.release();
		BufferLeaks.verifyNone();
	}

	private static void verifyFound() {
		assertThatExceptionOfType(AssertionError.class).isThrownBy(BufferLeaks::verifyNone)
			.withMessageContaining("BufferLeaksTests");
	}

}
