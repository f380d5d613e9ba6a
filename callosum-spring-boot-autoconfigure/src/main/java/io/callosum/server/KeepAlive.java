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
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.Map;

import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.socket.nio.NioChannelOption;
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
	 * Set the options by the names of the transport: another transport's would be warned
	 * of for each connection.
	 */
	TcpServer applyTo(TcpServer tcpServer, Class<? extends Channel> channelType) {
		TcpServer server = tcpServer.childOption(ChannelOption.SO_KEEPALIVE, true);
		if (channelType.getName().startsWith("io.netty.channel.epoll.")) {
			return server.childOption(EpollChannelOption.TCP_KEEPIDLE, seconds(this.idle))
				.childOption(EpollChannelOption.TCP_KEEPINTVL, seconds(this.interval))
				.childOption(EpollChannelOption.TCP_KEEPCNT, this.count);
		}
		if (channelType.getName().startsWith("io.netty.channel.socket.nio.")) {
			for (Map.Entry<SocketOption<Integer>, Integer> option : Map
				.of(ExtendedSocketOptions.TCP_KEEPIDLE, seconds(this.idle), ExtendedSocketOptions.TCP_KEEPINTERVAL,
						seconds(this.interval), ExtendedSocketOptions.TCP_KEEPCOUNT, this.count)
				.entrySet()) {
				if (isSupported(option.getKey())) {
					server = server.childOption(NioChannelOption.of(option.getKey()), option.getValue());
				}
			}
		}
		return server;
	}

	private static boolean isSupported(SocketOption<?> option) {
		try (SocketChannel channel = SocketChannel.open()) {
			return channel.supportedOptions().contains(option);
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	private static void check(String name, Duration duration) {
		// The range of the socket options on Linux
		Assert.isTrue(duration.toSeconds() >= 1 && duration.toSeconds() <= Short.MAX_VALUE,
				() -> "'" + name + "' must be from 1 second to 9 hours");
	}

	private static int seconds(Duration duration) {
		return (int) duration.toSeconds();
	}

}
