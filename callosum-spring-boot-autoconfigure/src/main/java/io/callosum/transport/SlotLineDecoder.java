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

import java.net.ProtocolException;

import io.netty.buffer.ByteBuf;
import io.netty.util.AsciiString;

/**
 * Decodes {@link SlotLine}, the line by which a server assigns a slot: 1 to 10 digits, at
 * most {@value Integer#MAX_VALUE}, then CR and LF. One decoder per connection, used by
 * one thread at a time.
 */
public final class SlotLineDecoder {

	/**
	 * Returned while the line is incomplete.
	 */
	public static final int INCOMPLETE = -1;

	private static final int MAX_DIGITS = 10;

	private final StringBuilder line = new StringBuilder(MAX_DIGITS + 2);

	private long value;

	private int digits;

	private boolean carriageReturn;

	/**
	 * Decode as far as possible. What follows the line is left in the buffer.
	 * @param bytes what the server sent next
	 * @return the slot, or {@link #INCOMPLETE} if all bytes were consumed and more are
	 * needed
	 * @throws ProtocolException if the bytes are not a slot line
	 */
	public int decode(ByteBuf bytes) throws ProtocolException {
		while (bytes.isReadable()) {
			byte next = bytes.readByte();
			this.line.append(AsciiString.b2c(next));
			if (this.carriageReturn) {
				if (next != '\n') {
					throw invalid();
				}
				return (int) this.value;
			}
			if (next == '\r' && this.digits > 0) {
				this.carriageReturn = true;
			}
			else if (next >= '0' && next <= '9' && this.digits < MAX_DIGITS) {
				this.digits++;
				this.value = this.value * 10 + (next - '0');
				if (this.value > Integer.MAX_VALUE) {
					throw invalid();
				}
			}
			else {
				throw invalid();
			}
		}
		return INCOMPLETE;
	}

	private ProtocolException invalid() {
		StringBuilder text = new StringBuilder("Expected a slot line, but received '");
		this.line.chars().forEach((character) -> {
			switch (character) {
				case '\r' -> text.append("\\r");
				case '\n' -> text.append("\\n");
				default -> {
					if (character >= ' ' && character < 0x7f) {
						text.append((char) character);
					}
					else {
						text.append(String.format("\\x%02x", character));
					}
				}
			}
		});
		return new ProtocolException(text.append('\'').toString());
	}

}
