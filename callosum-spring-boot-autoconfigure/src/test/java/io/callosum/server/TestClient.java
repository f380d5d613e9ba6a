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

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.nio.charset.StandardCharsets;

import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;

/**
 * A blocking client with generous timeouts.
 */
public final class TestClient implements AutoCloseable {

	private static final int TIMEOUT_MILLIS = 30_000;

	private final Socket socket;

	/**
	 * The underlying socket, below TLS if there is any.
	 */
	private final Socket raw;

	public TestClient(InetSocketAddress server) {
		this(server, new Socket());
	}

	/**
	 * Connect to a port of the loopback interface.
	 */
	public TestClient(int port) {
		this(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
	}

	/**
	 * Connect with a preconfigured socket.
	 */
	public TestClient(InetSocketAddress server, Socket socket) {
		this.socket = socket;
		this.raw = socket;
		try {
			this.socket.setSoTimeout(TIMEOUT_MILLIS);
			this.socket.setTcpNoDelay(true);
			if (!this.socket.isConnected()) {
				InetAddress address = server.getAddress().isAnyLocalAddress() ? InetAddress.getLoopbackAddress()
						: server.getAddress();
				this.socket.connect(new InetSocketAddress(address, server.getPort()), TIMEOUT_MILLIS);
			}
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	private TestClient(Socket socket, Socket raw) {
		this.socket = socket;
		this.raw = raw;
	}

	/**
	 * Connect and shake hands. If that fails, the client finds its connection closed.
	 */
	public static TestClient secure(InetSocketAddress server) {
		TestClient client = new TestClient(server);
		try {
			SSLSocket socket = TestTls.layeredSocket(client.raw);
			try {
				socket.startHandshake();
			}
			catch (SSLException | SocketException ex) {
				// The next read shows it
			}
			return new TestClient(socket, client.raw);
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	/**
	 * Return whether a server listens on a port of the loopback interface.
	 */
	public static boolean canConnect(int port) {
		try (Socket socket = new Socket()) {
			socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), TIMEOUT_MILLIS);
			return true;
		}
		catch (IOException ex) {
			return false;
		}
	}

	public Socket socket() {
		return this.socket;
	}

	public int readSlot() {
		String line = readLine();
		if (!line.matches("(0|[1-9][0-9]*)\r\n")) {
			throw new AssertionError("Not a slot line: '" + line + "'");
		}
		return Integer.parseInt(line.trim());
	}

	/**
	 * Read up to the end of a line, which is part of the result.
	 */
	public String readLine() {
		StringBuilder line = new StringBuilder();
		int read;
		while ((read = read()) != -1) {
			line.append((char) read);
			if (read == '\n') {
				break;
			}
		}
		return line.toString();
	}

	/**
	 * Read one byte.
	 * @return the byte, or -1 if the server has closed or reset the connection
	 */
	public int read() {
		try {
			return this.socket.getInputStream().read();
		}
		catch (SocketException | SSLException ex) {
			return -1;
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	public byte[] read(int length) {
		try {
			return this.socket.getInputStream().readNBytes(length);
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	/**
	 * Read until the server closes its side.
	 */
	public byte[] readAll() {
		try {
			InputStream in = this.socket.getInputStream();
			ByteArrayOutputStream bytes = new ByteArrayOutputStream();
			in.transferTo(bytes);
			return bytes.toByteArray();
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	public boolean isRefused() {
		return read() == -1;
	}

	public TestClient send(String text) {
		return send(text.getBytes(StandardCharsets.US_ASCII));
	}

	public TestClient send(byte[] bytes) {
		try {
			OutputStream out = this.socket.getOutputStream();
			out.write(bytes);
			out.flush();
			return this;
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	/**
	 * Leave with a FIN, or an RST if there are unread bytes.
	 */
	@Override
	public void close() {
		try {
			this.socket.close();
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	/**
	 * Leave with an RST.
	 */
	public void reset() {
		try {
			this.raw.setSoLinger(true, 0);
		}
		catch (SocketException ex) {
			// The server was faster
		}
		cut();
	}

	/**
	 * Leave with a FIN, or an RST if there are unread bytes, and without closing TLS
	 * first.
	 */
	public void cut() {
		try {
			this.raw.close();
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

}
