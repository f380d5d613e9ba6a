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

package io.callosum.server.autoconfigure.actuate;

import java.net.Socket;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.stream.IntStream;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;

import org.springframework.boot.actuate.autoconfigure.endpoint.EndpointAutoConfiguration;
import org.springframework.boot.actuate.autoconfigure.endpoint.jmx.JmxEndpointAutoConfiguration;
import org.springframework.boot.actuate.endpoint.EndpointAccessResolver;
import org.springframework.boot.actuate.endpoint.InvalidEndpointRequestException;
import org.springframework.boot.actuate.endpoint.InvocationContext;
import org.springframework.boot.actuate.endpoint.Operation;
import org.springframework.boot.actuate.endpoint.OperationFilter;
import org.springframework.boot.actuate.endpoint.SecurityContext;
import org.springframework.boot.actuate.endpoint.annotation.Endpoint;
import org.springframework.boot.actuate.endpoint.invoke.ParameterValueMapper;
import org.springframework.boot.actuate.endpoint.jmx.JmxEndpointsSupplier;
import org.springframework.boot.actuate.endpoint.web.EndpointMediaTypes;
import org.springframework.boot.actuate.endpoint.web.WebEndpointResponse;
import org.springframework.boot.actuate.endpoint.web.annotation.WebEndpointDiscoverer;
import org.springframework.boot.autoconfigure.jmx.JmxAutoConfiguration;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.ApplicationContext;

import io.callosum.server.CallosumServer;
import io.callosum.server.ConnectionHandler;
import io.callosum.server.EndReason;
import io.callosum.server.SlotFreeEvent;
import io.callosum.server.autoconfigure.actuate.Applications.Clients;
import io.callosum.server.autoconfigure.actuate.CallosumEndpoint.ConnectionDescriptor;
import io.callosum.server.autoconfigure.actuate.CallosumEndpoint.LimitsDescriptor;
import io.callosum.server.autoconfigure.actuate.CallosumEndpoint.ServerDescriptor;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/**
 * Tests for the Actuator endpoint, through what Spring Boot exposes of it over JMX and
 * the web.
 */
@ParameterizedClass
@ValueSource(booleans = { true, false })
class CallosumEndpointTests {

	@Parameter
	boolean nativeTransport;

	@Test
	void showsTheServer() {
		runner().withPropertyValues("callosum.server.max-connections=7").run((context) -> {
			CallosumServer server = Applications.server(context);
			assertThat(read(context)).isEqualTo(new ServerDescriptor("running",
					"127.0.0.1:" + server.address().getPort(), new LimitsDescriptor(7, null), 1, 0, null, List.of()));
			context.stop();
			assertThat(read(context))
				.isEqualTo(new ServerDescriptor("stopped", null, new LimitsDescriptor(7, null), 1, 0, null, List.of()));
		});
	}

	@Test
	void showsAServerThatDrains() {
		Applications.whileDraining(runner(), (context) -> {
			Applications.await(() -> assertThat(read(context).state()).isEqualTo("stopping"));
			assertThat(read(context).total()).isOne();
		});
	}

	@Test
	void showsConnectionsBySlot() {
		ConnectionHandler handler = (
				connection) -> connection.outbound().sendString(connection.inbound().receive().asString()).then();
		runner().withBean(ConnectionHandler.class, () -> handler).run((context) -> {
			try (Clients clients = new Clients()) {
				Instant before = Instant.now();
				clients.slot(Applications.server(context));
				Socket second = clients.connect(Applications.server(context));
				Clients.readSlot(second);
				Clients.send(second, "12345\n");
				while (Clients.read(second) != '\n') {
					assertThat(second.isConnected()).isTrue();
				}
				List<ConnectionDescriptor> connections = read(context).connections();
				assertThat(connections).extracting(ConnectionDescriptor::slot).containsExactly(0, 1);
				assertThat(connections).extracting(ConnectionDescriptor::id)
					.containsExactly(Applications.server(context)
						.connections()
						.stream()
						.map((connection) -> connection.id())
						.toArray(String[]::new));
				assertThat(connections).extracting(ConnectionDescriptor::remoteAddress).containsOnlyNulls();
				assertThat(connections).extracting(ConnectionDescriptor::bytesReceived).containsExactly(0L, 6L);
				assertThat(connections).extracting(ConnectionDescriptor::bytesSent).containsExactly(3L, 9L);
				assertThat(connections).allSatisfy((connection) -> {
					assertThat(connection.connectedAt()).isBetween(before, Instant.now());
					assertThat(connection.age()).isBetween(Duration.ZERO, Duration.between(before, Instant.now()));
				});
				assertThat(read(context).highestSlot()).isOne();
			}
		});
	}

