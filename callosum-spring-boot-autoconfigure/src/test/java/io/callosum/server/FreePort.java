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

import java.io.IOException;
import java.net.ServerSocket;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A port for servers that bind to it more than once. The system does not assign it to a
 * client in the meantime, as it may do with a port that it has chosen itself. No other
 * process of the same build gets it either, because each has its own range.
 */
public final class FreePort {

	private static final int PORTS = 1000;

	/**
	 * The range starts at 21,000 in the first process, or if there is only one. The tests
	 * of the sample use the ports below.
	 */
	private static final int FIRST = 20_000 + PORTS * Integer.getInteger("surefire.forkNumber", 1);

	/**
	 * Starts anywhere, because builds may run side by side.
	 */
	private static final AtomicInteger next = new AtomicInteger(ThreadLocalRandom.current().nextInt(PORTS));

	private FreePort() {
	}

	/**
	 * Return a port that is free on all addresses, and outside the range that the system
	 * uses for clients.
	 * @return the port
	 */
	public static int find() {
		while (true) {
			int port = FIRST + Math.floorMod(next.getAndIncrement(), PORTS);
			try (ServerSocket socket = new ServerSocket(port, 1)) {
				return socket.getLocalPort();
			}
			catch (IOException ex) {
				// In use, so try the next one
			}
		}
	}

}
