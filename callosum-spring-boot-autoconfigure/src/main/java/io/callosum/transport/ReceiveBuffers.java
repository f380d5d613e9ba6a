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

import io.netty.channel.DefaultMaxMessagesRecvByteBufAllocator;
import org.jspecify.annotations.Nullable;

/**
 * Sizes the buffers that channels read into. While the owner of a connection requests
 * bytes, its buffers grow and shrink with what arrives, as Netty's do by default.
 * Otherwise they are small, because their bytes are held and any number of peers may
 * send. They are smaller still if a codec decodes the bytes: 64 KiB of empty lines become
 * 65,536 messages.
 */
public final class ReceiveBuffers extends DefaultMaxMessagesRecvByteBufAllocator {

	/**
	 * The allocator that channels start with. The {@link ReadAheadHandler} of a
	 * connection then replaces it.
	 */
	public static final ReceiveBuffers DEFAULT = new ReceiveBuffers();

	/**
	 * The largest buffer for bytes that have not been requested.
	 */
	static final int SMALL = 4096;

	/**
	 * The largest buffer for bytes that a codec decodes. Other connections of the event
	 * loop wait while its messages are processed, up to a thousand from each peer.
	 */
	static final int DECODED = 1024;

	private static final int FIRST = 2048;

	static final int MIN = 256;

	private static final int MAX = 65_536;

	private static final int MAX_MESSAGES_PER_READ = 16;

	private ReceiveBuffers() {
		super(MAX_MESSAGES_PER_READ);
	}

	@Override
	public ExtendedHandle newHandle() {
		return new AdaptiveHandle(null);
	}

	/**
	 * Return a handle that sizes the buffers of a channel.
	 * @param readAhead the handler of the channel
	 */
	ExtendedHandle newHandle(ReadAheadHandler readAhead) {
		return new AdaptiveHandle(readAhead);
	}

	private final class AdaptiveHandle extends MaxMessageHandle {

		private final @Nullable ReadAheadHandler readAhead;

		private int size = FIRST;

		private boolean small;

		private AdaptiveHandle(@Nullable ReadAheadHandler readAhead) {
			this.readAhead = readAhead;
		}

		@Override
		public int guess() {
			return (this.readAhead != null) ? this.readAhead.limitRead(this.size) : this.size;
		}

		@Override
		public void lastBytesRead(int bytes) {
			if (bytes == attemptedBytesRead() && bytes == this.size) {
				// More may follow within the same read loop
				this.size = Math.min(4 * this.size, MAX);
			}
			super.lastBytesRead(bytes);
		}

		@Override
		public void readComplete() {
			boolean small = totalBytesRead() <= this.size / 4;
			if (small && this.small) {
				this.size = Math.max(this.size / 2, MIN);
			}
			this.small = small && !this.small;
		}

	}

}
