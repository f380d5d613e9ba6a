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

import java.io.IOException;

/**
 * What an NIO socket channel throws.
 *
 * @author The Callosum authors
 */
public final class SocketErrors {

	private SocketErrors() {
	}

	/**
	 * Return the error of a connection that its peer has reset, with the German message
	 * of Linux.
	 */
	public static IOException reset() {
		IOException error = new IOException("Die Verbindung wurde vom Kommunikationspartner zurückgesetzt");
		error.setStackTrace(new StackTraceElement[] {
				new StackTraceElement("sun.nio.ch.SocketDispatcher", "read0", "SocketDispatcher.java", -2),
				new StackTraceElement("sun.nio.ch.SocketChannelImpl", "read", "SocketChannelImpl.java", 1) });
		return error;
	}

}
