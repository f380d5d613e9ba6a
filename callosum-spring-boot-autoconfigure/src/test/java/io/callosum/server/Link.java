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

/**
 * What lies between a client and the server: a transport, with or without TLS.
 */
public enum Link {

	EPOLL(Transport.EPOLL, false), EPOLL_TLS(Transport.EPOLL, true), NIO(Transport.NIO, false),
	NIO_TLS(Transport.NIO, true);

	private final Transport transport;

	private final boolean secure;

	Link(Transport transport, boolean secure) {
		this.transport = transport;
		this.secure = secure;
	}

	public Transport transport() {
		return this.transport;
	}

	public boolean isSecure() {
		return this.secure;
	}

	public static Link plain(Transport transport) {
		return of(transport, false);
	}

	public static Link of(Transport transport, boolean secure) {
		return switch (transport) {
			case EPOLL -> secure ? EPOLL_TLS : EPOLL;
			case NIO -> secure ? NIO_TLS : NIO;
		};
	}

}
