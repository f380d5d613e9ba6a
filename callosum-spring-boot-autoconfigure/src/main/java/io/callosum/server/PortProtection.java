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

import java.util.ArrayList;
import java.util.List;

import javax.net.ssl.SSLEngine;

import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.util.ReferenceCountUtil;
import org.jspecify.annotations.Nullable;
import reactor.netty.tcp.SslProvider;

import org.springframework.util.Assert;

/**
 * Describes what protects the port of a server, for the log.
 */
final class PortProtection {

	private PortProtection() {
	}

	/**
	 * Return what protects a port, each item preceded by a comma.
	 */
	static String describe(@Nullable SslProvider sslProvider, @Nullable Integer maxConnections,
			@Nullable Integer maxConnectionsPerAddress, AddressRanges allowedAddresses) {
		List<String> protection = new ArrayList<>();
		if (sslProvider != null) {
			protection.add("TLS" + describeClientAuth(sslProvider));
		}
		if (maxConnections != null) {
			protection.add("at most " + maxConnections + " connections");
		}
		if (maxConnectionsPerAddress != null) {
			protection.add("at most " + maxConnectionsPerAddress + " per address");
		}
		if (!allowedAddresses.isEmpty()) {
			protection.add(allowedAddresses.size() + " allowed addresses or ranges");
		}
		return protection.isEmpty() ? "" : ", " + String.join(", ", protection);
	}

	private static String describeClientAuth(SslProvider sslProvider) {
		Assert.state(sslProvider.getSslContext() != null, "No SSL context");
		SSLEngine engine = sslProvider.getSslContext().newEngine(UnpooledByteBufAllocator.DEFAULT);
		try {
			return engine.getNeedClientAuth() ? " with client certificates"
					: engine.getWantClientAuth() ? " with optional client certificates" : "";
		}
		finally {
			ReferenceCountUtil.release(engine);
		}
	}

}
