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
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.List;

/**
 * Many clients at once that mean no good. They read nothing, and leave by a reset.
 */
final class Peers implements AutoCloseable {

	private final List<SocketChannel> channels = new ArrayList<>();

	private Peers() {
	}

	static Peers connect(InetSocketAddress server, Behavior behavior, int count) {
		Peers peers = new Peers();
		try {
			for (int i = 0; i < count; i++) {
				peers.channels.add(connect(server, behavior));
			}
		}
		catch (IOException ex) {
			peers.close();
			throw new UncheckedIOException(ex);
		}
		return peers;
	}

	/**
	 * Let peers connect, send and leave at once, one after another.
	 */
	static void comeAndGo(InetSocketAddress server, Behavior behavior, byte[] bytes, int count) {
		for (int i = 0; i < count; i++) {
			try (Peers peers = connect(server, behavior, 1)) {
				peers.send(bytes);
			}
		}
	}

	private static SocketChannel connect(InetSocketAddress server, Behavior behavior) throws IOException {
		InetAddress address = behavior.address(server.getAddress());
		SocketChannel channel = SocketChannel.open();
		channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
		channel.setOption(StandardSocketOptions.SO_LINGER, 0);
		// What nobody reads fills it soon
		channel.setOption(StandardSocketOptions.SO_RCVBUF, 4096);
		channel.bind(new InetSocketAddress(address, 0));
		channel.connect(server);
		channel.configureBlocking(false);
		return channel;
	}

	/**
	 * Send from each as much of some bytes as its socket takes.
	 */
	void send(byte[] bytes) {
		ByteBuffer buffer = ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
		for (SocketChannel channel : this.channels) {
			try {
				channel.write(buffer.duplicate());
			}
			catch (IOException ex) {
				// The server has closed the connection
			}
		}
	}

	/**
	 * Leave in good order: what was sent stays for the server to read.
	 */
	void shutdownOutput() {
		for (SocketChannel channel : this.channels) {
			try {
				channel.shutdownOutput();
			}
			catch (IOException ex) {
				// The server has closed the connection
			}
		}
	}

	@Override
	public void close() {
		for (SocketChannel channel : this.channels) {
			try {
				channel.close();
			}
			catch (IOException ex) {
				throw new UncheckedIOException(ex);
			}
		}
	}

}
