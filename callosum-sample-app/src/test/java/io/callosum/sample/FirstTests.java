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

package io.callosum.sample;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.Socket;

import org.junit.jupiter.api.Test;

import org.springframework.boot.test.context.SpringBootTest;

import io.callosum.server.autoconfigure.LocalCallosumServerPort;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * The first test of an application, as shown in the README.
 */
@SpringBootTest(properties = "callosum.server.port=0")
class FirstTests {

	@LocalCallosumServerPort
	private int port;

	@Test
	void aClientGetsASlot() throws IOException {
		try (Socket socket = new Socket("localhost", this.port)) {
			String slot = new BufferedReader(new InputStreamReader(socket.getInputStream())).readLine();
			assertThat(slot).containsOnlyDigits();
		}
	}

}
