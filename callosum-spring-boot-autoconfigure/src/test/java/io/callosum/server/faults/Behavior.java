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

package io.callosum.server.faults;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketAddress;
import java.net.UnknownHostException;

/**
 * What the {@link StandaloneApplication} does to a connection. The client chooses it by
 * its address, because nothing else is known when a slot is requested.
 */
enum Behavior {

	/**
	 * Let the allocator give the slot, and the server discard the bytes.
	 */
	NONE,

	// What happens to the bytes
	ECHO, LINES, FLOOD, TICK, STALL, COMPLETE, FAIL, CLOSE,

	// How the request for a slot is answered
	ASSIGN, ASSIGN_LATE, ASSIGN_TOO_LATE, ASSIGN_TWICE, ASSIGN_NEGATIVE, ASSIGN_TAKEN, ASSIGN_NOTHING, ASSIGN_FAILED,
	REJECT, NO_SLOT,

	// Which listener fails, and how
	REQUEST_ERROR, REQUEST_ERROR_AFTER_ANSWER, REQUEST_STACK_OVERFLOW, CONNECTION_ERROR, CONNECTION_STACK_OVERFLOW,
	CONNECTION_OUT_OF_MEMORY, FREE_ERROR, FREE_STACK_OVERFLOW;

	/**
	 * Return the client address for this behavior, which is in the same network of 32
	 * addresses as that of the server.
	 */
	InetAddress address(InetAddress server) {
		byte[] bytes = server.getAddress();
		bytes[3] = (byte) ((bytes[3] & ~31) + ordinal() + 1);
		try {
			return InetAddress.getByAddress(bytes);
		}
		catch (UnknownHostException ex) {
			throw new IllegalStateException(ex);
		}
	}

	/**
	 * Connect a client that asks for this behavior.
	 */
	Socket connect(InetSocketAddress server) {
		try {
			Socket socket = new Socket();
			socket.bind(new InetSocketAddress(address(server.getAddress()), 0));
			socket.connect(server, 30_000);
			return socket;
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	static Behavior of(SocketAddress client) {
		byte[] bytes = ((InetSocketAddress) client).getAddress().getAddress();
		return values()[(bytes[bytes.length - 1] & 31) - 1];
	}

	/**
	 * Return whether the client gets a slot.
	 */
	boolean isSlotAssigned() {
		return compareTo(ASSIGN_TOO_LATE) < 0 || this == ASSIGN_TWICE || compareTo(REQUEST_STACK_OVERFLOW) > 0;
	}

}
