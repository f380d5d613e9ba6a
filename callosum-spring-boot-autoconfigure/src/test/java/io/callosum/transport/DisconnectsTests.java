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

import java.io.FileNotFoundException;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketException;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

import javax.net.ssl.SSLException;

import io.netty.channel.DefaultFileRegion;
import io.netty.channel.unix.Errors.NativeIoException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.mockito.BDDMockito.given;
import static org.mockito.Mockito.mock;

/**
 * Tests for {@link Disconnects}. None depends on the language of the system.
 *
 * @author The Callosum authors
 */
class DisconnectsTests {

	private static final String WORDS = SocketErrors.reset().getMessage();

	@ParameterizedTest
	@CsvSource({ "104, true", "32, true", "103, true", "110, true", "113, true", "101, true", "12, false",
			"105, false" })
	void theErrorNumberTellsOnANativeTransport(int number, boolean peerGone) {
		NativeIoException error = mock(NativeIoException.class);
		given(error.expectedErr()).willReturn(-number);
		given(error.getMessage()).willReturn(WORDS);
		given(error.getStackTrace()).willReturn(new StackTraceElement[0]);
		assertThat(Disconnects.isPeerGone(error)).isEqualTo(peerGone);
	}

	@Test
	void whatASocketOfNioThrowsIsTheEndOfTheConnection() throws IOException {
		try (ServerSocketChannel server = ServerSocketChannel.open()
			.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)); SocketChannel accepted = reset(server)) {
			IOException read = catchThrowableOfType(IOException.class, () -> accepted.read(ByteBuffer.allocate(1)));
			IOException write = catchThrowableOfType(IOException.class, () -> {
				while (true) {
					accepted.write(ByteBuffer.allocate(1));
				}
			});
			assertThat(Disconnects.isPeerGone(translated(read))).isTrue();
			assertThat(Disconnects.isPeerGone(translated(write))).isTrue();
		}
	}

	@Test
	void theEndOfAConnectionToWhichAFileIsCopiedIsToo(@TempDir Path folder) throws IOException {
		Path file = Files.write(folder.resolve("file"), new byte[4096]);
		DefaultFileRegion region = new DefaultFileRegion(file.toFile(), 0, 4096);
		try (ServerSocketChannel server = ServerSocketChannel.open()
			.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)); SocketChannel accepted = reset(server)) {
			IOException error = catchThrowableOfType(IOException.class, () -> {
				while (true) {
					region.transferTo(accepted, 0);
				}
			});
			assertThat(Disconnects.isPeerGone(translated(error))).isTrue();
		}
		finally {
			region.release();
		}
	}

	@Test
	void whatAFileThrowsIsNot() throws IOException {
		try (FileChannel full = FileChannel.open(Path.of("/dev/full"), StandardOpenOption.WRITE)) {
			IOException error = catchThrowableOfType(IOException.class, () -> full.write(ByteBuffer.allocate(1)));
			assertThat(Disconnects.isPeerGone(error)).isFalse();
		}
	}

	@Test
	void theTypeTellsWhereItCan() {
		assertThat(Disconnects.isPeerGone(new ClosedChannelException())).isTrue();
		assertThat(Disconnects.isPeerGone(new SSLException("Connection reset"))).isFalse();
		assertThat(Disconnects.isPeerGone(new IllegalStateException("Connection reset"))).isFalse();
		assertThat(Disconnects.isPeerGone(new IOException(WORDS))).isFalse();
	}

	@Test
	void theWordsTellNothing() {
		assertThat(Disconnects.isPeerGone(new SocketException("Connection reset"))).isFalse();
		assertThat(Disconnects.isPeerGone(new IOException("Broken pipe"))).isFalse();
	}

	@Test
	void theTypeTellsWhereJavaLeavesStackTracesOut() {
		assertThat(Disconnects.isPeerGone(withoutStackTrace(new IOException(WORDS)))).isTrue();
		assertThat(Disconnects.isPeerGone(withoutStackTrace(new SocketException(WORDS)))).isTrue();
		assertThat(Disconnects.isPeerGone(withoutStackTrace(new FileNotFoundException(WORDS)))).isFalse();
	}

	private static IOException withoutStackTrace(IOException error) {
		error.setStackTrace(new StackTraceElement[0]);
		return error;
	}

	/**
	 * Return a connection that its peer has reset.
	 */
	private static SocketChannel reset(ServerSocketChannel server) throws IOException {
		try (SocketChannel client = SocketChannel.open(server.getLocalAddress())) {
			client.setOption(StandardSocketOptions.SO_LINGER, 0);
			return server.accept();
		}
	}

	private static IOException translated(IOException error) {
		IOException translated = SocketErrors.reset();
		translated.setStackTrace(error.getStackTrace());
		return translated;
	}

}
