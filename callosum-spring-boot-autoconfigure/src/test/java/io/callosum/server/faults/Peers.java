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
import java.util.Collections;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Many hostile clients at once. They leave with a reset.
 */
final class Peers implements AutoCloseable {

	private final List<SocketChannel> channels = new ArrayList<>();

	private Peers() {
	}

	static Peers none() {
		return new Peers();
	}

	static Peers connect(InetSocketAddress server, Behavior behavior, int count) {
		return connect(server, Collections.nCopies(count, behavior.address(server.getAddress())));
	}

	/**
	 * Connect one peer from each address.
	 */
	static Peers connect(InetSocketAddress server, List<InetAddress> addresses) {
		Peers peers = new Peers();
		try {
			for (InetAddress address : addresses) {
				peers.channels.add(connect(server, address));
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
	 * @return none
	 */
	static Peers comeAndGo(InetSocketAddress server, Behavior behavior, byte[] bytes, int count) {
		for (int i = 0; i < count; i++) {
			try (Peers peers = connect(server, behavior, 1)) {
				peers.send(bytes);
			}
		}
		return none();
	}

	private static SocketChannel connect(InetSocketAddress server, InetAddress address) throws IOException {
		SocketChannel channel = SocketChannel.open();
		channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
		channel.setOption(StandardSocketOptions.SO_LINGER, 0);
		// Fills up soon if nobody reads
		channel.setOption(StandardSocketOptions.SO_RCVBUF, 4096);
		channel.bind(new InetSocketAddress(address, 0));
		channel.connect(server);
		channel.configureBlocking(false);
		return channel;
	}

	/**
	 * Let each peer send as many of some bytes as its socket takes.
	 */
	Peers send(byte[] bytes) {
		ByteBuffer buffer = ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
		for (SocketChannel channel : this.channels) {
			try {
				channel.write(buffer.duplicate());
			}
			catch (IOException ex) {
				// The server has closed the connection
			}
		}
		return this;
	}

	/**
	 * Leave gracefully: what was sent remains for the server to read.
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

	/**
	 * Wait until each peer has received a slot or a refusal.
	 * @return how many have one
	 */
	int awaitSlots() {
		List<SocketChannel> waiting = new ArrayList<>(this.channels);
		ByteBuffer line = ByteBuffer.allocate(16);
		AtomicInteger slots = new AtomicInteger();
		ApplicationProcess.await("slots", () -> {
			waiting.removeIf((channel) -> {
				int read = read(channel, line.clear());
				slots.addAndGet((read > 0) ? 1 : 0);
				return read != 0;
			});
			assertThat(waiting).isEmpty();
		});
		return slots.get();
	}

	private static int read(SocketChannel channel, ByteBuffer buffer) {
		try {
			return channel.read(buffer);
		}
		catch (IOException ex) {
			// The server has closed the connection
			return -1;
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
