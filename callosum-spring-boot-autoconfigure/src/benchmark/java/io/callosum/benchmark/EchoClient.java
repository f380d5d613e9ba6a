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

package io.callosum.benchmark;

import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * Sends messages on a number of connections, each message when the previous one has come
 * back on its connection, and compares every byte.
 *
 * @author The Callosum authors
 */
final class EchoClient implements AutoCloseable {

	private static final long TIMEOUT_MILLIS = 10_000;

	private final Selector selector = Selector.open();

	private final ByteBuffer buffer = ByteBuffer.allocateDirect(256 * 1024);

	private final ByteBuffer message;

	private final List<Echo> echoes = new ArrayList<>();

	EchoClient(int port, int connections, int bytes) throws IOException {
		byte[] random = new byte[bytes];
		new Random(1).nextBytes(random);
		this.message = ByteBuffer.allocateDirect(bytes).put(random).flip();
		for (int i = 0; i < connections; i++) {
			this.echoes.add(new Echo(SocketChannel.open(new InetSocketAddress("127.0.0.1", port))));
		}
	}

	/**
	 * Send this many messages in total, and return the nanoseconds that it took.
	 */
	long run(int messages) throws IOException {
		long start = System.nanoTime();
		int sent = 0;
		for (; sent < Math.min(messages, this.echoes.size()); sent++) {
			this.echoes.get(sent).send();
		}
		for (int ended = 0; ended < messages;) {
			if (this.selector.select(TIMEOUT_MILLIS) == 0) {
				throw new IOException("No echo in " + TIMEOUT_MILLIS + " ms, " + ended + " were there");
			}
			for (SelectionKey key : this.selector.selectedKeys()) {
				Echo echo = (Echo) key.attachment();
				if (key.isWritable()) {
					echo.write();
				}
				if (key.isReadable() && echo.read()) {
					ended++;
					if (sent < messages) {
						sent++;
						echo.send();
					}
				}
			}
			this.selector.selectedKeys().clear();
		}
		return System.nanoTime() - start;
	}

	@Override
	public void close() throws IOException {
		for (Echo echo : this.echoes) {
			echo.channel.close();
		}
		this.selector.close();
	}

	/**
	 * A connection with one message in flight.
	 */
	private final class Echo {

		private final SocketChannel channel;

		private final SelectionKey key;

		private final ByteBuffer unsent = EchoClient.this.message.duplicate();

		private int received;

		Echo(SocketChannel channel) throws IOException {
			this.channel = channel;
			readSlotLine();
			channel.configureBlocking(false);
			this.key = channel.register(EchoClient.this.selector, SelectionKey.OP_READ, this);
		}

		private void readSlotLine() throws IOException {
			ByteBuffer line = ByteBuffer.allocate(64);
			while (line.position() == 0 || line.get(line.position() - 1) != '\n') {
				if (this.channel.read(line) < 0) {
					throw new EOFException("Closed without a slot");
				}
			}
		}

		void send() throws IOException {
			this.unsent.rewind();
			this.received = 0;
			write();
		}

		void write() throws IOException {
			this.channel.write(this.unsent);
			this.key.interestOps(
					this.unsent.hasRemaining() ? SelectionKey.OP_READ | SelectionKey.OP_WRITE : SelectionKey.OP_READ);
		}

		/**
		 * Return whether the whole message has come back.
		 */
		boolean read() throws IOException {
			ByteBuffer buffer = EchoClient.this.buffer.clear();
			int bytes = this.channel.read(buffer);
			if (bytes < 0) {
				throw new EOFException("Closed before all had come back");
			}
			ByteBuffer message = EchoClient.this.message;
			if (bytes > message.capacity() - this.received
					|| !buffer.flip().equals(message.slice(this.received, bytes))) {
				throw new IOException("Not what was sent");
			}
			this.received += bytes;
			return this.received == message.capacity();
		}

	}

}
