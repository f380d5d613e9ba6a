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

import java.lang.management.ManagementFactory;

import reactor.netty.resources.ConnectionProvider;
import reactor.netty.tcp.TcpClient;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/**
 * An application that does nothing but start, in a process of its own. Prints the
 * milliseconds from the start of the JVM, and ends.
 *
 * @author The Callosum authors
 */
final class StartMain {

	private StartMain() {
	}

	public static void main(String[] args) {
		SpringApplication.run(Application.class, args);
		long now = System.currentTimeMillis();
		System.out.println("STARTED " + (now - ManagementFactory.getRuntimeMXBean().getStartTime()));
		System.out.flush();
		Runtime.getRuntime().halt(0);
	}

	/**
	 * The application.
	 */
	@Configuration(proxyBeanMethods = false)
	@EnableAutoConfiguration
	static class Application {

		@Bean
		@ConditionalOnProperty("benchmark.reactor-netty")
		Object reactorNetty() {
			return ReactorNettyRival.start(Transport.EPOLL);
		}

		@Bean
		@ConditionalOnProperty("benchmark.reactor-netty-client")
		Object reactorNettyClient() {
			TcpClient client = TcpClient.create(ConnectionProvider.create("benchmark", 10)).host("localhost").port(1);
			// Starts to connect without waiting, as Callosum's client does
			client.connect().onErrorComplete().subscribe();
			return client;
		}

	}

}
