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

import java.io.IOException;
import java.io.PrintStream;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.TimeUnit;

import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import io.netty.handler.codec.LineBasedFrameDecoder;
import org.reactivestreams.Publisher;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.netty.DisposableServer;
import reactor.netty.NettyInbound;
import reactor.netty.NettyOutbound;
import reactor.netty.tcp.TcpServer;

import org.springframework.beans.factory.DisposableBean;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.Banner;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

import io.callosum.server.ConnectionHandler;

/**
 * A server of a fleet, in a process of its own. It is a Spring Boot application with any
 * protocol, so that all take equally long to start. Prints a line when it is up, and ends
 * when its standard input does.
 *
 * @author The Callosum authors
 */
final class FleetServerMain {

	private static final Duration DRAIN = Duration.ofSeconds(3);

	private FleetServerMain() {
	}

	public static void main(String[] args) throws IOException {
		PrintStream answers = System.out;
		System.setOut(System.err);
		SpringApplication application = new SpringApplication(Application.class);
		application.setBannerMode(Banner.Mode.OFF);
		application.setDefaultProperties(Map.of("fleet.protocol", args[0], "fleet.host", args[1], "fleet.port", args[2],
				"fleet.server", args[3], "callosum.server.enabled", args[0].equals(FleetProtocol.CALLOSUM.toString()),
				"callosum.server.host", args[1], "callosum.server.port", args[2],
				"spring.lifecycle.timeout-per-shutdown-phase", DRAIN));
		application.run();
		answers.println("up");
		while (System.in.read() >= 0) {
			// No input is expected
		}
		Runtime.getRuntime().halt(0);
	}

	/**
	 * The application.
	 */
	@Configuration(proxyBeanMethods = false)
	@EnableAutoConfiguration
	static class Application {

		@Bean
		FleetWork work(@Value("${fleet.server}") int server) {
			return new FleetWork(server);
		}

		@Bean
		@ConditionalOnProperty(name = "fleet.protocol", havingValue = "callosum")
		ConnectionHandler connectionHandler(FleetWork work) {
			return (connection) -> handle(connection.inbound(), connection.outbound(), work);
		}

		@Bean
		@ConditionalOnProperty(name = "fleet.protocol", havingValue = "lines")
		DisposableBean reactorNetty(FleetWork work, @Value("${fleet.host}") String host,
				@Value("${fleet.port}") int port) {
			DisposableServer server = TcpServer.create()
				.host(host)
				.port(port)
				.handle((inbound, outbound) -> handle(inbound, outbound, work))
				.bindNow();
			return () -> server.disposeNow(DRAIN);
		}

		private static Publisher<Void> handle(NettyInbound inbound, NettyOutbound outbound, FleetWork work) {
			Flux<String> answers = inbound
				.withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(1024)))
				.receive()
				.asString()
				.concatMap(work::answer)
				.map((answer) -> answer + "\n");
			return outbound.sendString(answers);
		}

		@Bean
		@ConditionalOnProperty(name = "fleet.protocol", havingValue = "grpc")
		DisposableBean grpc(FleetWork work, @Value("${fleet.host}") String host, @Value("${fleet.port}") int port)
				throws IOException {
			Server server = NettyServerBuilder.forAddress(new InetSocketAddress(host, port))
				.addService(ServerServiceDefinition.builder(FleetMethod.SERVICE)
					.addMethod(FleetMethod.DESCRIPTOR,
							ServerCalls.asyncUnaryCall((request, observer) -> answer(work, request, observer)))
					.build())
				.build()
				.start();
			return () -> {
				server.shutdown();
				if (!server.awaitTermination(DRAIN.toMillis(), TimeUnit.MILLISECONDS)) {
					server.shutdownNow();
				}
			};
		}

		private static void answer(FleetWork work, String request, StreamObserver<String> observer) {
			Disposable answer = work.answer(request)
				.subscribe(observer::onNext, observer::onError, observer::onCompleted);
			((ServerCallStreamObserver<String>) observer).setOnCancelHandler(answer::dispose);
		}

	}

}
