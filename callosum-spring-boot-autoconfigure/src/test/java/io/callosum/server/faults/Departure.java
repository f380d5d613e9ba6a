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

package io.callosum.server.faults;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.function.Consumer;

import io.callosum.server.TestClient;

/**
 * How a peer leaves. With TLS, {@code FIN} and {@code HALF_CLOSE} close TLS first, and
 * the others do not.
 */
enum Departure {

	FIN(TestClient::close),

	HALF_CLOSE((client) -> {
		try {
			client.socket().shutdownOutput();
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}),

	CUT(TestClient::cut),

	RST(TestClient::reset),

	BYTES_AND_CUT((client) -> client.send(new byte[1024]).cut()),

	BYTES_AND_RST((client) -> client.send(new byte[1024]).reset());

	private final Consumer<TestClient> how;

	Departure(Consumer<TestClient> how) {
		this.how = how;
	}

	void leave(TestClient client) {
		this.how.accept(client);
	}

}
