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

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A name server on a UDP and a TCP port with the same number on the loopback interface.
 */
final class TestDns implements AutoCloseable {

	private static final int A = 1;

	private static final int AAAA = 28;

	private static final int MAX_UDP = 512;

	private static final int TIMEOUT_MILLIS = 20_000;

	private static final int SERVFAIL = 2;

	private static final int NXDOMAIN = 3;

	private static final Answer UNKNOWN = new Answer(NXDOMAIN, 0, List.of(), true);

	private static final Answer SILENCE = new Answer(SERVFAIL, 0, List.of(), false);

	private final Map<String, Answer> answers = new ConcurrentHashMap<>();

	private final Map<String, AtomicInteger> queries = new ConcurrentHashMap<>();

	private final AtomicInteger overTcp = new AtomicInteger();

	private final DatagramSocket udp;

	private final ServerSocket tcp;

	TestDns() {
		try {
			this.tcp = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
			this.udp = new DatagramSocket(
					new InetSocketAddress(InetAddress.getLoopbackAddress(), this.tcp.getLocalPort()));
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
		start("dns-udp", this::serveUdp);
		start("dns-tcp", this::serveTcp);
	}

	private static void start(String name, Runnable task) {
		Thread thread = new Thread(task, name);
		thread.setDaemon(true);
		thread.start();
	}

	InetSocketAddress address() {
		return new InetSocketAddress(InetAddress.getLoopbackAddress(), this.tcp.getLocalPort());
	}

	/**
	 * Answer with addresses. If there are none of a type, the answer to queries for that
	 * type is empty.
	 */
	void answer(String name, int timeToLive, String... addresses) {
		this.answers.put(name, new Answer(0, timeToLive, List.of(addresses), true));
	}

	/**
	 * Answer queries for IPv4 addresses only, and never those for IPv6 addresses.
	 */
	void answerIpv4Only(String name, int timeToLive, String... addresses) {
		this.answers.put(name, new Answer(0, timeToLive, List.of(addresses), false));
	}

	void answerNxDomain(String name) {
		this.answers.put(name, new Answer(NXDOMAIN, 0, List.of(), true));
	}

	void answerServFail(String name) {
		this.answers.put(name, new Answer(SERVFAIL, 0, List.of(), true));
	}

	/**
	 * Leave queries unanswered.
	 */
	void silence(String name) {
		this.answers.put(name, SILENCE);
	}

	/**
	 * Return the number of queries for an IPv4 address.
	 */
	int queries(String name) {
		AtomicInteger count = this.queries.get(name);
		return (count != null) ? count.get() : 0;
	}

	/**
	 * Return the same number, once all queries that have been sent are counted.
	 */
	int queriesSent(String name) {
		try (DatagramSocket probe = new DatagramSocket()) {
			probe.setSoTimeout(TIMEOUT_MILLIS);
			probe.send(new DatagramPacket(new byte[0], 0, address()));
			probe.receive(new DatagramPacket(new byte[0], 0));
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
		return queries(name);
	}

	int queriesOverTcp() {
		return this.overTcp.get();
	}

	private void serveUdp() {
		byte[] buffer = new byte[4096];
		while (!this.udp.isClosed()) {
			try {
				DatagramPacket packet = new DatagramPacket(buffer, buffer.length);
				this.udp.receive(packet);
				// An empty packet is answered with an empty packet
				byte[] response = (packet.getLength() == 0) ? new byte[0]
						: respond(ByteBuffer.wrap(packet.getData(), 0, packet.getLength()), MAX_UDP);
				if (response != null) {
					this.udp.send(new DatagramPacket(response, response.length, packet.getSocketAddress()));
				}
			}
			catch (IOException ex) {
				// Closed
			}
		}
	}

	private void serveTcp() {
		while (!this.tcp.isClosed()) {
			try (Socket socket = this.tcp.accept()) {
				DataInputStream in = new DataInputStream(socket.getInputStream());
				byte[] query = new byte[in.readUnsignedShort()];
				in.readFully(query);
				this.overTcp.incrementAndGet();
				byte[] response = respond(ByteBuffer.wrap(query), Integer.MAX_VALUE);
				if (response != null) {
					DataOutputStream out = new DataOutputStream(socket.getOutputStream());
					out.writeShort(response.length);
					out.write(response);
					out.flush();
					in.read();
				}
			}
			catch (IOException ex) {
				// Closed
			}
		}
	}

	private byte[] respond(ByteBuffer query, int limit) throws IOException {
		int id = query.getShort();
		query.position(query.position() + 10);
		int start = query.position();
		StringBuilder name = new StringBuilder();
		int length;
		while ((length = query.get()) != 0) {
			byte[] label = new byte[length];
			query.get(label);
			name.append(name.isEmpty() ? "" : ".").append(new String(label, StandardCharsets.US_ASCII));
		}
		int type = query.getShort();
		query.getShort();
		byte[] question = new byte[query.position() - start];
		query.position(start);
		query.get(question);
		if (type == A) {
			this.queries.computeIfAbsent(name.toString(), (key) -> new AtomicInteger()).incrementAndGet();
		}
		Answer answer = this.answers.getOrDefault(name.toString(), UNKNOWN);
		if (answer == SILENCE || (type == AAAA && !answer.ipv6)) {
			return null;
		}
		List<byte[]> addresses = answer.addresses.stream()
			.map(TestDns::parse)
			.filter((address) -> address.length == ((type == AAAA) ? 16 : 4))
			.toList();
		ByteArrayOutputStream bytes = new ByteArrayOutputStream();
		DataOutputStream out = new DataOutputStream(bytes);
		int fitting = 0;
		for (byte[] address : addresses) {
			if (12 + question.length + (fitting + 1) * (12 + address.length) > limit) {
				break;
			}
			fitting++;
		}
		boolean truncated = fitting < addresses.size();
		out.writeShort(id);
		out.writeShort(0x8180 | (truncated ? 0x0200 : 0) | answer.code);
		out.writeShort(1);
		out.writeShort(fitting);
		out.writeInt(0);
		out.write(question);
		for (byte[] address : addresses.subList(0, fitting)) {
			out.writeShort(0xc00c);
			out.writeShort(type);
			out.writeShort(1);
			out.writeInt(answer.timeToLive);
			out.writeShort(address.length);
			out.write(address);
		}
		return bytes.toByteArray();
	}

	private static byte[] parse(String address) {
		try {
			return InetAddress.getByName(address).getAddress();
		}
		catch (UnknownHostException ex) {
			throw new IllegalArgumentException(ex);
		}
	}

	@Override
	public void close() {
		try {
			this.udp.close();
			this.tcp.close();
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	private record Answer(int code, int timeToLive, List<String> addresses, boolean ipv6) {
	}

}
