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

import java.io.IOException;
import java.net.SocketException;
import java.nio.channels.ClosedChannelException;

import javax.net.ssl.SSLException;
import javax.net.ssl.SSLProtocolException;

import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelPromise;
import io.netty.channel.DefaultFileRegion;
import io.netty.handler.ssl.NotSslRecordException;
import io.netty.handler.ssl.SslClosedEngineException;
import reactor.netty.channel.AbortedException;

/**
 * Distinguishes a peer that has gone from a fault.
 */
public final class Disconnects {

	private Disconnects() {
	}

	/**
	 * Return whether an error only means that the connection is gone.
	 * @param error the error
	 * @return {@code false} if it is a fault
	 */
	public static boolean isPeerGone(Throwable error) {
		if (error instanceof ClosedChannelException || error instanceof AbortedException
				|| error instanceof SslClosedEngineException) {
			return true;
		}
		if (!(error instanceof IOException) || error instanceof SSLException) {
			return false;
		}
		SystemError systemError = SystemError.of(error);
		if (systemError != null) {
			return switch (systemError) {
				case BROKEN_PIPE, CONNECTION_RESET, CONNECTION_ABORTED, TIMED_OUT, HOST_UNREACHABLE,
						NETWORK_UNREACHABLE ->
					true;
				default -> false;
			};
		}
		return isFromNioSocket(error);
	}

	/**
	 * Return whether an NIO socket channel has failed. Whatever the reason, the
	 * connection is no longer usable, and only the message of the exception says more,
	 * and it may be localized.
	 */
	private static boolean isFromNioSocket(Throwable error) {
		StackTraceElement[] stackTrace = error.getStackTrace();
		for (StackTraceElement element : stackTrace) {
			if (!element.getClassName().startsWith("sun.nio.ch.")) {
				// The system was copying a file to the socket
				return element.getClassName().equals(DefaultFileRegion.class.getName());
			}
			if (element.getClassName().equals("sun.nio.ch.SocketChannelImpl")) {
				return true;
			}
		}
		// Java may be configured to omit stack traces
		return stackTrace.length == 0
				&& (error.getClass() == IOException.class || error.getClass() == SocketException.class);
	}

	/**
	 * Return whether a peer has requested a server name that Java considers illegal.
	 * Java's TLS implementation responds to it with a fatal alert.
	 * @param error why the handshake failed
	 * @return {@code true} if the peer is to blame
	 */
	public static boolean isIllegalServerName(Throwable error) {
		for (Throwable cause = error; cause != null; cause = cause.getCause()) {
			if (cause instanceof SSLProtocolException && cause.getCause() instanceof IllegalArgumentException) {
				return true;
			}
		}
		return false;
	}

	/**
	 * Return an error without any bytes that a peer has sent by mistake: Netty quotes the
	 * first bytes of a client that does not speak TLS, which may be a password.
	 * @param error the error
	 * @return the error itself, or an equivalent one without these bytes
	 */
	public static Throwable withoutBytesOfPeer(Throwable error) {
		for (Throwable cause = error; cause != null; cause = cause.getCause()) {
			if (cause instanceof NotSslRecordException) {
				return new NotSslRecordException("The peer sent something other than TLS");
			}
		}
		return error;
	}

	/**
	 * Return whether an error results from using a connection that is closed.
	 * @param error the error
	 * @return {@code false} if it is a fault
	 */
	public static boolean isUseAfterClose(Throwable error) {
		String message = error.getMessage();
		// From the placeholder that Reactor Netty uses for a closed channel
		return (error instanceof IllegalStateException && "channel not registered to an event loop".equals(message))
				// From a write that began on another thread just before the end
				|| (error instanceof NullPointerException && "reactiveBridge is not installed".equals(message));
	}

	/**
	 * Return whether a failed write has closed a channel. The pipeline is not notified,
	 * but the failure of any later write carries the cause. Event loop, or after it.
	 * @param channel a channel that is closed
	 * @return {@code false} if it closed for another reason
	 */
	public static boolean hasWriteFailed(Channel channel) {
		assert Channels.isOnLoopOrAfter(channel);
		ChannelPromise promise = channel.newPromise();
		channel.unsafe().write(Unpooled.EMPTY_BUFFER, promise);
		Throwable failure = promise.cause();
		return failure != null && failure.getCause() instanceof IOException;
	}

}
