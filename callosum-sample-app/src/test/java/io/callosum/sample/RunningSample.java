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
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;

import io.callosum.server.CallosumServer;

/**
 * The sample, run in this JVM on ports that the system chooses, and its clients.
 */
final class RunningSample implements AutoCloseable {

	static {
		BufferLeaks.watch();
	}

	private final ConfigurableApplicationContext context;

	private final List<Socket> clients = new ArrayList<>();

	RunningSample(List<Class<?>> sources, String... properties) {
		SpringApplicationBuilder builder = new SpringApplicationBuilder(SampleApplication.class)
			.sources(sources.toArray(Class<?>[]::new))
			.properties(Map.of("spring.devtools.restart.enabled", "false"));
		List<String> arguments = new ArrayList<>(List.of("--callosum.server.port=0", "--server.port=0"));
		for (String property : properties) {
			arguments.add("--" + property);
		}
		this.context = builder.run(arguments.toArray(String[]::new));
	}

	CallosumServer server() {
		return this.context.getBean(CallosumServer.class);
	}

	<T> T bean(Class<T> type) {
		return this.context.getBean(type);
	}

	int httpPort() {
		return this.context.getEnvironment().getRequiredProperty("local.server.port", Integer.class);
	}

	int port() {
		return this.server().address().getPort();
	}

	/**
	 * Connect, and wait for the slot.
	 */
	Socket connect() throws IOException {
		Socket client = connectOnly();
		readLine(client);
		return client;
	}

	Socket connectOnly() throws IOException {
		Socket client = new Socket(InetAddress.getByName("127.0.0.1"), port());
		client.setSoTimeout(30_000);
		this.clients.add(client);
		return client;
	}

	List<Socket> connect(int count) throws IOException {
		List<Socket> connected = new ArrayList<>();
		for (int i = 0; i < count; i++) {
			connected.add(connect());
		}
		return connected;
	}

	void disconnectAll() throws IOException {
		for (Socket client : this.clients) {
			client.close();
		}
		this.clients.clear();
	}

	/**
	 * Send a request by hand, because HTTP clients choose some headers themselves.
	 */
	Response request(String request, String... headers) throws IOException {
		try (Socket socket = new Socket(InetAddress.getByName("127.0.0.1"), httpPort())) {
			socket.setSoTimeout(60_000);
			socket.getOutputStream()
				.write((request + " HTTP/1.1\r\n" + String.join("\r\n", headers) + "\r\nConnection: close\r\n\r\n")
					.getBytes(StandardCharsets.US_ASCII));
			String response = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
			int end = response.indexOf("\r\n\r\n");
			return new Response(Integer.parseInt(response.split(" ")[1]), response.substring(0, end),
					response.substring(end + 4));
		}
	}

	static String readLine(Socket client) throws IOException {
		return new BufferedReader(new InputStreamReader(client.getInputStream(), StandardCharsets.US_ASCII)).readLine();
	}

	/**
	 * Stop, and fail if a buffer was lost.
	 */
	@Override
	public void close() throws IOException {
		disconnectAll();
		this.context.close();
		BufferLeaks.verifyNone();
	}

	record Response(int status, String head, String body) {

	}

}
