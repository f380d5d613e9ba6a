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

package io.callosum.client;

import java.net.InetSocketAddress;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;

import io.callosum.transport.ThrottledLog;

/**
 * Logs failures of servers, at most once a minute for each server and kind of failure,
 * and without a stack trace, which would only show code of the client.
 */
final class FailureLog {

	private static final Log logger = LogFactory.getLog(CallosumClient.class);

	/**
	 * Limits the memory, because servers come and go.
	 */
	private static final int MAX_SIZE = 1000;

	private final String client;

	private final Map<Key, ThrottledLog> logs = new ConcurrentHashMap<>();

	FailureLog(String client) {
		this.client = client;
	}

	void log(InetSocketAddress server, Enum<?> kind, String message) {
		if (this.logs.size() >= MAX_SIZE) {
			this.logs.clear();
		}
		this.logs.computeIfAbsent(new Key(server, kind), (key) -> new ThrottledLog(logger::warn))
			.log("Callosum client '" + this.client + "', server " + server + ": " + message, null);
	}

	private record Key(InetSocketAddress server, Enum<?> kind) {
	}

}
