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

import java.net.InetSocketAddress;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBufUtil;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.util.ReferenceCountUtil;

import io.callosum.benchmark.Rival.RunningServer;

/**
 * What one would write with Netty alone: a handler that assigns a slot, discards what it
 * receives, and releases the slot.
 *
 * @author The Callosum authors
 */
final class NettyRival {

	private NettyRival() {
	}

	static RunningServer start(Transport transport) {
		HeapSlots slots = new HeapSlots();
		IoHandlerFactory ioHandlers = (transport == Transport.EPOLL) ? EpollIoHandler.newFactory()
				: NioIoHandler.newFactory();
		EventLoopGroup acceptor = new MultiThreadIoEventLoopGroup(1, ioHandlers);
		EventLoopGroup workers = new MultiThreadIoEventLoopGroup(SocketOptions.WORKER_THREADS, ioHandlers);
		ServerBootstrap bootstrap = new ServerBootstrap().group(acceptor, workers)
			.channel((transport == Transport.EPOLL) ? EpollServerSocketChannel.class : NioServerSocketChannel.class)
			.option(ChannelOption.SO_BACKLOG, SocketOptions.BACKLOG)
			.option(ChannelOption.SO_REUSEADDR, true)
			.childHandler(new ChannelInitializer<Channel>() {

				@Override
				protected void initChannel(Channel channel) {
					channel.pipeline().addLast(new SlotHandler(slots));
				}

			});
		SocketOptions.apply(transport, bootstrap::option, bootstrap::childOption);
		Channel channel = bootstrap.bind(0).syncUninterruptibly().channel();
		return new RunningServer(((InetSocketAddress) channel.localAddress()).getPort(), slots);
	}

	private static final class SlotHandler extends ChannelInboundHandlerAdapter {

		private final HeapSlots slots;

		private int slot;

		SlotHandler(HeapSlots slots) {
			this.slots = slots;
		}

		@Override
		public void channelActive(ChannelHandlerContext ctx) {
			this.slot = this.slots.take();
			ctx.writeAndFlush(ByteBufUtil.writeAscii(ctx.alloc(), this.slot + "\r\n"));
		}

		@Override
		public void channelRead(ChannelHandlerContext ctx, Object msg) {
			ReferenceCountUtil.release(msg);
		}

		@Override
		public void channelInactive(ChannelHandlerContext ctx) {
			this.slots.free(this.slot);
		}

		@Override
		public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
			ctx.close();
		}

	}

}
