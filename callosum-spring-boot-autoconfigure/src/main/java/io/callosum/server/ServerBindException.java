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

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.UnknownHostException;
import java.nio.channels.UnresolvedAddressException;
import java.nio.channels.UnsupportedAddressTypeException;

import io.callosum.transport.SystemError;

/**
 * Thrown by {@link CallosumServer#start()} if the server cannot listen on its address.
 * The message contains the address and the reason.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public class ServerBindException extends RuntimeException {

	private static final int FIRST_UNPRIVILEGED_PORT = 1024;

	private static final int CONNECT_TIMEOUT_MILLIS = 1000;

	private final transient InetSocketAddress address;

	private final Reason reason;

	ServerBindException(InetSocketAddress address, Reason reason, Throwable cause) {
		super("Cannot listen on " + address.getHostString() + ":" + address.getPort() + ": "
				+ ((reason != Reason.OTHER) ? reason.text : describe(cause)), cause);
		this.address = address;
		this.reason = reason;
	}

	private static String describe(Throwable cause) {
		return (cause.getMessage() != null) ? cause.getMessage() : cause.toString();
	}

	static ServerBindException of(InetSocketAddress address, RuntimeException failure) {
		Throwable cause = failure;
		while (cause.getCause() != null && cause.getCause() != cause) {
			cause = cause.getCause();
		}
		return new ServerBindException(address, reason(address, cause), cause);
	}

	private static Reason reason(InetSocketAddress address, Throwable cause) {
		if (cause instanceof UnresolvedAddressException || cause instanceof UnknownHostException) {
			return Reason.UNKNOWN_HOST;
		}
		SystemError error = SystemError.of(cause);
		if (error != null) {
			return switch (error) {
				case ADDRESS_IN_USE -> Reason.PORT_IN_USE;
				case ACCESS_DENIED -> Reason.PERMISSION_DENIED;
				case ADDRESS_NOT_AVAILABLE, ADDRESS_FAMILY_NOT_SUPPORTED -> Reason.ADDRESS_NOT_AVAILABLE;
				default -> Reason.OTHER;
			};
		}
		return (cause instanceof SocketException || cause instanceof UnsupportedAddressTypeException) ? inspect(address)
				: Reason.OTHER;
	}

	/**
	 * Find out what is wrong with an address that NIO cannot listen on. Its exception
	 * gives the reason only in the language of the system.
	 */
	private static Reason inspect(InetSocketAddress address) {
		InetAddress host;
		try {
			host = (address.getAddress() != null) ? address.getAddress()
					: InetAddress.getByName(address.getHostString());
		}
		catch (UnknownHostException ex) {
			return Reason.UNKNOWN_HOST;
		}
		int port = address.getPort();
		if (!canBind(host, 0)) {
			return Reason.ADDRESS_NOT_AVAILABLE;
		}
		if (port == 0 || canBind(host, port)) {
			return Reason.OTHER;
		}
		return (port < FIRST_UNPRIVILEGED_PORT && !isListening(host, port)) ? Reason.PERMISSION_DENIED
				: Reason.PORT_IN_USE;
	}

	/**
	 * Bind without listening, so that no client can connect.
	 */
	private static boolean canBind(InetAddress host, int port) {
		try (Socket socket = new Socket()) {
			socket.setReuseAddress(true);
			socket.bind(new InetSocketAddress(host, port));
			return true;
		}
		catch (IOException ex) {
			return false;
		}
	}

	private static boolean isListening(InetAddress host, int port) {
		InetAddress target = host.isAnyLocalAddress() ? InetAddress.getLoopbackAddress() : host;
		try (Socket socket = new Socket()) {
			socket.connect(new InetSocketAddress(target, port), CONNECT_TIMEOUT_MILLIS);
			return true;
		}
		catch (IOException ex) {
			return false;
		}
	}

	/**
	 * Return the address that the server tried to listen on, which may be unresolved.
	 * @return the address
	 */
	public InetSocketAddress getAddress() {
		return this.address;
	}

	/**
	 * Return why the server cannot listen.
	 * @return the reason
	 */
	public Reason getReason() {
		return this.reason;
	}

	/**
	 * Why a server cannot listen on its address.
	 */
	public enum Reason {

		/**
		 * Another socket listens on the port.
		 */
		PORT_IN_USE("the port is already in use"),

		/**
		 * The process has no permission to listen on the port.
		 */
		PERMISSION_DENIED("permission denied"),

		/**
		 * No network interface of this machine has the address.
		 */
		ADDRESS_NOT_AVAILABLE("the address does not belong to this machine"),

		/**
		 * The host name cannot be resolved.
		 */
		UNKNOWN_HOST("unknown host"),

		/**
		 * Any other reason. See the cause.
		 */
		OTHER("");

		private final String text;

		Reason(String text) {
			this.text = text;
		}

	}

}
