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

package io.callosum.simulation;

import java.util.List;

/**
 * A client of one arm.
 *
 * @author The Callosum authors
 */
public interface SimulatedClient {

	/**
	 * Begin to dial.
	 * @param servers the servers that are known from the start
	 */
	void start(List<SimulatedServer> servers);

	/**
	 * Close everything.
	 */
	void stop();

	/**
	 * Use a new list of servers.
	 * @param servers all servers
	 */
	void serversChanged(List<SimulatedServer> servers);

	/**
	 * Send a request as soon as possible, and complete it.
	 * @param request the request
	 */
	void request(Request request);

	/**
	 * Give up a request that has timed out: nothing waits for its answer.
	 * @param request the request, which is done
	 */
	void timedOut(Request request);

}
