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

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.util.ArrayList;
import java.util.List;

/**
 * A server that accepts nothing and whose accept queue is full, so that the system drops
 * the first packet of each connection.
 */
final class FullServer implements AutoCloseable {

	private static final int MAX_QUEUE = 100;

	private final ServerSocket listening = new ServerSocket(0, 1, InetAddress.getByName("127.0.0.1"));

	private final List<Socket> queue = new ArrayList<>();

	FullServer() throws IOException {
		while (connects()) {
			if (this.queue.size() > MAX_QUEUE) {
				throw new IllegalStateException("The accept queue takes any number of connections");
			}
		}
	}

	private boolean connects() throws IOException {
		Socket socket = new Socket();
		try {
			socket.connect(this.listening.getLocalSocketAddress(), 500);
			this.queue.add(socket);
			return true;
		}
		catch (SocketTimeoutException ex) {
			socket.close();
			return false;
		}
	}

	InetSocketAddress address() {
		return (InetSocketAddress) this.listening.getLocalSocketAddress();
	}

	@Override
	public void close() throws IOException {
		this.listening.close();
		for (Socket socket : this.queue) {
			socket.close();
		}
	}

}
