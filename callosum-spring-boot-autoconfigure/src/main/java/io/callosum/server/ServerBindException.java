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

import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.channels.UnresolvedAddressException;

/**
 * Thrown by {@link CallosumServer#start()} if the server cannot listen on its address.
 * The message names the address and the reason.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public class ServerBindException extends RuntimeException {

	private final transient InetSocketAddress address;

	private final Reason reason;

	ServerBindException(InetSocketAddress address, Reason reason, Throwable cause) {
		super("Cannot listen on " + address.getHostString() + ":" + address.getPort() + ": "
				+ ((reason != Reason.OTHER) ? reason.text : cause.getMessage()), cause);
		this.address = address;
		this.reason = reason;
	}

	static ServerBindException of(InetSocketAddress address, RuntimeException failure) {
		Throwable cause = failure;
		while (cause.getCause() != null && cause.getCause() != cause) {
			cause = cause.getCause();
		}
		return new ServerBindException(address, reason(cause), cause);
	}

	private static Reason reason(Throwable cause) {
		if (cause instanceof UnresolvedAddressException || cause instanceof UnknownHostException) {
			return Reason.UNKNOWN_HOST;
		}
		// The words are those of the system, the same from NIO and the native transports
		String message = String.valueOf(cause.getMessage());
		if (message.contains("in use")) {
			return Reason.PORT_IN_USE;
		}
		if (message.contains("ermission denied")) {
			return Reason.PERMISSION_DENIED;
		}
		if (message.contains("assign requested address")) {
			return Reason.ADDRESS_NOT_AVAILABLE;
		}
		return Reason.OTHER;
	}

	/**
	 * Return the address that the server was to listen on, which may be unresolved.
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
		 * The process may not listen on the port.
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
		 * Anything else, see the cause.
		 */
		OTHER("");

		private final String text;

		Reason(String text) {
			this.text = text;
		}

	}

}
