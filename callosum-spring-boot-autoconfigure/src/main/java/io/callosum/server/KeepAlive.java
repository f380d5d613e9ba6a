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
import java.io.UncheckedIOException;
import java.net.SocketOption;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.Map;

import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.channel.socket.nio.NioChannelOption;
import io.netty.channel.unix.IntegerUnixChannelOption;
import jdk.net.ExtendedSocketOptions;
import reactor.netty.tcp.TcpServer;

import org.springframework.util.Assert;

/**
 * TCP keep-alive: how the slot of a peer comes back that has vanished without a word.
 *
 * @param idle how long a connection is idle until the peer is asked for a sign of life
 * @param interval how long until it is asked again
 * @param count how often it is asked in vain until the connection is given up
 */
record KeepAlive(Duration idle, Duration interval, int count) {

	KeepAlive {
		check("idle", idle);
		check("interval", interval);
		Assert.isTrue(count >= 1 && count <= 127, "'count' must be from 1 to 127");
	}

	/**
	 * Set the options, by the names of the transport: another transport's would be warned
	 * of. On the listening socket where that is possible: Linux lets the accepted ones
	 * inherit them, which spares each connection as many system calls.
	 */
	TcpServer applyTo(TcpServer tcpServer, Class<? extends Channel> channelType) {
		if (channelType.getName().startsWith("io.netty.channel.epoll.")) {
			return tcpServer.option(EpollOptions.SO_KEEPALIVE, 1)
				.option(EpollOptions.TCP_KEEPIDLE, seconds(this.idle))
				.option(EpollOptions.TCP_KEEPINTVL, seconds(this.interval))
				.option(EpollOptions.TCP_KEEPCNT, this.count);
		}
		TcpServer server = tcpServer.childOption(ChannelOption.SO_KEEPALIVE, true);
		return channelType.getName().startsWith("io.netty.channel.socket.nio.") ? applyToNio(server) : server;
	}

	private TcpServer applyToNio(TcpServer tcpServer) {
		TcpServer server = tcpServer;
		try (ServerSocketChannel listening = ServerSocketChannel.open();
				SocketChannel accepted = SocketChannel.open()) {
			for (Map.Entry<SocketOption<Integer>, Integer> option : Map
				.of(ExtendedSocketOptions.TCP_KEEPIDLE, seconds(this.idle), ExtendedSocketOptions.TCP_KEEPINTERVAL,
						seconds(this.interval), ExtendedSocketOptions.TCP_KEEPCOUNT, this.count)
				.entrySet()) {
				if (isLinux() && listening.supportedOptions().contains(option.getKey())) {
					server = server.option(NioChannelOption.of(option.getKey()), option.getValue());
				}
				else if (accepted.supportedOptions().contains(option.getKey())) {
					server = server.childOption(NioChannelOption.of(option.getKey()), option.getValue());
				}
			}
			return server;
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	private static boolean isLinux() {
		return System.getProperty("os.name", "").startsWith("Linux");
	}

	private static void check(String name, Duration duration) {
		// The range of the socket options on Linux
		Assert.isTrue(duration.toSeconds() >= 1 && duration.toSeconds() <= Short.MAX_VALUE,
				() -> "'" + name + "' must be from 1 second to 9 hours");
	}

	private static int seconds(Duration duration) {
		return (int) duration.toSeconds();
	}

	/**
	 * The options of a listening socket, for which Netty has no names of its own. In a
	 * class of its own, because only Linux has the transport.
	 */
	private static final class EpollOptions {

		private static final int SOL_SOCKET = 1;

		private static final int IPPROTO_TCP = 6;

		static final ChannelOption<Integer> SO_KEEPALIVE = new IntegerUnixChannelOption("SO_KEEPALIVE", SOL_SOCKET, 9);

		static final ChannelOption<Integer> TCP_KEEPIDLE = new IntegerUnixChannelOption("TCP_KEEPIDLE", IPPROTO_TCP, 4);

		static final ChannelOption<Integer> TCP_KEEPINTVL = new IntegerUnixChannelOption("TCP_KEEPINTVL", IPPROTO_TCP,
				5);

		static final ChannelOption<Integer> TCP_KEEPCNT = new IntegerUnixChannelOption("TCP_KEEPCNT", IPPROTO_TCP, 6);

	}

}
