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

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.ByteBufUtil;

/**
 * The first line on each connection: the slot as ASCII digits and {@code \r\n}.
 */
public final class SlotLine {

	private SlotLine() {
	}

	/**
	 * Encode a slot.
	 * @param allocator the allocator of the buffer
	 * @param slot the slot, 0 or more
	 * @return a new buffer
	 */
	public static ByteBuf encode(ByteBufAllocator allocator, int slot) {
		return ByteBufUtil.writeAscii(allocator, slot + "\r\n");
	}

}