	@Test
	void showsAddressesOfPeersWhereThatIsAllowed() {
		runner().withPropertyValues("callosum.server.endpoint.show-addresses=true").run((context) -> {
			try (Clients clients = new Clients()) {
				clients.slot(Applications.server(context));
				assertThat(read(context).connections()).extracting(ConnectionDescriptor::remoteAddress)
					.containsExactly("127.0.0.1:" + clients.first().getLocalPort());
			}
		});
	}

	@Test
	void showsAtMostSoManyConnectionsFromASlotOn() {
		runner().run((context) -> {
			try (Clients clients = new Clients()) {
				for (int i = 0; i < 120; i++) {
					clients.slot(Applications.server(context));
				}
				assertThat(slots(context, Map.of())).containsExactlyElementsOf(range(0, 100));
				assertThat(slots(context, Map.of("fromSlot", "100"))).containsExactlyElementsOf(range(100, 120));
				assertThat(slots(context, Map.of("limit", "3", "fromSlot", "10"))).containsExactly(10, 11, 12);
				assertThat(slots(context, Map.of("limit", "1000"))).containsExactlyElementsOf(range(0, 120));
				assertThat(slots(context, Map.of("fromSlot", "120"))).isEmpty();
				assertThat(read(context).total()).isEqualTo(120);
				assertThat(read(context).highestSlot()).isEqualTo(119);
			}
		});
	}

	@Test
	void refusesParametersThatMakeNoSense() {
		runner().run((context) -> {
			for (Map<String, Object> arguments : List.<Map<String, Object>>of(Map.of("limit", 0), Map.of("limit", 1001),
					Map.of("fromSlot", -1))) {
				assertThatExceptionOfType(InvalidEndpointRequestException.class)
					.isThrownBy(() -> read(context, arguments))
					.withMessageContaining(arguments.keySet().iterator().next());
			}
		});
	}

	@Test
	void closesOneConnection() {
		ConcurrentLinkedQueue<SlotFreeEvent> freed = new ConcurrentLinkedQueue<>();
		runner().withPropertyValues("management.endpoint.callosum.access=unrestricted")
			.withInitializer(Applications.on(SlotFreeEvent.class, freed::add))
			.run((context) -> {
				try (Clients clients = new Clients()) {
					clients.slot(Applications.server(context));
					clients.slot(Applications.server(context));
					String id = read(context).connections().get(0).id();
					assertThat(jmx(context, "closeConnection").invoke(arguments(Map.of("connectionId", id))))
						.isEqualTo(true);
					assertThat(Clients.read(clients.first())).isEqualTo(-1);
					Applications.await(() -> assertThat(freed).singleElement().satisfies((event) -> {
						assertThat(event.getConnection().id()).isEqualTo(id);
						assertThat(event.getReason()).isEqualTo(EndReason.APPLICATION_CLOSED);
					}));
					Applications.await(() -> assertThat(slots(context, Map.of())).containsExactly(1));
					assertThat(jmx(context, "closeConnection").invoke(arguments(Map.of("connectionId", id))))
						.isEqualTo(false);
				}
			});
	}

	@Test
	void closesOneConnectionByHttp() {
		runner().withPropertyValues("management.endpoint.callosum.access=unrestricted").run((context) -> {
			try (Clients clients = new Clients()) {
				clients.slot(Applications.server(context));
				String id = read(context).connections().get(0).id();
				Operation delete = web(context).get("DELETE to path 'callosum/{connectionId}'");
				assertThat(delete).isNotNull();
				assertThat(delete.invoke(arguments(Map.of("connectionId", id))))
					.isInstanceOfSatisfying(WebEndpointResponse.class, (response) -> {
						assertThat(response.getStatus()).isEqualTo(204);
						assertThat(response.getBody()).isNull();
					});
				assertThat(Clients.read(clients.first())).isEqualTo(-1);
				assertThat(delete.invoke(arguments(Map.of("connectionId", "no-such")))).isInstanceOfSatisfying(
						WebEndpointResponse.class, (response) -> assertThat(response.getStatus()).isEqualTo(404));
			}
		});
	}

