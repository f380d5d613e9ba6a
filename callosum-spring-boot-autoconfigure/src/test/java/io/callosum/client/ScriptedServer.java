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
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;

import io.netty.pkitesting.X509Bundle;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * A server that behaves like the original JavaScript server of 2013 unless it has another
 * script: each connection gets the lowest free number and CR LF in one write, and after
 * that the server sends nothing of its own accord.
 */
final class ScriptedServer implements AutoCloseable {

	private static final int TIMEOUT_MILLIS = 120_000;

	private static final Map<InetSocketAddress, ScriptedServer> listeningServers = new ConcurrentHashMap<>();

	private final BlockingQueue<Peer> accepted = new LinkedBlockingQueue<>();

	private final Set<Peer> open = ConcurrentHashMap.newKeySet();

	private final AtomicInteger accepts = new AtomicInteger();

	private final AtomicInteger served = new AtomicInteger();

	private final AtomicInteger probes = new AtomicInteger();

	/**
	 * The ports of all clients so far.
	 */
	private final Set<Integer> ports = ConcurrentHashMap.newKeySet();

	private final ServerSocket listening;

	private final SSLContext tls;

	private volatile Script script = Script.ASSIGN_SLOT;

	ScriptedServer(boolean secure) {
		this(secure ? ClientTls.LOCALHOST : null);
	}

	ScriptedServer(X509Bundle certificate) {
		this(certificate, "127.0.0.1", 0);
	}

