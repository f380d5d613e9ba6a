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

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import org.awaitility.Awaitility;
import reactor.netty.tcp.TcpServer;

/**
 * Sits between the server and its sockets: knows which channels are open, and counts what
 * the server reads from them.
 */
public final class WireTap implements CallosumTcpServerCustomizer {

	private final Set<Channel> open = ConcurrentHashMap.newKeySet();

	private final AtomicInteger accepted = new AtomicInteger();

	private final AtomicLong bytesRead = new AtomicLong();

	private final AtomicInteger messagesRead = new AtomicInteger();

	private final AtomicLong capacityRead = new AtomicLong();

	private final AtomicInteger largestRead = new AtomicInteger();

	private final List<String> outbound = new CopyOnWriteArrayList<>();

	private boolean recordOutbound;

	@Override
	public TcpServer customize(TcpServer server) {
		return server.doOnChannelInit((observer, channel, remoteAddress) -> {
			this.accepted.incrementAndGet();
			this.open.add(channel);
			channel.closeFuture().addListener((closed) -> this.open.remove(channel));
			channel.pipeline().addFirst(new Handler());
		});
	}

	/**
	 * Record what the server writes: the text of each write, and "flush".
	 */
	public WireTap recordOutbound() {
		this.recordOutbound = true;
		return this;
	}

	public List<String> outbound() {
		return this.outbound;
	}

	public Set<Channel> openChannels() {
		return this.open;
	}

	public int accepted() {
		return this.accepted.get();
	}

	public long bytesRead() {
		return this.bytesRead.get();
	}

	public int messagesRead() {
		return this.messagesRead.get();
	}

	public int largestRead() {
		return this.largestRead.get();
	}

	public long capacityRead() {
		return this.capacityRead.get();
	}

	public void awaitBytesRead(long expected) {
		Awaitility.await("bytes read")
			.atMost(Duration.ofSeconds(60))
			.pollInterval(Duration.ofMillis(1))
			.until(() -> this.bytesRead.get() >= expected);
	}

	/**
	 * Wait until the server has read nothing for a while.
	 */
	public void awaitStall() {
		Awaitility.await("no more read")
			.atMost(Duration.ofSeconds(60))
			.pollInterval(Duration.ofMillis(20))
			.until(new StallCondition(this.bytesRead)::isTrue);
	}

	private static final class StallCondition {

		private final AtomicLong counter;

		private long last = -1;

		private long since;

		private StallCondition(AtomicLong counter) {
			this.counter = counter;
		}

		private boolean isTrue() {
			long now = this.counter.get();
			if (now != this.last) {
				this.last = now;
				this.since = System.nanoTime();
			}
			return System.nanoTime() - this.since > Duration.ofMillis(300).toNanos();
		}

	}

	private final class Handler extends ChannelDuplexHandler {

		@Override
		public void channelRead(ChannelHandlerContext ctx, Object message) {
			if (message instanceof ByteBuf buffer) {
				WireTap.this.messagesRead.incrementAndGet();
				WireTap.this.capacityRead.addAndGet(buffer.capacity());
				WireTap.this.largestRead.accumulateAndGet(buffer.capacity(), Math::max);
				WireTap.this.bytesRead.addAndGet(buffer.readableBytes());
			}
			ctx.fireChannelRead(message);
		}

		@Override
		public void write(ChannelHandlerContext ctx, Object message, ChannelPromise promise) {
			if (WireTap.this.recordOutbound && message instanceof ByteBuf buffer) {
				WireTap.this.outbound.add(buffer.toString(StandardCharsets.US_ASCII));
			}
			ctx.write(message, promise);
		}

		@Override
		public void flush(ChannelHandlerContext ctx) {
			if (WireTap.this.recordOutbound) {
				WireTap.this.outbound.add("flush");
			}
			ctx.flush();
		}

	}

}
