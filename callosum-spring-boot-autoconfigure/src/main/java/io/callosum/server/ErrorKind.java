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

/**
 * The kinds of errors that a server reports. Each kind has a log rate of its own.
 */
enum ErrorKind {

	SLOT_REQUEST("Refused a connection", true),

	SLOT_TIMEOUT("Refused a connection that was not assigned a slot in time", false),

	LISTENER("A listener failed", true),

	RELEASE("The slot allocator failed to release a slot", true),

	HANDLER("The connection handler failed", true),

	ACCEPT("Cannot accept connections", false),

	MEMORY("Closed a connection for lack of memory", false),

	HANDSHAKE("A TLS handshake failed", false);

	final String message;

	/**
	 * Whether application code fails, rather than the peer or the system. Only then is a
	 * stack trace more useful than the message.
	 */
	final boolean isOfApplication;

	ErrorKind(String message, boolean isOfApplication) {
		this.message = message;
		this.isOfApplication = isOfApplication;
	}

}