	ScriptedServer(X509Bundle certificate, String address, int port) {
		try {
			this.tls = (certificate != null) ? context(certificate) : null;
			this.listening = new ServerSocket(port, 200, InetAddress.getByName(address));
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
		listeningServers.put((InetSocketAddress) this.listening.getLocalSocketAddress(), this);
		start(this::accept);
	}

	/**
	 * Return the server that listens on an address, or {@code null} if it is a server of
	 * another kind.
	 */
	static ScriptedServer at(InetSocketAddress address) {
		return listeningServers.get(address);
	}

	private static SSLContext context(X509Bundle certificate) {
		try {
			SSLContext context = SSLContext.getInstance("TLS");
			context.init(certificate.toKeyManagerFactory().getKeyManagers(), null, null);
			return context;
		}
		catch (GeneralSecurityException ex) {
			throw new IllegalStateException(ex);
		}
	}

	/**
	 * Set what happens to connections from now on.
	 */
	ScriptedServer script(Script script) {
		this.script = script;
		return this;
	}

	private static void start(Runnable task) {
		Thread thread = new Thread(task, "scripted-server");
		thread.setDaemon(true);
		thread.start();
	}

	/**
	 * Return the address, with the name that is in the certificate.
	 */
	InetSocketAddress address() {
		try {
			return new InetSocketAddress(InetAddress.getByAddress("localhost", new byte[] { 127, 0, 0, 1 }),
					this.listening.getLocalPort());
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	private void accept() {
		try {
			while (true) {
				Socket socket = this.listening.accept();
				this.accepts.incrementAndGet();
				this.ports.add(socket.getPort());
				start(() -> serve(socket));
			}
		}
		catch (IOException ex) {
			// Closed
		}
	}

	private void serve(Socket raw) {
		Peer peer = null;
		try {
			raw.setSoTimeout(TIMEOUT_MILLIS);
			raw.setTcpNoDelay(true);
			Socket socket = raw;
			if (this.tls != null && this.script.handshakes()) {
				SSLSocket secure = (SSLSocket) this.tls.getSocketFactory().createSocket(raw, null, true);
				secure.setUseClientMode(false);
				secure.startHandshake();
				socket = secure;
			}
			peer = admit(socket, raw);
			this.script.accepted(peer);
			this.accepted.add(peer);
		}
		catch (IOException | UncheckedIOException ex) {
			// The client has left
			if (peer != null) {
				this.open.remove(peer);
			}
			try {
				raw.close();
			}
			catch (IOException closing) {
				throw new UncheckedIOException(closing);
			}
		}
		finally {
			this.served.incrementAndGet();
		}
	}

	/**
	 * Register a client with the lowest free slot.
	 */
	private synchronized Peer admit(Socket socket, Socket raw) {
		int slot = 0;
		List<Integer> taken = new ArrayList<>();
		this.open.forEach((peer) -> taken.add(peer.slot));
		while (taken.contains(slot)) {
			slot++;
		}
		Peer peer = new Peer(socket, raw, slot);
		this.open.add(peer);
		return peer;
	}

	/**
	 * Wait for the next connection whose script has run.
	 */
	Peer awaitPeer() {
		try {
			Peer peer = this.accepted.poll(20, TimeUnit.SECONDS);
			if (peer == null) {
				throw new AssertionError("Nobody has connected");
			}
			return peer;
		}
		catch (InterruptedException ex) {
			throw new IllegalStateException(ex);
		}
	}

	/**
	 * Return the first line that the server has sent to the client with a port, including
	 * the line ending, or {@code null} if there is no such client.
	 */
	String firstLine(int clientPort) {
		return this.open.stream()
			.filter((peer) -> peer.raw.getPort() == clientPort)
			.map((peer) -> peer.firstLine.toString())
			.findFirst()
			.orElse(null);
	}

	/**
	 * Wait until there has been a client, and all of them have closed their connections,
	 * some perhaps before the script could do anything.
	 */
	void awaitAllClosed() {
		TestNetwork.await("served", () -> assertThat(this.served).hasPositiveValue().hasValue(this.accepts.get()));
		Peer peer;
		while ((peer = this.accepted.poll()) != null) {
			peer.awaitClose();
		}
	}

	/**
	 * Wait until the server has noticed that all clients have left.
	 */
	void awaitNobody() {
		TestNetwork.await("nobody", () -> assertThat(this.open).isEmpty());
	}

	int accepts() {
		return this.accepts.get() - this.probes.get();
	}

	/**
	 * Return the same count, once all connections that the system has established are
	 * accepted.
	 */
	int acceptsOfAll() {
		try (Socket probe = new Socket(this.listening.getInetAddress(), this.listening.getLocalPort())) {
			TestNetwork.await("accepted", () -> assertThat(this.ports).contains(probe.getLocalPort()));
			this.probes.incrementAndGet();
			return accepts();
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	@Override
	public void close() {
		try {
			listeningServers.remove(this.listening.getLocalSocketAddress());
			this.listening.close();
			this.open.forEach(Peer::close);
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	/**
	 * What happens to a new connection.
	 */
	@FunctionalInterface
	interface Script {

		/**
		 * Assigns the slot, as the original server does.
		 */
		Script ASSIGN_SLOT = (peer) -> peer.send(peer.slot + "\r\n");

		void accepted(Peer peer) throws IOException;

		default boolean handshakes() {
			return true;
		}

		/**
		 * Never answer, not even the first message of TLS.
		 */
		static Script silent() {
			return new Script() {

				@Override
				public void accepted(Peer peer) {
				}

				@Override
				public boolean handshakes() {
					return false;
				}

			};
		}

		/**
		 * Send bytes at once, instead of a slot line.
		 */
		static Script send(String text) {
			return (peer) -> peer.send(text);
		}

		/**
		 * Assign a slot, and echo lines.
		 */
		static Script echo() {
			return (peer) -> {
				peer.send(peer.slot + "\r\n");
				start(() -> {
					try {
						String line;
						while (!(line = peer.readLine()).isEmpty()) {
							peer.send(line);
						}
						peer.close();
					}
					catch (UncheckedIOException ex) {
						// The client has left
						peer.close();
					}
				});
			};
		}

	}

	/**
	 * The server's end of a connection.
	 */
	final class Peer {

		private final Socket socket;

		private final Socket raw;

		private final int slot;

		private final StringBuffer firstLine = new StringBuffer();

		private Peer(Socket socket, Socket raw, int slot) {
			this.socket = socket;
			this.raw = raw;
			this.slot = slot;
		}

		int slot() {
			return this.slot;
		}

		Peer send(String text) {
			if (this.firstLine.indexOf("\n") < 0) {
				int end = text.indexOf('\n');
				this.firstLine.append((end < 0) ? text : text.substring(0, end + 1));
			}
			try {
				this.socket.getOutputStream().write(text.getBytes(StandardCharsets.ISO_8859_1));
				this.socket.getOutputStream().flush();
				return this;
			}
			catch (IOException ex) {
				throw new UncheckedIOException(ex);
			}
		}

		/**
		 * Read a line, including its line ending. Returns an empty string at the end of
		 * the stream.
		 */
		String readLine() {
			try {
				ByteArrayOutputStream line = new ByteArrayOutputStream();
				InputStream in = this.socket.getInputStream();
				int read;
				while ((read = in.read()) != -1) {
					line.write(read);
					if (read == '\n') {
						break;
					}
				}
				return line.toString(StandardCharsets.ISO_8859_1);
			}
			catch (IOException ex) {
				throw new UncheckedIOException(ex);
			}
		}

		/**
		 * Read until the client has closed.
		 * @return whether it closed the connection cleanly
		 */
		boolean awaitClose() {
			try {
				this.socket.getInputStream().transferTo(OutputStream.nullOutputStream());
				return true;
			}
			catch (IOException ex) {
				return false;
			}
			finally {
				close();
			}
		}

		/**
		 * Close with a FIN; with TLS, a close_notify comes first.
		 */
		void close() {
			ScriptedServer.this.open.remove(this);
			try {
				this.socket.close();
			}
			catch (IOException ex) {
				throw new UncheckedIOException(ex);
			}
		}

		/**
		 * Close without a TLS close_notify.
		 */
		void cut() {
			ScriptedServer.this.open.remove(this);
			try {
				this.raw.close();
			}
			catch (IOException ex) {
				throw new UncheckedIOException(ex);
			}
		}

		/**
		 * Close the sending side only.
		 */
		void shutdownOutput() {
			ScriptedServer.this.open.remove(this);
			try {
				this.socket.shutdownOutput();
			}
			catch (IOException ex) {
				throw new UncheckedIOException(ex);
			}
		}

		void reset() {
			try {
				this.raw.setSoLinger(true, 0);
			}
			catch (IOException ex) {
				throw new UncheckedIOException(ex);
			}
			cut();
		}

	}

}
