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

package io.callosum.client;

import java.time.Duration;
import java.util.function.UnaryOperator;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.extension.RegisterExtension;

import io.callosum.server.Link;

/**
 * Base class for tests of clients, over sockets, with a scripted server.
 */
abstract class AbstractScriptedServerTests {

	static final Duration TIMEOUT = Duration.ofSeconds(20);

	@RegisterExtension
	final TestClientPool clients = new TestClientPool();

	final Link link;

	final ScriptedServer server;

	AbstractScriptedServerTests(Link link) {
		this.link = link;
		this.server = new ScriptedServer(link.isSecure());
	}

	@AfterEach
	void close() {
		this.server.close();
	}

	CallosumClient start(UnaryOperator<CallosumClient.Builder> customizer) {
		return this.clients.start(this.link, customizer, this.server.address());
	}

}
