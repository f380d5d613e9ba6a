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

import io.netty.buffer.ByteBuf;

/**
 * Reads the headers of TLS records and of the first handshake message, which are not
 * encrypted.
 */
final class TlsRecords {

	private static final int HANDSHAKE = 22;

	/**
	 * Its type, its version in two bytes and its length in two.
	 */
	private static final int RECORD_HEADER_LENGTH = 5;

	/**
	 * Its type, and its length in three bytes.
	 */
	private static final int MESSAGE_HEADER_LENGTH = 4;

	private int recordHeaderRead;

	private int recordType;

	private int recordLength;

	/**
	 * How many bytes of the record's content have been read.
	 */
	private int contentRead;

	private int messageHeaderRead;

	private int messageLength;

	private boolean handshakeBegun;

	/**
	 * Read the next bytes that a peer has sent.
	 * @param buffer the bytes, which are not consumed
	 */
	void read(ByteBuf buffer) {
		this.handshakeBegun = false;
		int index = buffer.readerIndex();
		int end = buffer.writerIndex();
		while (index < end) {
			if (this.recordHeaderRead < RECORD_HEADER_LENGTH) {
				readRecordHeader(buffer.getUnsignedByte(index++));
			}
			else if (this.recordType == HANDSHAKE && this.messageHeaderRead < MESSAGE_HEADER_LENGTH) {
				readMessageHeader(buffer.getUnsignedByte(index++));
				this.contentRead++;
			}
			else {
				int length = Math.min(this.recordLength - this.contentRead, end - index);
				index += length;
				this.contentRead += length;
			}
			if (this.recordHeaderRead == RECORD_HEADER_LENGTH && this.contentRead >= this.recordLength) {
				this.recordHeaderRead = 0;
				this.recordLength = 0;
				this.contentRead = 0;
			}
		}
	}

	private void readRecordHeader(int next) {
		switch (this.recordHeaderRead++) {
			case 0 -> {
				this.recordType = next;
				this.handshakeBegun |= next == HANDSHAKE;
			}
			case 3, 4 -> this.recordLength = this.recordLength << Byte.SIZE | next;
			default -> {
				// The version
			}
		}
	}

	private void readMessageHeader(int next) {
		if (this.messageHeaderRead++ > 0) {
			this.messageLength = this.messageLength << Byte.SIZE | next;
		}
	}

	/**
	 * Return whether a handshake record began in the bytes that were read last.
	 */
	boolean hasHandshakeBegun() {
		return this.handshakeBegun;
	}

	/**
	 * Return the length in bytes that the peer has announced for its first handshake
	 * message, or 0 if it has not announced it yet.
	 */
	int firstMessageLength() {
		return (this.messageHeaderRead == MESSAGE_HEADER_LENGTH) ? this.messageLength : 0;
	}

}
