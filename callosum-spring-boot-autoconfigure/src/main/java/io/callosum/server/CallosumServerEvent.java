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

import java.net.InetSocketAddress;

import org.springframework.context.ApplicationEvent;

/**
 * Base class of the events of a {@link CallosumServer}, which is their source. The events
 * of a connection are published on its event loop, where listeners must not block, unless
 * the server has a listener executor.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public abstract class CallosumServerEvent extends ApplicationEvent {

	CallosumServerEvent(CallosumServer server) {
		super(server);
	}

	/**
	 * Return the server that published the event.
	 * @return the server
	 */
	public final CallosumServer getServer() {
		return (CallosumServer) getSource();
	}

	@Override
	public String toString() {
		return getClass().getSimpleName() + "[" + describe() + "]";
	}

	String describe() {
		InetSocketAddress address = getServer().address();
		return (address != null) ? "address=" + address : "";
	}

}
