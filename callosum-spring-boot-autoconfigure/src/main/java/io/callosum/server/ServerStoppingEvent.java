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
 * Published when the server begins to stop. Its port already refuses new connections.
 * Open connections are drained or closed when the listeners have returned, or after ten
 * seconds at the latest.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public class ServerStoppingEvent extends CallosumServerEvent {

	/**
	 * Create a new event.
	 * @param server the server that is stopping
	 */
	public ServerStoppingEvent(CallosumServer server) {
		super(server);
	}

}
