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
import java.nio.charset.StandardCharsets;
import java.util.Random;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/**
 * Tests for {@link SlotLineDecoder}.
 *
 * @author The Callosum authors
 */
class SlotLineDecoderTests {

	@ParameterizedTest
	@ValueSource(strings = { "0", "7", "13", "0042", "2147483646", "2147483647", "0000000000" })
	void decodesOneToTenDigitsHoweverTheyAreSplit(String digits) throws ProtocolException {
		byte[] bytes = (digits + "\r\nrest").getBytes(StandardCharsets.US_ASCII);
		int line = digits.length() + 2;
		for (int splits = 0; splits < (1 << (line - 1)); splits++) {
			SlotLineDecoder decoder = new SlotLineDecoder();
			int from = 0;
			for (int i = 1; i < line; i++) {
				if ((splits & (1 << (i - 1))) != 0) {
					assertThat(decoder.decode(Unpooled.wrappedBuffer(bytes, from, i - from)))
						.isEqualTo(SlotLineDecoder.INCOMPLETE);
					from = i;
				}
			}
			ByteBuf last = Unpooled.wrappedBuffer(bytes, from, bytes.length - from);
			assertThat(decoder.decode(last)).isEqualTo(Integer.parseInt(digits));
			assertThat(last.toString(StandardCharsets.US_ASCII)).isEqualTo("rest");
		}
	}

	@ParameterizedTest
	@ValueSource(strings = { "\r\n", "\n", "1\n", "1\r1", "1\r\r", "-1\r\n", "+1\r\n", " 1\r\n", "1 \r\n", "1.0\r\n",
			"x", "1x", "2147483648\r\n", "9999999999\r\n", "00000000001\r\n", "HTTP/1.1 400 Bad Request\r\n",
			"\u0661\r\n", "\0\r\n", "\u00ff" })
	void rejectsEverythingElseHoweverItIsSplit(String line) {
		byte[] bytes = line.getBytes(StandardCharsets.UTF_8);
		assertThatExceptionOfType(ProtocolException.class)
			.isThrownBy(() -> new SlotLineDecoder().decode(Unpooled.wrappedBuffer(bytes)))
			.withMessageStartingWith("Expected a slot line, but received '")
			.withMessageMatching("[ -~]*");
		assertThatExceptionOfType(ProtocolException.class).isThrownBy(() -> {
			SlotLineDecoder decoder = new SlotLineDecoder();
			for (byte next : bytes) {
				decoder.decode(Unpooled.wrappedBuffer(new byte[] { next }));
			}
		});
	}

	@Test
	void neverNeedsMoreThanTwelveBytesToDecide() {
		long seed = System.nanoTime();
		Random random = new Random(seed);
		String likely = "0123456789\r\n";
		for (int round = 0; round < 200_000; round++) {
			byte[] bytes = new byte[12];
			for (int i = 0; i < bytes.length; i++) {
				bytes[i] = (random.nextInt(8) == 0) ? (byte) random.nextInt()
						: (byte) likely.charAt(random.nextInt(likely.length()));
			}
			String text = new String(bytes, StandardCharsets.ISO_8859_1);
			ByteBuf buffer = Unpooled.wrappedBuffer(bytes);
			Integer expected = expected(text);
			try {
				int slot = new SlotLineDecoder().decode(buffer);
				assertThat(slot).as("seed %d: %s", seed, text).isEqualTo(expected);
				assertThat(buffer.readerIndex()).isEqualTo(text.indexOf('\n') + 1);
			}
			catch (ProtocolException ex) {
				assertThat(expected).as("seed %d: %s", seed, text).isNull();
			}
		}
	}

	private static Integer expected(String text) {
		int end = text.indexOf("\r\n");
		if (end < 1 || end > 10 || !text.substring(0, end).matches("[0-9]+")) {
			return null;
		}
		long value = Long.parseLong(text.substring(0, end));
		return (value <= Integer.MAX_VALUE) ? (int) value : null;
	}

}
