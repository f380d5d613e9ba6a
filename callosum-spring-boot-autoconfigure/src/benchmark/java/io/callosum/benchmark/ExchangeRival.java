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

package io.callosum.benchmark;

/**
 * The clients that are measured side by side.
 *
 * @author The Callosum authors
 */
enum ExchangeRival {

	/**
	 * Reactor Netty's client with its own pool.
	 */
	REACTOR_NETTY("Reactor Netty, fixed ConnectionProvider", ProviderExchangeClient::new),

	/**
	 * A pool of reactor-pool around Reactor Netty's client.
	 */
	REACTOR_POOL("Reactor Netty in reactor-pool", ReactorPoolExchangeClient::new),

	/**
	 * The product.
	 */
	CALLOSUM("Callosum", CallosumExchangeClient::new);

	final String title;

	final ExchangeClient.Factory client;

	ExchangeRival(String title, ExchangeClient.Factory client) {
		this.title = title;
		this.client = client;
	}

}
