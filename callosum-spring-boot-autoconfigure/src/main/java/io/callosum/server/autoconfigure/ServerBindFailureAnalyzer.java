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

package io.callosum.server.autoconfigure;

import java.net.InetSocketAddress;

import org.jspecify.annotations.Nullable;

import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;

import io.callosum.server.ServerBindException;

/**
 * {@link AbstractFailureAnalyzer} for a {@link ServerBindException}.
 */
final class ServerBindFailureAnalyzer extends AbstractFailureAnalyzer<ServerBindException> {

	private static final String SET_HOST = "Set callosum.server.host to an address of this machine,"
			+ " or remove it to listen on every address.";

	@Override
	protected FailureAnalysis analyze(Throwable rootFailure, ServerBindException cause) {
		InetSocketAddress address = cause.getAddress();
		String description = "The Callosum server cannot listen on " + describe(address) + ": ";
		return switch (cause.getReason()) {
			case PORT_IN_USE -> analysis(description + "port " + address.getPort() + " is already in use.",
					"Stop the process that listens on port " + address.getPort()
							+ ", or set callosum.server.port to another port (0 for any free port).",
					cause);
			case PERMISSION_DENIED ->
				analysis(description + "this process has no permission to use port " + address.getPort() + ".",
						"Set callosum.server.port to a port that needs no privileges (1024 or above on most systems),"
								+ " or give the process the permission (on Linux CAP_NET_BIND_SERVICE).",
						cause);
			case ADDRESS_NOT_AVAILABLE ->
				analysis(description + "no network interface of this machine has the address.", SET_HOST, cause);
			case UNKNOWN_HOST ->
				analysis(description + "the host name '" + address.getHostString() + "' cannot be resolved.", SET_HOST,
						cause);
			case OTHER -> analysis(description + reason(cause.getCause()),
					"Review callosum.server.host and callosum.server.port, and the customizers of the server.", cause);
		};
	}

	private static FailureAnalysis analysis(String description, String action, ServerBindException cause) {
		return new FailureAnalysis(description, action, cause);
	}

	private static String reason(@Nullable Throwable cause) {
		return (cause != null && cause.getMessage() != null) ? cause.getMessage() : String.valueOf(cause);
	}

	private static String describe(InetSocketAddress address) {
		String host = address.getHostString();
		return ((host.indexOf(':') >= 0) ? "[" + host + "]" : host) + ":" + address.getPort();
	}

}
