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

import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.util.Map;

import javax.net.ssl.SSLSession;

import org.jspecify.annotations.Nullable;
import reactor.netty.NettyInbound;
import reactor.netty.NettyOutbound;

/**
 * A lease without a network. Tests, benchmarks and simulations override the methods that
 * they use.
 */
class UnsupportedLease implements PooledLease {

	@Override
	public @Nullable ConnectionLostException lost() {
		throw new UnsupportedOperationException();
	}

	@Override
	public boolean isUnanswered() {
		throw new UnsupportedOperationException();
	}

	@Override
	public void onLost(Runnable task) {
		throw new UnsupportedOperationException();
	}

	@Override
	public String connectionId() {
		throw new UnsupportedOperationException();
	}

	@Override
	public int slot() {
		throw new UnsupportedOperationException();
	}

	@Override
	public InetSocketAddress server() {
		throw new UnsupportedOperationException();
	}

	@Override
	public @Nullable SSLSession sslSession() {
		throw new UnsupportedOperationException();
	}

	@Override
	public Map<String, Object> attributes() {
		throw new UnsupportedOperationException();
	}

	@Override
	public NettyInbound inbound() {
		throw new UnsupportedOperationException();
	}

	@Override
	public NettyOutbound outbound() {
		throw new UnsupportedOperationException();
	}

	@Override
	public InputStream inputStream() {
		throw new UnsupportedOperationException();
	}

	@Override
	public OutputStream outputStream() {
		throw new UnsupportedOperationException();
	}

	@Override
	public void release() {
		throw new UnsupportedOperationException();
	}

	@Override
	public void discard(@Nullable Throwable cause) {
		throw new UnsupportedOperationException();
	}

	@Override
	public void close() {
		throw new UnsupportedOperationException();
	}

}
