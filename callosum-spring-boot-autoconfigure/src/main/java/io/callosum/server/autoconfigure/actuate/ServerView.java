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

package io.callosum.server.autoconfigure.actuate;

import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.Collection;

import io.netty.util.NetUtil;
import org.jspecify.annotations.Nullable;

import io.callosum.server.CallosumConnection;
import io.callosum.server.CallosumServer;

/**
 * The state of a server in the terms that health, endpoint and info share.
 */
final class ServerView {

	private ServerView() {
	}

	static State state(CallosumServer server) {
		if (server.isStopping()) {
			return State.STOPPING;
		}
		if (!server.isRunning()) {
			return State.STOPPED;
		}
		// A stop may have begun in the meantime
		return (server.isListening() || server.isStopping()) ? State.RUNNING : State.FAILED;
	}

	static @Nullable String address(CallosumServer server) {
		InetSocketAddress address = server.address();
		return (address != null) ? toString(address) : null;
	}

	static String toString(SocketAddress address) {
		return (address instanceof InetSocketAddress inetAddress) ? NetUtil.toSocketAddressString(inetAddress)
				: address.toString();
	}

	/**
	 * Return the highest slot in use.
	 * @param connections connections ordered by slot
	 * @return the slot, or {@code null} if there is no connection
	 */
	static @Nullable Integer highestSlot(Collection<CallosumConnection> connections) {
		Integer highest = null;
		for (CallosumConnection connection : connections) {
			highest = connection.slot();
		}
		return highest;
	}

	enum State {

		/**
		 * The server accepts connections.
		 */
		RUNNING("running"),

		/**
		 * The server is stopping and drains its connections.
		 */
		STOPPING("stopping"),

		/**
		 * The server has not been started or has stopped.
		 */
		STOPPED("stopped"),

		/**
		 * The server runs, but its port was closed by something other than a stop.
		 */
		FAILED("failed");

		private final String text;

		State(String text) {
			this.text = text;
		}

		@Override
		public String toString() {
			return this.text;
		}

	}

}
