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

import java.io.InputStream;

import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import reactor.netty.ByteBufFlux;

import io.callosum.transport.BlockingInputStream;
import io.callosum.transport.ChannelOwner;
import io.callosum.transport.InboundRelay;
import io.callosum.transport.ReadAheadHandler;

/**
 * Relays what the peer sends to code that reads a stream.
 */
final class StreamRelay extends InboundRelay {

	private final BlockingInputStream stream = new BlockingInputStream(() -> {
	});

	private int lastUnread = -1;

	private final ByteBufAllocator allocator;

	StreamRelay(ChannelOwner owner, ReadAheadHandler readAhead) {
		super(owner, readAhead);
		this.allocator = owner.channel().alloc();
	}

	/**
	 * Receive into a stream. Called after the relay has been started.
	 */
	InputStream receive() {
		// Copied to the heap, where bytes that are never read are not a leak
		ByteBufFlux.fromInbound(this, this.allocator).map(Unpooled::copiedBuffer).subscribe(this.stream);
		return this.stream;
	}

	/**
	 * Return whether bytes are being read: a thread cannot signal that it waits for more
	 * of them, nor that it will never read again.
	 * @return whether any were read since the last call
	 */
	@Override
	public boolean isDelivering() {
		int unread = this.stream.available();
		boolean read = unread != this.lastUnread;
		this.lastUnread = unread;
		return read;
	}

}
