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

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

import org.apache.commons.logging.Log;
import org.jspecify.annotations.Nullable;

import io.callosum.transport.ThrottledLog;

/**
 * Logs errors, each kind at most once a minute. Errors of application code are
 * distinguished by their class and origin, so that one bug does not hide another.
 */
final class ErrorLog {

	/**
	 * How many errors are distinguished. Beyond that, errors of the same kind share a
	 * rate.
	 */
	private static final int MAX_SIZE = 100;

	private final Map<Key, ThrottledLog> logs = new ConcurrentHashMap<>();

	private final Log logger;

	ErrorLog(Log logger) {
		this.logger = logger;
	}

	void log(ErrorKind kind, String message, Throwable error, boolean stackTrace) {
		Key key = new Key(kind, null, null);
		if (kind.isOfApplication) {
			Key ofPlace = new Key(kind, error.getClass(), place(error));
			if (this.logs.containsKey(ofPlace) || this.logs.size() < MAX_SIZE) {
				key = ofPlace;
			}
		}
		this.logs.computeIfAbsent(key, (any) -> new ThrottledLog(this.logger::warn))
			.log(message, stackTrace ? error : null);
	}

	private static @Nullable StackTraceElement place(Throwable error) {
		if (error instanceof VirtualMachineError) {
			// Its origin is wherever the stack or the memory happened to run out
			return null;
		}
		StackTraceElement[] stackTrace = error.getStackTrace();
		return (stackTrace.length > 0) ? stackTrace[0] : null;
	}

	private record Key(ErrorKind kind, @Nullable Class<?> type, @Nullable StackTraceElement place) {
	}

}
