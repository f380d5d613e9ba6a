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

package io.callosum.example;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;

import org.springframework.stereotype.Component;

import io.callosum.client.CallosumClient;

/**
 * The client that the README shows.
 */
@Component
class EchoClient {

	private final CallosumClient client;

	EchoClient(CallosumClient client) {
		this.client = client;
	}

	String echo(String text) throws IOException {
		return this.client.execute((lease) -> {
			lease.outputStream().write((text + "\r\n").getBytes(StandardCharsets.UTF_8));
			return new BufferedReader(new InputStreamReader(lease.inputStream(), StandardCharsets.UTF_8)).readLine();
		});
	}

}
