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
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.Parameter;

import io.callosum.server.TestClient;
import io.callosum.server.Transport;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Faults of an application that runs in a process of its own, and its clients.
 */
abstract class ApplicationFaults {

	@Parameter
	Transport transport;

	@TempDir
	Path directory;

	final List<TestClient> clients = new ArrayList<>();

	ApplicationProcess application;

	private final List<SocketChannel> channels = new ArrayList<>();

	@AfterEach
	void end() throws IOException {
		closeClients();
		closeChannels();
		if (this.application != null) {
			try (ApplicationProcess application = this.application) {
				if (application.isAlive()) {
					application.awaitNothingLeft();
				}
			}
		}
	}

	ApplicationProcess.Launcher launcher() {
		return ApplicationProcess.launcher(this.directory, this.transport);
	}

	TestClient connect() {
		return connect(Behavior.NONE);
	}

	/**
	 * Connect a client that is treated in a certain way, and closed at the end.
	 */
	TestClient connect(Behavior behavior) {
		InetSocketAddress address = this.application.address();
		TestClient client = new TestClient(address, behavior.connect(address));
		this.clients.add(client);
		return client;
	}

	/**
	 * Connect the given number of clients, and read their slots.
	 */
	List<TestClient> connect(Behavior behavior, int count) {
		List<TestClient> clients = IntStream.range(0, count).mapToObj((i) -> connect(behavior)).toList();
		clients.forEach(TestClient::readSlot);
		return clients;
	}

	void closeClients() {
		this.clients.forEach(TestClient::close);
		this.clients.clear();
	}

	void closeChannels() throws IOException {
		for (SocketChannel channel : this.channels) {
			channel.close();
		}
		this.channels.clear();
	}

	void verifyNextSlotIsZero() {
		ApplicationProcess.await("slot 0", () -> {
			try (TestClient client = connect()) {
				assertThat(client.readSlot()).isZero();
			}
		});
	}

	/**
	 * Connect the given number of clients, and wait for nothing.
	 */
	void connect(Selector selector, int count) throws IOException {
		InetSocketAddress address = this.application.address();
		for (int i = 0; i < count; i++) {
			SocketChannel channel = SocketChannel.open();
			this.channels.add(channel);
			channel.configureBlocking(false);
			channel.bind(new InetSocketAddress(Behavior.NONE.address(address.getAddress()), 0));
			channel.connect(address);
			channel.register(selector, SelectionKey.OP_CONNECT, new StringBuilder());
		}
	}

	/**
	 * Read the slot lines of at least the given number of clients.
	 */
	static List<Integer> readSlots(Selector selector, int count) throws IOException {
		List<Integer> slots = new ArrayList<>();
		long deadline = System.nanoTime() + TimeUnit.MINUTES.toNanos(1);
		while (slots.size() < count && System.nanoTime() - deadline < 0) {
			selector.select((key) -> {
				try {
					SocketChannel channel = (SocketChannel) key.channel();
					StringBuilder line = (StringBuilder) key.attachment();
					if (key.isConnectable()) {
						channel.finishConnect();
						key.interestOps(SelectionKey.OP_READ);
						return;
					}
					ByteBuffer buffer = ByteBuffer.allocate(16);
					assertThat(channel.read(buffer)).isPositive();
					line.append(new String(buffer.array(), 0, buffer.position(), StandardCharsets.US_ASCII));
					if (line.toString().endsWith("\r\n")) {
						slots.add(Integer.valueOf(line.toString().trim()));
						key.cancel();
					}
				}
				catch (IOException ex) {
					throw new UncheckedIOException(ex);
				}
			}, 1000);
		}
		return slots;
	}

}
