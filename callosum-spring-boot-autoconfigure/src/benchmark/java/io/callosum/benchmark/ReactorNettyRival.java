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

import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BiFunction;

import io.netty.buffer.ByteBufUtil;
import io.netty.channel.ChannelOption;
import org.reactivestreams.Publisher;
import reactor.netty.DisposableServer;
import reactor.netty.NettyInbound;
import reactor.netty.NettyOutbound;
import reactor.netty.resources.LoopResources;
import reactor.netty.tcp.TcpServer;

import io.callosum.benchmark.Rival.RunningServer;

/**
 * What one would write with Reactor Netty alone. It reads until the peer closes:
 * otherwise, with NIO, it would not notice that the peer is gone.
 *
 * @author The Callosum authors
 */
final class ReactorNettyRival {

	private ReactorNettyRival() {
	}

	static RunningServer start(Transport transport) {
		return start(transport, (inbound, outbound) -> inbound.receive().then());
	}

	static RunningServer startEcho(Transport transport) {
		return start(transport, (inbound, outbound) -> outbound.send(inbound.receive().retain()));
	}

	private static RunningServer start(Transport transport,
			BiFunction<NettyInbound, NettyOutbound, Publisher<Void>> handler) {
		HeapSlots slots = new HeapSlots();
		AtomicReference<TcpServer> tcpServer = new AtomicReference<>(TcpServer.create()
			.port(0)
			.runOn(LoopResources.create("rival", 1, SocketOptions.WORKER_THREADS, true), transport == Transport.EPOLL)
			.option(ChannelOption.SO_BACKLOG, SocketOptions.BACKLOG)
			.handle((inbound, outbound) -> handle(inbound, outbound, slots, handler)));
		SocketOptions.apply(transport, new SocketOptions.Target() {

			@Override
			public <T> void set(ChannelOption<T> option, T value) {
				tcpServer.updateAndGet((server) -> server.option(option, value));
			}

		}, new SocketOptions.Target() {

			@Override
			public <T> void set(ChannelOption<T> option, T value) {
				tcpServer.updateAndGet((server) -> server.childOption(option, value));
			}

		});
		DisposableServer server = tcpServer.get().bindNow();
		return new RunningServer(server.port(), slots);
	}

	private static Publisher<Void> handle(NettyInbound inbound, NettyOutbound outbound, HeapSlots slots,
			BiFunction<NettyInbound, NettyOutbound, Publisher<Void>> handler) {
		int slot = slots.take();
		inbound.withConnection((connection) -> connection.onDispose(() -> slots.free(slot)));
		return outbound.sendObject(ByteBufUtil.writeAscii(outbound.alloc(), slot + "\r\n"))
			.then(handler.apply(inbound, outbound));
	}

}
