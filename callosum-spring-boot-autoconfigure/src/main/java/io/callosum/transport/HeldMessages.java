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

import java.util.ArrayDeque;
import java.util.Deque;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufHolder;
import io.netty.util.ReferenceCountUtil;
import org.jspecify.annotations.Nullable;

/**
 * Messages of a connection that have not been requested yet, in order and counted in the
 * budget. Event loop, or after it.
 */
final class HeldMessages {

	/**
	 * Approximate memory that a message takes besides its bytes: the buffer object and
	 * what the allocator stores for it.
	 */
	private static final int OBJECT_COST = 160;

	private final ReadAheadBudget budget;

	private final Deque<Object> messages = new ArrayDeque<>();

	/**
	 * How much memory the messages take.
	 */
	private long bytes;

	private boolean counted = true;

	HeldMessages(ReadAheadBudget budget) {
		this.budget = budget;
	}

	boolean isEmpty() {
		return this.messages.isEmpty();
	}

	long bytes() {
		return this.bytes;
	}

	/**
	 * Return whether this holds more than is read ahead of an open connection, and the
	 * budget is used up. When a peer closes, everything that it sent is read, requested
	 * or not, and codecs may turn it into any number of objects.
	 */
	boolean isFull() {
		return this.bytes >= 2 * this.budget.perConnection() && this.budget.isUsedUp();
	}

	/**
	 * Add a message, which is released when it is polled, or by {@link #release()}.
	 */
	void add(Object message) {
		this.messages.add(message);
		this.bytes += cost(message);
		if (this.counted) {
			this.budget.add(cost(message));
		}
	}

	/**
	 * Add bytes, to the last message if it has room: otherwise, a peer that sends single
	 * bytes would have a buffer held for each of them.
	 */
	void addBytes(ByteBuf buffer) {
		if (this.messages.peekLast() instanceof ByteBuf last && last.refCnt() == 1 && !last.isReadOnly()
				&& last.isWritable(buffer.readableBytes())) {
			last.writeBytes(buffer);
			buffer.release();
		}
		else {
			add(buffer);
		}
	}

	/**
	 * Return the next message, which the caller must release.
	 */
	@Nullable Object poll() {
		Object message = this.messages.poll();
		if (message != null) {
			this.bytes -= cost(message);
			if (this.counted) {
				this.budget.remove(cost(message));
			}
		}
		return message;
	}

	void release() {
		Object message;
		while ((message = poll()) != null) {
			ReferenceCountUtil.release(message);
		}
	}

	/**
	 * Stop counting the messages, including those that are added later.
	 */
	void uncount() {
		if (this.counted) {
			this.counted = false;
			this.budget.remove(this.bytes);
		}
	}

	private static long cost(Object message) {
		if (message instanceof ByteBufHolder holder) {
			return OBJECT_COST + holder.content().capacity();
		}
		return OBJECT_COST + ((message instanceof ByteBuf buffer) ? buffer.capacity() : 0);
	}

}