	@Test
	void closesNothingUnlessThatIsAllowed() {
		runner().run((context) -> {
			assertThat(web(context).keySet()).containsExactly("GET to path 'callosum'");
			assertThat(context.getBean(JmxEndpointsSupplier.class).getEndpoints()).singleElement()
				.satisfies((endpoint) -> assertThat(endpoint.getOperations()).extracting((op) -> op.getName())
					.containsExactly("server"));
		});
	}

	@Test
	void thereIsNoneUnlessItIsExposed() {
		runner()
			.withPropertyValues("management.endpoints.jmx.exposure.include=health",
					"management.endpoints.web.exposure.include=health")
			.run((context) -> assertThat(context).hasNotFailed()
				.doesNotHaveBean(CallosumEndpoint.class)
				.doesNotHaveBean(CallosumEndpointWebExtension.class));
		runner().withPropertyValues("management.endpoint.callosum.access=none")
			.run((context) -> assertThat(context).hasNotFailed()
				.doesNotHaveBean(CallosumEndpoint.class)
				.doesNotHaveBean(CallosumEndpointWebExtension.class));
	}

	@Test
	void thereIsNoExtensionUnlessItIsExposedToTheWeb() {
		runner().withPropertyValues("management.endpoints.web.exposure.include=health")
			.run((context) -> assertThat(context).hasSingleBean(CallosumEndpoint.class)
				.doesNotHaveBean(CallosumEndpointWebExtension.class));
	}

	@Test
	void thereIsNoneWithoutAServer() {
		runner().withPropertyValues("callosum.server.enabled=false")
			.run((context) -> assertThat(context).hasNotFailed()
				.doesNotHaveBean(CallosumEndpoint.class)
				.doesNotHaveBean(CallosumEndpointWebExtension.class));
	}

	@Test
	void thereIsNoneWithoutTheActuator() {
		Applications.runner(CallosumEndpointAutoConfiguration.class)
			.withPropertyValues("management.endpoints.web.exposure.include=callosum")
			.withClassLoader(new FilteredClassLoader(Endpoint.class))
			.run((context) -> assertThat(context).hasNotFailed()
				.hasSingleBean(CallosumServer.class)
				.doesNotHaveBean(CallosumEndpointAutoConfiguration.class));
	}

	private ApplicationContextRunner runner() {
		return Applications
			.runner(JmxAutoConfiguration.class, EndpointAutoConfiguration.class, JmxEndpointAutoConfiguration.class,
					CallosumEndpointAutoConfiguration.class)
			.withPropertyValues("spring.jmx.enabled=true", "management.endpoints.jmx.exposure.include=callosum",
					"management.endpoints.web.exposure.include=callosum", Applications.transport(this.nativeTransport));
	}

	private static Operation jmx(ApplicationContext context, String name) {
		return context.getBean(JmxEndpointsSupplier.class)
			.getEndpoints()
			.stream()
			.flatMap((endpoint) -> endpoint.getOperations().stream())
			.filter((operation) -> operation.getName().equals(name))
			.findFirst()
			.orElseThrow();
	}

	/**
	 * Return the operations that a web application would have, by request.
	 */
	private static Map<String, Operation> web(ApplicationContext context) {
		Map<String, Operation> operations = new TreeMap<>();
		new WebEndpointDiscoverer(context, context.getBean(ParameterValueMapper.class), EndpointMediaTypes.DEFAULT,
				null, null, List.of(), List.of(),
				List.of(OperationFilter.byAccess(context.getBean(EndpointAccessResolver.class))))
			.getEndpoints()
			.forEach((endpoint) -> endpoint.getOperations()
				.forEach((operation) -> operations.put(operation.getRequestPredicate().getHttpMethod() + " to path '"
						+ operation.getRequestPredicate().getPath() + "'", operation)));
		return operations;
	}

	private static InvocationContext arguments(Map<String, Object> arguments) {
		return new InvocationContext(SecurityContext.NONE, arguments);
	}

	private static ServerDescriptor read(ApplicationContext context) {
		return read(context, Map.of());
	}

	private static ServerDescriptor read(ApplicationContext context, Map<String, Object> arguments) {
		return (ServerDescriptor) jmx(context, "server").invoke(arguments(arguments));
	}

	private static List<Integer> slots(ApplicationContext context, Map<String, Object> arguments) {
		return read(context, arguments).connections().stream().map(ConnectionDescriptor::slot).toList();
	}

	private static List<Integer> range(int from, int to) {
		return IntStream.range(from, to).boxed().toList();
	}

}
