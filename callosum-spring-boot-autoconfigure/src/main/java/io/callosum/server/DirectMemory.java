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
import java.util.concurrent.atomic.AtomicBoolean;

import io.netty.util.internal.PlatformDependent;
import org.apache.commons.logging.Log;
import org.jspecify.annotations.Nullable;

/**
 * The limits of the direct memory of this JVM, which holds the bytes that are received.
 */
final class DirectMemory {

	private static final AtomicBoolean verified = new AtomicBoolean();

	private DirectMemory() {
	}

	/**
	 * Log a warning, once per JVM, if peers could use up its direct memory.
	 * @param logger the logger to use
	 * @param idleTimeout the idle timeout of the server, if it has one
	 */
	static void verifyLimit(Log logger, @Nullable Duration idleTimeout) {
		if (verified.compareAndSet(false, true) && !PlatformDependent.useDirectBufferNoCleaner()) {
			String warning = warning(PlatformDependent.maxDirectMemory(), PlatformDependent.estimateMaxDirectMemory(),
					idleTimeout);
			if (warning != null) {
				logger.warn(warning);
			}
		}
	}

	/**
	 * Return a warning if the limits let peers use up the direct memory of the JVM.
	 * @param netty how many bytes Netty allocates at most
	 * @param jvm how many bytes the JVM lets it allocate
	 * @param idleTimeout the idle timeout of the server, if it has one
	 */
	static @Nullable String warning(long netty, long jvm, @Nullable Duration idleTimeout) {
		if (netty < jvm) {
			return null;
		}
		return "Netty's limit of direct memory is not below that of the JVM, which is " + jvm + " bytes. If peers use"
				+ " up the memory of the JVM, each allocation blocks an event loop for up to half a second before it"
				+ " fails. Start the JVM with -XX:MaxDirectMemorySize=" + jvm + " -Dio.netty.maxDirectMemory="
				+ jvm / 5 * 4
				+ ((idleTimeout != null) ? ""
						: ". Unless clients keep pools of idle connections, set an idle timeout, too: without one,"
								+ " a peer that has left may keep its slot and its bytes"
								+ " in memory for as long as the handler does not read them");
	}

}
