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

import reactor.netty.tcp.TcpClient;

/**
 * Callback interface that customizes the Reactor Netty {@link TcpClient} of a
 * {@link CallosumClient}. Customizers are called in order on each start of the client,
 * after TCP keep-alive has been configured. Afterwards, the client sets the address,
 * resolver, connect timeout, half-closure, event loops and, if it has an
 * {@code SslProvider}, TLS, which a customizer therefore cannot replace, and adds its own
 * handlers.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
@FunctionalInterface
public interface CallosumTcpClientCustomizer {

	/**
	 * Customize the client. {@code TcpClient} is immutable: changes take effect through
	 * the returned instance.
	 * @param client the client to customize
	 * @return the customized client
	 */
	TcpClient customize(TcpClient client);

}
