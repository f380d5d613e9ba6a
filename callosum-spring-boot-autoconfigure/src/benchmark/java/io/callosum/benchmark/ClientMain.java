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

import java.io.BufferedReader;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.Deque;

import org.HdrHistogram.Histogram;

/**
 * The clients, in a process of their own, on one thread. The process reads questions as
 * lines from its standard input, writes answers as lines to its standard output, and ends
 * when its standard input does.
 * <dl>
 * <dt>{@code connect <port> <connections> <in flight>}
 * <dd>connect, read the slot line and close, this many times and this many at once;
 * answers with the nanoseconds that it took, and the 50th, 99th and 99.9th percentile of
 * the nanoseconds from the connect to the slot line
 * <dt>{@code echo <port> <connections> <bytes> <messages>}
 * <dd>send messages of this many bytes and wait for their echo; answers with the
 * nanoseconds that it took
 * <dt>{@code hold <port> <connections>}
 * <dd>keep this many connections open
 * </dl>
 *
 * @author The Callosum authors
 */
final class ClientMain {

	/**
	 * The side that closes first keeps the pair of addresses for a minute, and an address
	 * has 28,000 ports: with many addresses, the system does not have to search for a
	 * free port.
	 */
	private static final int ADDRESSES = 64;

	private static final long TIMEOUT_MILLIS = 10_000;

	private final Selector selector;

	private final ByteBuffer buffer = ByteBuffer.allocateDirect(64);

	private final Deque<SocketChannel> held = new ArrayDeque<>();

	private final Histogram histogram = new Histogram(3);

	private InetSocketAddress[] addresses = {};

	private int nextAddress;

	private ClientMain() throws IOException {
		this.selector = Selector.open();
	}

	public static void main(String[] args) throws IOException {
		ClientMain client = new ClientMain();
		BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
		for (String question = questions.readLine(); question != null; question = questions.readLine()) {
			String[] words = question.split(" ");
			client.setPort(Integer.parseInt(words[1]));
			switch (words[0]) {
				case "connect" ->
					System.out.println(client.connect(Integer.parseInt(words[2]), Integer.parseInt(words[3])));
				case "echo" -> System.out.println(echo(words));
				case "hold" -> System.out.println(client.hold(Integer.parseInt(words[2])));
				default -> throw new IllegalArgumentException(question);
			}
		}
		Runtime.getRuntime().halt(0);
	}

	private void setPort(int port) {
		this.addresses = new InetSocketAddress[ADDRESSES];
		for (int i = 0; i < ADDRESSES; i++) {
			this.addresses[i] = new InetSocketAddress("127.0.0." + (i + 1), port);
		}
	}

	private String connect(int connections, int inFlight) throws IOException {
		this.histogram.reset();
		long start = System.nanoTime();
		run(connections, inFlight, false);
		long elapsed = System.nanoTime() - start;
		return elapsed + " " + this.histogram.getValueAtPercentile(50) + " " + this.histogram.getValueAtPercentile(99)
				+ " " + this.histogram.getValueAtPercentile(99.9);
	}

	private static long echo(String[] words) throws IOException {
		try (EchoClient client = new EchoClient(Integer.parseInt(words[1]), Integer.parseInt(words[2]),
				Integer.parseInt(words[3]))) {
			return client.run(Integer.parseInt(words[4]));
		}
	}

	private int hold(int connections) throws IOException {
		if (connections > this.held.size()) {
			run(connections - this.held.size(), 64, true);
		}
		while (connections < this.held.size()) {
			this.held.removeLast().close();
		}
		this.selector.selectNow();
		return this.held.size();
	}

	private void run(int connections, int inFlight, boolean hold) throws IOException {
		int started = 0;
		int ended = 0;
		while (started < Math.min(connections, inFlight)) {
			open();
			started++;
		}
		while (ended < connections) {
			if (this.selector.select(TIMEOUT_MILLIS) == 0) {
				throw new IOException("No connection got its slot in " + TIMEOUT_MILLIS + " ms, " + ended + " had");
			}
			int more = 0;
			for (SelectionKey key : this.selector.selectedKeys()) {
				SocketChannel channel = (SocketChannel) key.channel();
				if (key.isConnectable()) {
					channel.finishConnect();
					key.interestOps(SelectionKey.OP_READ);
				}
				else if (read(channel)) {
					this.histogram.recordValue(System.nanoTime() - (Long) key.attachment());
					if (hold) {
						key.cancel();
						this.held.add(channel);
					}
					else {
						channel.close();
					}
					ended++;
					more++;
				}
			}
			this.selector.selectedKeys().clear();
			for (; more > 0 && started < connections; more--) {
				open();
				started++;
			}
		}
		this.selector.selectNow();
	}

	private void open() throws IOException {
		SocketChannel channel = SocketChannel.open();
		channel.configureBlocking(false);
		long start = System.nanoTime();
		// On the loopback interface it connects at once, but connect() returns false
		boolean connected = channel.connect(this.addresses[this.nextAddress++ % ADDRESSES]) || channel.finishConnect();
		channel.register(this.selector, connected ? SelectionKey.OP_READ : SelectionKey.OP_CONNECT, start);
	}

	private boolean read(SocketChannel channel) throws IOException {
		this.buffer.clear();
		if (channel.read(this.buffer) < 0) {
			throw new EOFException("Closed without a slot");
		}
		// The server writes the line at once
		return this.buffer.position() > 0 && this.buffer.get(this.buffer.position() - 1) == '\n';
	}

}
