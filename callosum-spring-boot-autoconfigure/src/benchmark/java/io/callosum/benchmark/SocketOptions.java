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

import io.netty.channel.ChannelOption;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.socket.nio.NioChannelOption;
import io.netty.channel.unix.IntegerUnixChannelOption;
import jdk.net.ExtendedSocketOptions;

/**
 * The socket options that all servers under test have in common, which are the defaults
 * of Callosum. The rivals set them on each connection, as one usually does, or, with the
 * system property {@code benchmark.inherit}, on the listening socket, as Callosum does.
 *
 * @author The Callosum authors
 */
final class SocketOptions {

	static final int WORKER_THREADS = 1;

	static final int BACKLOG = 4096;

	private static final int KEEP_ALIVE_IDLE = 60;

	private static final int KEEP_ALIVE_INTERVAL = 10;

	private static final int KEEP_ALIVE_COUNT = 3;

	private static final int SOL_SOCKET = 1;

	private static final int IPPROTO_TCP = 6;

	private SocketOptions() {
	}

	static void apply(Transport transport, Target listening, Target accepted) {
		// Netty sets TCP_NODELAY by default
		if (!Boolean.getBoolean("benchmark.inherit")) {
			apply(transport, accepted);
		}
		else if (transport == Transport.EPOLL) {
			listening.set(new IntegerUnixChannelOption("SO_KEEPALIVE", SOL_SOCKET, 9), 1);
			listening.set(new IntegerUnixChannelOption("TCP_KEEPIDLE", IPPROTO_TCP, 4), KEEP_ALIVE_IDLE);
			listening.set(new IntegerUnixChannelOption("TCP_KEEPINTVL", IPPROTO_TCP, 5), KEEP_ALIVE_INTERVAL);
			listening.set(new IntegerUnixChannelOption("TCP_KEEPCNT", IPPROTO_TCP, 6), KEEP_ALIVE_COUNT);
		}
		else {
			accepted.set(ChannelOption.SO_KEEPALIVE, true);
			listening.set(NioChannelOption.of(ExtendedSocketOptions.TCP_KEEPIDLE), KEEP_ALIVE_IDLE);
			listening.set(NioChannelOption.of(ExtendedSocketOptions.TCP_KEEPINTERVAL), KEEP_ALIVE_INTERVAL);
			listening.set(NioChannelOption.of(ExtendedSocketOptions.TCP_KEEPCOUNT), KEEP_ALIVE_COUNT);
		}
	}

	private static void apply(Transport transport, Target target) {
		target.set(ChannelOption.SO_KEEPALIVE, true);
		if (transport == Transport.EPOLL) {
			target.set(EpollChannelOption.TCP_KEEPIDLE, KEEP_ALIVE_IDLE);
			target.set(EpollChannelOption.TCP_KEEPINTVL, KEEP_ALIVE_INTERVAL);
			target.set(EpollChannelOption.TCP_KEEPCNT, KEEP_ALIVE_COUNT);
		}
		else {
			target.set(NioChannelOption.of(ExtendedSocketOptions.TCP_KEEPIDLE), KEEP_ALIVE_IDLE);
			target.set(NioChannelOption.of(ExtendedSocketOptions.TCP_KEEPINTERVAL), KEEP_ALIVE_INTERVAL);
			target.set(NioChannelOption.of(ExtendedSocketOptions.TCP_KEEPCOUNT), KEEP_ALIVE_COUNT);
		}
	}

	/**
	 * Takes options.
	 */
	interface Target {

		<T> void set(ChannelOption<T> option, T value);

	}

}
