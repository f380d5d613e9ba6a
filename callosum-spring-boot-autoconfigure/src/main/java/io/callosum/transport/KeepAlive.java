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

package io.callosum.transport;

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
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import reactor.netty.tcp.TcpClient;
import reactor.netty.tcp.TcpServer;

import org.springframework.util.Assert;
import org.springframework.util.ClassUtils;

/**
 * TCP keep-alive: how the connection of a peer that vanished silently ends.
 *
 * @param idle how long a connection is idle before the first probe is sent
 * @param interval the time between two probes
 * @param count the number of unanswered probes before the connection is closed
 */
public record KeepAlive(Duration idle, Duration interval, int count) {

	private static final Log logger = LogFactory.getLog(KeepAlive.class);

	/**
	 * Create new settings.
	 * @throws IllegalArgumentException if a value is out of the range that Linux accepts
	 */
	public KeepAlive {
		check("idle", idle);
		check("interval", interval);
		Assert.isTrue(count >= 1 && count <= 127, "'count' must be from 1 to 127");
	}

	/**
	 * Set the options under the names that the transport knows: it warns about those of
	 * another transport. They are set on the listening socket where possible: on Linux,
	 * accepted sockets inherit them, which saves as many system calls per connection.
	 * @param tcpServer the server
	 * @param channelType the type of the channels that it accepts
	 * @return the server with the options
	 */
	public TcpServer applyTo(TcpServer tcpServer, Class<? extends Channel> channelType) {
		if (channelType.getName().startsWith("io.netty.channel.epoll.")) {
			return tcpServer.option(EpollOptions.SO_KEEPALIVE, 1)
				.option(EpollOptions.TCP_KEEPIDLE, seconds(this.idle))
				.option(EpollOptions.TCP_KEEPINTVL, seconds(this.interval))
				.option(EpollOptions.TCP_KEEPCNT, this.count);
		}
		TcpServer server = tcpServer.childOption(ChannelOption.SO_KEEPALIVE, true);
		return channelType.getName().startsWith("io.netty.channel.socket.nio.") ? applyToNio(server) : server;
	}

	/**
	 * Set the options under the names that the transport knows.
	 * @param tcpClient the client
	 * @param channelType the type of its channels
	 * @return the client with the options
	 */
	public TcpClient applyTo(TcpClient tcpClient, Class<? extends Channel> channelType) {
		TcpClient client = tcpClient.option(ChannelOption.SO_KEEPALIVE, true);
		if (channelType.getName().startsWith("io.netty.channel.epoll.")) {
			return client.option(EpollOptions.TCP_KEEPIDLE, seconds(this.idle))
				.option(EpollOptions.TCP_KEEPINTVL, seconds(this.interval))
				.option(EpollOptions.TCP_KEEPCNT, this.count);
		}
		if (!channelType.getName().startsWith("io.netty.channel.socket.nio.")) {
			return client;
		}
		try (SocketChannel channel = SocketChannel.open()) {
			for (Map.Entry<SocketOption<Integer>, Integer> option : nioOptions().entrySet()) {
				if (channel.supportedOptions().contains(option.getKey())) {
					client = client.option(NioChannelOption.of(option.getKey()), option.getValue());
				}
			}
			return client;
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	private Map<SocketOption<Integer>, Integer> nioOptions() {
		return JdkNetModule.PRESENT ? NioOptions.of(this) : Map.of();
	}

	private TcpServer applyToNio(TcpServer tcpServer) {
		TcpServer server = tcpServer;
		try (ServerSocketChannel listening = ServerSocketChannel.open();
				SocketChannel accepted = SocketChannel.open()) {
			for (Map.Entry<SocketOption<Integer>, Integer> option : nioOptions().entrySet()) {
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
	 * Logs a warning once if the module is missing.
	 */
	private static final class JdkNetModule {

		static final boolean PRESENT = ClassUtils.isPresent("jdk.net.ExtendedSocketOptions",
				KeepAlive.class.getClassLoader());

		static {
			if (!PRESENT) {
				logger.warn("This Java runtime lacks the module jdk.net: TCP keep-alive is on,"
						+ " but idle, interval and count are those of the system");
			}
		}

	}

	/**
	 * In a class of its own, because a Java runtime may lack the module.
	 */
	private static final class NioOptions {

		static Map<SocketOption<Integer>, Integer> of(KeepAlive keepAlive) {
			return Map.of(ExtendedSocketOptions.TCP_KEEPIDLE, seconds(keepAlive.idle),
					ExtendedSocketOptions.TCP_KEEPINTERVAL, seconds(keepAlive.interval),
					ExtendedSocketOptions.TCP_KEEPCOUNT, keepAlive.count);
		}

	}

	/**
	 * Options that Netty does not define for a listening socket. In a class of its own,
	 * because only Linux has the transport.
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
