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

package io.callosum.server.autoconfigure;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Executor;

import org.awaitility.Awaitility;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import org.springframework.boot.Banner;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.diagnostics.FailureAnalysis;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.env.StandardEnvironment;
import org.springframework.core.env.SystemEnvironmentPropertySource;

import io.callosum.server.BlockingConnectionHandler;
import io.callosum.server.CallosumTcpServerCustomizer;
import io.callosum.server.ConnectionHandler;
import io.callosum.server.ServerBindException;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatException;
import static org.mockito.BDDMockito.given;
import static org.mockito.Mockito.mock;

/**
 * Tests for what an application prints if it cannot start its server.
 *
 * @author The Callosum authors
 */
@ExtendWith(OutputCaptureExtension.class)
class StartFailureTests {

	@ParameterizedTest
	@ValueSource(booleans = { true, false })
	void aTakenPortIsNamedWithItsKeyAndTheRemedy(boolean nativeTransport, CapturedOutput output) throws IOException {
		try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
			int port = taken.getLocalPort();
			assertFails(Application.class, "--callosum.server.native-transport=" + nativeTransport,
					"--callosum.server.host=127.0.0.1", "--callosum.server.port=" + port);
			assertAnalysis(output, "cannot listen on 127.0.0.1:" + port + ": port " + port + " is already in use",
					"callosum.server.port");
		}
	}

	@ParameterizedTest
	@ValueSource(booleans = { true, false })
	void aTakenPortOfEveryAddressIsNamedToo(boolean nativeTransport, CapturedOutput output) throws IOException {
		try (ServerSocket taken = new ServerSocket()) {
			taken.bind(new InetSocketAddress(0));
			int port = taken.getLocalPort();
			assertFails(Application.class, "--callosum.server.native-transport=" + nativeTransport,
					"--callosum.server.port=" + port);
			assertAnalysis(output, "port " + port + " is already in use", "callosum.server.port");
		}
	}

	@ParameterizedTest
	@ValueSource(booleans = { true, false })
	void anUnknownHostIsNamedWithItsKeyAndTheRemedy(boolean nativeTransport, CapturedOutput output) {
		assertFails(Application.class, "--callosum.server.native-transport=" + nativeTransport,
				"--callosum.server.host=x.invalid", "--callosum.server.port=0");
		assertAnalysis(output, "x.invalid:0: the host name 'x.invalid' cannot be resolved", "callosum.server.host");
	}

	@ParameterizedTest
	@ValueSource(booleans = { true, false })
	void anAddressOfAnotherMachineIsNamedWithItsKeyAndTheRemedy(boolean nativeTransport, CapturedOutput output) {
		assertFails(Application.class, "--callosum.server.native-transport=" + nativeTransport,
				"--callosum.server.host=192.0.2.1", "--callosum.server.port=0");
		assertAnalysis(output, "192.0.2.1:0: no network interface of this machine has the address",
				"callosum.server.host");
	}

	@Test
	void aForbiddenPortIsNamedWithItsKeyAndTheRemedy() {
		FailureAnalysis analysis = analyze("::1", 443, ServerBindException.Reason.PERMISSION_DENIED,
				new IOException("test"));
		assertThat(analysis.getDescription()).contains("[::1]:443", "no permission to use port 443");
		assertThat(analysis.getAction()).contains("callosum.server.port", "CAP_NET_BIND_SERVICE");
	}

	@Test
	void anyOtherReasonIsToldInTheWordsOfTheSystem() {
		FailureAnalysis analysis = analyze("127.0.0.1", 4040, ServerBindException.Reason.OTHER,
				new IOException("bind failed: no buffer space"));
		assertThat(analysis.getDescription()).contains("127.0.0.1:4040", "bind failed: no buffer space");
		assertThat(analysis.getAction()).contains("callosum.server.host", "callosum.server.port");
	}

	private static FailureAnalysis analyze(String host, int port, ServerBindException.Reason reason, Throwable cause) {
		ServerBindException exception = mock(ServerBindException.class);
		given(exception.getAddress()).willReturn(InetSocketAddress.createUnresolved(host, port));
		given(exception.getReason()).willReturn(reason);
		given(exception.getCause()).willReturn(cause);
		FailureAnalysis analysis = new ServerBindFailureAnalyzer().analyze(exception, exception);
		assertThat(analysis).isNotNull();
		return analysis;
	}

	@ParameterizedTest
	@CsvSource(delimiter = '|', textBlock = """
			port                  | -1      | must be from 0 to 65535
			port                  | 65536   | must be from 0 to 65535
			backlog               | 0       | must be 1 or more
			backlog               | -5      | must be 1 or more
			max-connections       | 0       | must be 1 or more
			max-connections       | -1      | must be 1 or more
			max-connections-per-address | 0  | must be 1 or more
			max-pending-slot-requests | 0    | must be 1 or more
			read-ahead            | 0B      | must be from 1 byte to 1 gigabyte
			read-ahead            | 2GB     | must be from 1 byte to 1 gigabyte
			read-ahead-budget     | 0B      | must be 1 byte or more
			allowed-addresses     | 10.0.0.0/8,nowhere | is not an IP address or a range in CIDR notation
			allowed-addresses     | 10.0.0.0/33 | is not an IP address or a range in CIDR notation
			completion-timeout    | 0s      | must be more than 0
			completion-timeout    | -1s     | must be more than 0
			idle-timeout          | 0s      | must be more than 0
			idle-timeout          | -1s     | must be more than 0
			write-timeout         | 0s      | must be more than 0
			keep-alive.idle       | 0s      | must be from 1 second to 9 hours
			keep-alive.idle       | 10h     | must be from 1 second to 9 hours
			keep-alive.interval   | 999ms   | must be from 1 second to 9 hours
			keep-alive.count      | 0       | must be from 1 to 127
			keep-alive.count      | 128     | must be from 1 to 127
			ssl.handshake-timeout | 0s      | must be more than 0
			ssl.enabled           | true    | TLS needs a certificate. Set 'callosum.server.ssl.bundle'
			slot-timeout          | 0s      | must be more than 0
			slot-timeout          | -1s     | must be more than 0
			shutdown-quiet-period | 0ms     | must be more than 0
			shutdown-quiet-period | -1s     | must be more than 0
			worker-threads        | 0       | must be 1 or more
			worker-threads        | -2      | must be 1 or more
			""")
	void aValueOutOfRangeIsNamedWithItsKeyAndTheReason(String key, String value, String reason, CapturedOutput output) {
		assertFails(Application.class, "--callosum.server." + key + "=" + value);
		assertAnalysis(output, "for configuration property 'callosum.server." + key + "'", reason);
	}

	@ParameterizedTest
	@CsvSource(delimiter = '|', textBlock = """
			port                  | http
			backlog               | many
			enabled               | maybe
			max-connections       | none
			slot-timeout          | soon
			completion-timeout    | never
			idle-timeout          | never
			keep-alive.count      | often
			ssl.client-auth       | maybe
			ssl.enabled           | perhaps
			shutdown-quiet-period | 1 fortnight
			worker-threads        | 1.5
			native-transport      | maybe
			listener-execution    | anywhere
			shutdown              | never
			""")
	void aValueOfTheWrongTypeIsNamedWithItsKey(String key, String value, CapturedOutput output) {
		assertFails(Application.class, "--callosum.server." + key + "=" + value);
		assertAnalysis(output, "callosum.server." + key, value);
	}

	@Test
	void handlersOfBothKindsAreNamed(CapturedOutput output) {
		assertFails(BothHandlers.class, "--callosum.server.port=0");
		assertAnalysis(output, "the ConnectionHandler 'reactive' and the BlockingConnectionHandler 'blocking'",
				"Remove one of the two beans");
	}

	@Test
	void anUnknownSslBundleIsNamedWithItsKeyAndThoseThatThereAre(CapturedOutput output) {
		assertFails(Application.class, "--callosum.server.port=0", "--callosum.server.ssl.bundle=unknown",
				"--spring.ssl.bundle.pem.known.options.ciphers=any");
		assertAnalysis(output, "Invalid value 'unknown' for configuration property 'callosum.server.ssl.bundle'",
				"There is no such SSL bundle. Available bundles: [known].");
	}

	@Test
	void anUnknownSslBundleWhereThereIsNoneIsNamedWithTheKeyToDeclareIt(CapturedOutput output) {
		assertFails(Application.class, "--callosum.server.port=0", "--callosum.server.ssl.bundle=unknown");
		assertAnalysis(output, "Invalid value 'unknown' for configuration property 'callosum.server.ssl.bundle'",
				"There is no such SSL bundle. Declare it under spring.ssl.bundle.");
	}

	@Test
	void aBadValueOfTheSystemEnvironmentIsNamedWithItsKey(CapturedOutput output) {
		assertFailsWithVariables(Map.of("CALLOSUM_SERVER_MAXCONNECTIONS", "0"));
		assertAnalysis(output, "Invalid value '0' for configuration property 'callosum.server.max-connections'",
				"must be 1 or more");
	}

	@ParameterizedTest
	@CsvSource(delimiter = '|', textBlock = """
			ALLOWEDADDRESSES      | allowed-addresses
			BACKLOG               | backlog
			ENABLED               | enabled
			HOST                  | host
			IDLETIMEOUT           | idle-timeout
			KEEPALIVE_COUNT       | keep-alive.count
			KEEPALIVE_IDLE        | keep-alive.idle
			MAXCONNECTIONS        | max-connections
			MAXCONNECTIONSPERADDRESS | max-connections-per-address
			PORT                  | port
			SHUTDOWN              | shutdown
			SLOTTIMEOUT           | slot-timeout
			SSL_BUNDLE            | ssl.bundle
			SSL_CLIENTAUTH        | ssl.client-auth
			SSL_ENABLED           | ssl.enabled
			SSL_SERVERNAMEBUNDLES | ssl.server-name-bundles
			WRITETIMEOUT          | write-timeout
			""")
	void aVariableThatIsSetAndEmptyIsNamedWithItsKey(String variable, String key, CapturedOutput output) {
		// As in a compose file, overriding a configuration file that restricts access
		assertFailsWithVariables(Map.of("CALLOSUM_SERVER_" + variable, ""),
				"--spring.config.location=classpath:closed.properties");
		assertAnalysis(output, "callosum.server." + key);
	}

	@ParameterizedTest
	@ValueSource(strings = { "allowed-addresses=${NOT_THERE:}", "max-connections=${NOT_THERE:}", "ssl.bundle= ",
			"keep-alive=", "ssl=", "enabled=", "enabled= " })
	void aValueThatIsEmptyInTheEndIsNamedWithItsKey(String property, CapturedOutput output) {
		assertFails(Application.class, "--callosum.server.port=0", "--callosum.server." + property);
		assertAnalysis(output,
				"'callosum.server." + property.substring(0, property.indexOf('=')) + "' is set, but empty",
				"remove it to use the default");
	}

	@Test
	void allPropertiesMayBeCommentedOut() {
		SpringApplication application = application(Application.class);
		application.setDefaultProperties(Map.of("callosum.server", "", "callosum", ""));
		application.run("--callosum.server.port=0").close();
	}

	@Test
	void theVariableThatKubernetesSetsForAServiceIsExplained(CapturedOutput output) {
		assertFailsWithVariables(Map.of("CALLOSUM_SERVER_PORT", "tcp://10.96.0.10:4040", "CALLOSUM_SERVER_SERVICE_HOST",
				"10.96.0.10", "CALLOSUM_SERVER_SERVICE_PORT", "4040"));
		assertAnalysis(output,
				"The environment variable CALLOSUM_SERVER_PORT has the value 'tcp://10.96.0.10:4040', which is not a valid value"
						+ " of callosum.server.port",
				"a service named 'callosum-server'", "enableServiceLinks: false");
	}

	@Test
	void aPortThatIsNoNumberIsNotTakenForThatOfAService(CapturedOutput output) {
		assertFailsWithVariables(Map.of("CALLOSUM_SERVER_PORT", "4040/tcp"));
		assertAnalysis(output, "callosum.server.port", "4040/tcp");
		assertThat(output.getAll()).doesNotContain("Kubernetes");
	}

	private static void assertFailsWithVariables(Map<String, Object> variables, String... arguments) {
		SpringApplication application = application(Application.class);
		StandardEnvironment environment = new StandardEnvironment();
		environment.getPropertySources()
			.replace(StandardEnvironment.SYSTEM_ENVIRONMENT_PROPERTY_SOURCE_NAME, new SystemEnvironmentPropertySource(
					StandardEnvironment.SYSTEM_ENVIRONMENT_PROPERTY_SOURCE_NAME, variables));
		application.setEnvironment(environment);
		assertThatException().isThrownBy(() -> application.run(arguments));
	}

	@Test
	void aMissingTaskExecutorIsNamedWithItsKey(CapturedOutput output) {
		assertFails(OwnExecutorApplication.class, "--callosum.server.host=127.0.0.1", "--callosum.server.port=0",
				"--callosum.server.listener-execution=task-executor");
		assertAnalysis(output, "callosum.server.listener-execution", "callosumTaskExecutor", "applicationTaskExecutor");
	}

	@ParameterizedTest
	@ValueSource(booleans = { true, false })
	void noThreadOfAServerThatCouldNotStartIsLeft(boolean nativeTransport) throws IOException {
		List<Thread> before = serverThreads();
		try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
			assertFails(Application.class, "--callosum.server.native-transport=" + nativeTransport,
					"--callosum.server.host=127.0.0.1", "--callosum.server.port=" + taken.getLocalPort());
		}
		Awaitility.await()
			.atMost(Duration.ofSeconds(30))
			.untilAsserted(() -> assertThat(serverThreads()).isSubsetOf(before));
	}

	@Test
	void whatACustomizerThrowsIsNotTakenForAProblemOfTheAddress(CapturedOutput output) {
		assertFails(BrokenCustomizerApplication.class, "--callosum.server.host=127.0.0.1", "--callosum.server.port=0");
		assertThat(output.getAll()).contains("Application run failed", "broken customizer")
			.doesNotContain("cannot listen");
	}

	private static List<Thread> serverThreads() {
		List<Thread> threads = new ArrayList<>(Thread.getAllStackTraces().keySet());
		threads.removeIf((thread) -> !thread.getName().startsWith("callosum"));
		return threads;
	}

	private static void assertFails(Class<?> application, String... arguments) {
		assertThatException().isThrownBy(() -> application(application).run(arguments));
	}

	private static SpringApplication application(Class<?> type) {
		SpringApplication application = new SpringApplication(type);
		application.setWebApplicationType(WebApplicationType.NONE);
		application.setRegisterShutdownHook(false);
		application.setBannerMode(Banner.Mode.OFF);
		return application;
	}

	private static void assertAnalysis(CapturedOutput output, String... texts) {
		assertThat(output.getAll()).contains("APPLICATION FAILED TO START", "Description:", "Action:")
			.contains(texts)
			.doesNotContain("\tat io.callosum")
			.doesNotContain("\tat ")
			.doesNotContain("Callosum server started");
	}

	@Configuration(proxyBeanMethods = false)
	@EnableAutoConfiguration
	static class Application {

	}

	@Configuration(proxyBeanMethods = false)
	@EnableAutoConfiguration
	static class BothHandlers {

		@Bean
		ConnectionHandler reactive() {
			return (connection) -> connection.inbound().receive().then();
		}

		@Bean
		BlockingConnectionHandler blocking() {
			return (connection) -> connection.inputStream().transferTo(connection.outputStream());
		}

	}

	@Configuration(proxyBeanMethods = false)
	@EnableAutoConfiguration
	static class OwnExecutorApplication {

		@Bean
		Executor reports() {
			return Runnable::run;
		}

	}

	@Configuration(proxyBeanMethods = false)
	@EnableAutoConfiguration
	static class BrokenCustomizerApplication {

		@Bean
		CallosumTcpServerCustomizer broken() {
			return (server) -> {
				throw new IllegalStateException("broken customizer");
			};
		}

	}

}
