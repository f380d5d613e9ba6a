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
import java.nio.charset.StandardCharsets;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.LineBasedFrameDecoder;
import reactor.netty.resources.ConnectionProvider;
import reactor.netty.tcp.TcpClient;

/**
 * Consumes the slot line, which is the first message of a connection, and removes itself.
 *
 * @author The Callosum authors
 */
final class SlotLineHandler extends ChannelInboundHandlerAdapter {

	/**
	 * Create a client of Reactor Netty that splits what arrives into lines, and does not
	 * see the first one.
	 */
	static TcpClient tcpClient(ConnectionProvider provider, ExchangeClient.Target target) {
		return TcpClient.create(provider)
			.remoteAddress(() -> new InetSocketAddress("127.0.0.1", target.port()))
			.runOn(target.loops(), target.epoll())
			.doOnChannelInit((observer, channel, address) -> channel.pipeline()
				.addFirst(new LineBasedFrameDecoder(1024), new SlotLineHandler()));
	}

	@Override
	public void channelRead(ChannelHandlerContext ctx, Object msg) {
		ByteBuf line = (ByteBuf) msg;
		try {
			Integer.parseInt(line.toString(StandardCharsets.US_ASCII));
		}
		finally {
			line.release();
		}
		ctx.pipeline().remove(this);
	}

}
