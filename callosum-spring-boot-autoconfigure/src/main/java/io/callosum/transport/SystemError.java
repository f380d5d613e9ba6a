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

import java.util.Locale;

import io.netty.channel.unix.Errors.NativeIoException;
import org.jspecify.annotations.Nullable;

import org.springframework.util.ClassUtils;

/**
 * The reason why a system call of a native transport failed. It is identified by its
 * error number, because the message may be localized.
 */
public enum SystemError {

	/**
	 * EACCES.
	 */
	ACCESS_DENIED(13, 13),

	/**
	 * EADDRINUSE.
	 */
	ADDRESS_IN_USE(98, 48),

	/**
	 * EADDRNOTAVAIL.
	 */
	ADDRESS_NOT_AVAILABLE(99, 49),

	/**
	 * EAFNOSUPPORT, for example for an IPv6 address on a system without IPv6.
	 */
	ADDRESS_FAMILY_NOT_SUPPORTED(97, 47),

	/**
	 * EPIPE.
	 */
	BROKEN_PIPE(32, 32),

	/**
	 * ECONNRESET.
	 */
	CONNECTION_RESET(104, 54),

	/**
	 * ECONNABORTED.
	 */
	CONNECTION_ABORTED(103, 53),

	/**
	 * ETIMEDOUT.
	 */
	TIMED_OUT(110, 60),

	/**
	 * EHOSTUNREACH.
	 */
	HOST_UNREACHABLE(113, 65),

	/**
	 * ENETUNREACH.
	 */
	NETWORK_UNREACHABLE(101, 51);

	private static final boolean NATIVE_TRANSPORT = ClassUtils.isPresent("io.netty.channel.unix.Errors",
			SystemError.class.getClassLoader());

	private static final boolean LINUX = System.getProperty("os.name", "").toLowerCase(Locale.ROOT).startsWith("linux");

	private final int linux;

	private final int bsd;

	SystemError(int linux, int bsd) {
		this.linux = linux;
		this.bsd = bsd;
	}

	/**
	 * Return why a call failed.
	 * @param error the exception that the transport threw
	 * @return the reason, or {@code null} if it is not one of these or the transport is
	 * not native
	 */
	public static @Nullable SystemError of(Throwable error) {
		return NATIVE_TRANSPORT ? NativeErrors.of(error) : null;
	}

	/**
	 * In a class of its own, because the class of the exception may be missing.
	 */
	private static final class NativeErrors {

		static @Nullable SystemError of(Throwable error) {
			if (error instanceof NativeIoException nativeError) {
				int number = Math.abs(nativeError.expectedErr());
				for (SystemError candidate : values()) {
					if (number == (LINUX ? candidate.linux : candidate.bsd)) {
						return candidate;
					}
				}
			}
			return null;
		}

	}

}
