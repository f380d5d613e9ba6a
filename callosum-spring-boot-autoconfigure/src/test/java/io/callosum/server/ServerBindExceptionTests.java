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

import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketAddress;
import java.net.SocketException;
import java.net.UnknownHostException;
import java.nio.channels.UnresolvedAddressException;
import java.nio.channels.UnsupportedAddressTypeException;

import io.netty.channel.unix.Errors.NativeIoException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

import io.callosum.server.ServerBindException.Reason;

import static org.assertj.core.api.Assertions.assertThat;
import static org.mockito.BDDMockito.given;
import static org.mockito.Mockito.mock;

/**
 * Tests for {@link ServerBindException}. None depends on the language of the system.
 *
 * @author The Callosum authors
 */
class ServerBindExceptionTests {

	private static final String WORDS = "Das geht nicht";

	@ParameterizedTest
	@CsvSource({ "98, PORT_IN_USE", "13, PERMISSION_DENIED", "99, ADDRESS_NOT_AVAILABLE", "97, ADDRESS_NOT_AVAILABLE",
			"105, OTHER" })
	void theReasonOnANativeTransportIsThatOfTheErrorNumber(int number, Reason reason) {
		NativeIoException cause = mock(NativeIoException.class);
		given(cause.expectedErr()).willReturn(-number);
		given(cause.getMessage()).willReturn(WORDS);
		assertThat(reason(InetSocketAddress.createUnresolved("127.0.0.1", 4040), cause)).isEqualTo(reason);
	}

	@Test
	void theReasonOnNioIsAPortInUseWhereSomebodyListens() throws IOException {
		try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
			assertThat(reason(taken.getLocalSocketAddress(), new BindException(WORDS))).isEqualTo(Reason.PORT_IN_USE);
			assertThat(reason(new InetSocketAddress(taken.getLocalPort()), new BindException(WORDS)))
				.isEqualTo(Reason.PORT_IN_USE);
		}
	}

	@Test
	void theReasonOnNioIsAPortInUseWhereSomebodyHasItWithoutListening() throws IOException {
		try (Socket taken = new Socket()) {
			taken.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
			assertThat(reason(taken.getLocalSocketAddress(), new BindException(WORDS))).isEqualTo(Reason.PORT_IN_USE);
		}
	}

	@Test
	void theReasonOnNioIsTheAddressWhereItIsOfNoInterface() {
		assertThat(reason(InetSocketAddress.createUnresolved("192.0.2.1", 4040), new BindException(WORDS)))
			.isEqualTo(Reason.ADDRESS_NOT_AVAILABLE);
		assertThat(reason(InetSocketAddress.createUnresolved("2001:db8::1", 4040), new SocketException(WORDS)))
			.isEqualTo(Reason.ADDRESS_NOT_AVAILABLE);
		assertThat(reason(InetSocketAddress.createUnresolved("2001:db8::1", 0), new UnsupportedAddressTypeException()))
			.isEqualTo(Reason.ADDRESS_NOT_AVAILABLE);
	}

	@Test
	void theReasonIsTheHostWhereItsNameCannotBeResolved() {
		InetSocketAddress address = InetSocketAddress.createUnresolved("x.invalid", 4040);
		assertThat(reason(address, new UnresolvedAddressException())).isEqualTo(Reason.UNKNOWN_HOST);
		assertThat(reason(address, new UnknownHostException(WORDS))).isEqualTo(Reason.UNKNOWN_HOST);
		assertThat(reason(address, new SocketException(WORDS))).isEqualTo(Reason.UNKNOWN_HOST);
	}

	@Test
	void anyOtherReasonIsToldInTheWordsOfItsCause() {
		InetSocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
		assertThat(reason(address, new SocketException(WORDS))).isEqualTo(Reason.OTHER);
		assertThat(ServerBindException.of(address, new IllegalStateException(WORDS)))
			.returns(Reason.OTHER, ServerBindException::getReason)
			.hasMessageContaining(WORDS);
		assertThat(ServerBindException.of(address, new IllegalStateException(new InterruptedException())))
			.hasMessageEndingWith(": java.lang.InterruptedException");
	}

	private static Reason reason(SocketAddress address, Exception cause) {
		return ServerBindException.of((InetSocketAddress) address, new IllegalStateException(cause)).getReason();
	}

}
