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

package io.callosum.transport;

import org.slf4j.MDC;

import org.springframework.util.ClassUtils;

/**
 * The connection in the logging context (MDC) of a thread, if SLF4J is present.
 */
final class LoggingContext {

	private static final String CONNECTION = "callosum.connection";

	private static final boolean PRESENT = ClassUtils.isPresent("org.slf4j.MDC", LoggingContext.class.getClassLoader());

	private LoggingContext() {
	}

	/**
	 * Run code with the id of a connection in the logging context, and then restore the
	 * previous value.
	 */
	static void run(String connectionId, Runnable code) {
		if (!PRESENT) {
			code.run();
			return;
		}
		String outer = MDC.get(CONNECTION);
		MDC.put(CONNECTION, connectionId);
		try {
			code.run();
		}
		finally {
			if (outer != null) {
				MDC.put(CONNECTION, outer);
			}
			else {
				MDC.remove(CONNECTION);
			}
		}
	}

}
