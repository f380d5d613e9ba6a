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

package io.callosum.client.autoconfigure;

import java.util.Map;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

import org.springframework.beans.factory.annotation.Qualifier;
import org.springframework.boot.Banner;
import org.springframework.boot.SpringApplication;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.AutoConfigurations;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;
import org.springframework.boot.test.context.FilteredClassLoader;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.boot.test.system.CapturedOutput;
import org.springframework.boot.test.system.OutputCaptureExtension;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.env.StandardEnvironment;
import org.springframework.core.env.SystemEnvironmentPropertySource;

import io.callosum.client.CallosumClient;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatException;

/**
 * Tests for what an application prints if its clients cannot be created.
 *
 * @author The Callosum authors
 */
@ExtendWith(OutputCaptureExtension.class)
class ClientStartFailureTests {

	@ParameterizedTest
	@CsvSource(delimiter = '|', quoteCharacter = '"', textBlock = """
			servers                  | localhost:70000 | The port of 'localhost' must be from 1 to 65535
			servers                  | a:4040,b:x      | 'b:x' is not an address of the form
			servers                  | a,b c           | 'b c' is not
			servers                  | a,b..c          | 'b..c' is not
			service-port             | 0               | must be from 1 to 65535
			service-port             | 70000           | must be from 1 to 65535
			discovery-interval       | 0s              | must be more than 0
			dns.min-ttl              | -1s             | must be more than 0
			dns.max-ttl              | 0s              | must be more than 0
			dns.max-ttl              | 1s              | must not be less than
			pool-size                | 0               | must be 1 or more
			pool-size                | -1              | must be 1 or more
			fill-concurrency         | 0               | must be 1 or more
			roving-interval          | 9ms             | must be 10
			connect-timeout          | 0s              | must be more than 0
			slot-timeout             | -1s             | must be more than 0
			acquire-timeout          | 0s              | must be more than 0
			max-pending-acquires     | -1              | must be 0 or more
			ejection.failures        | 0               | It must be 1 or more
			ejection.min-time        | 0s              | It must be more than 0
			ejection.max-time        | 999ms           | It must not be less than
			ejection.max-percent     | 0               | It must be from 1 to 100
			ejection.max-percent     | 101             | It must be from 1 to 100
			max-age                  | 0s              | must be more than 0
			leak-detection-threshold | -1s             | must be more than 0
			keep-alive.idle          | 0s              | It must be from 1 second to 9 hours
			keep-alive.interval      | 10h             | It must be from 1 second to 9 hours
			keep-alive.count         | 128             | It must be from 1 to 127
			worker-threads           | 0               | must be 1 or more
			""")
	void aValueOutOfRangeIsNamedWithItsKeyAndTheReason(String key, String value, String reason, CapturedOutput output) {
		assertFails(Application.class, "--callosum.client.servers=localhost", "--callosum.client." + key + "=" + value);
		assertAnalysis(output, "for configuration property 'callosum.client." + key + "'", reason);
	}

	@ParameterizedTest
	@CsvSource(delimiter = '|', textBlock = """
			pool-size            | many
			lease-policy         | fastest
			spread               | maybe
			acquire-timeout      | soon
			shutdown             | never
			ejection.max-percent | half
			""")
	void aValueOfTheWrongTypeIsNamedWithItsKey(String key, String value, CapturedOutput output) {
		assertFails(Application.class, "--callosum.client.service.order-api.servers=localhost",
				"--callosum.client.service.order-api." + key + "=" + value);
		assertAnalysis(output, "callosum.client.service.order-api." + key, value);
	}

	@ParameterizedTest
	@ValueSource(strings = { "pool-size", "max-pending-acquires", "spread", "acquire-timeout", "ejection.enabled",
			"ejection.max-percent", "keep-alive.count", "keep-alive.idle", "ssl.verify-hostname", "lease-policy",
			"native-transport", "worker-threads", "dns.min-ttl" })
	void aValueThatIsEmptyIsNamedWithItsKey(String key, CapturedOutput output) {
		assertFails(Application.class, "--callosum.client.servers=localhost", "--callosum.client." + key + "=");
		assertAnalysis(output, "callosum.client." + key);
		assertFails(Application.class, "--callosum.client.service.orders.servers=localhost",
				"--callosum.client.service.orders." + key + "=");
		assertAnalysis(output, "callosum.client.service.orders." + key);
	}

	@Test
	void theVariablesOfAKubernetesServiceNamedAsTheClientChangeNothing() {
		SpringApplication application = application(Application.class);
		setVariables(application,
				Map.of("CALLOSUM_CLIENT_SERVICE_HOST", "10.0.0.1", "CALLOSUM_CLIENT_SERVICE_PORT", "4040",
						"CALLOSUM_CLIENT_PORT", "tcp://10.0.0.1:4040", "CALLOSUM_CLIENT_PORT_4040_TCP",
						"tcp://10.0.0.1:4040", "CALLOSUM_CLIENT_PORT_4040_TCP_ADDR", "10.0.0.1"));
		try (ConfigurableApplicationContext context = application.run("--callosum.client.servers=localhost:1")) {
			assertThat(context.getBean(CallosumClients.class).names()).containsExactly("default");
		}
	}

	@Test
	void theVariableThatKubernetesSetsForAServiceIsExplained(CapturedOutput output) {
		SpringApplication application = application(Application.class);
		setVariables(application, Map.of("CALLOSUM_CLIENT_SERVICE_SERVICE_HOST", "10.0.0.1",
				"CALLOSUM_CLIENT_SERVICE_SERVICE_PORT", "4040", "CALLOSUM_CLIENT_SERVICE_PORT", "tcp://10.0.0.1:4040"));
		assertThatException().isThrownBy(() -> application.run("--callosum.client.servers=localhost:1"));
		assertAnalysis(output,
				"The environment variable CALLOSUM_CLIENT_SERVICE_PORT has the value 'tcp://10.0.0.1:4040', which is not"
						+ " a valid value of callosum.client.service-port",
				"a service named 'callosum-client-service'", "enableServiceLinks: false");
	}

	private static void setVariables(SpringApplication application, Map<String, Object> variables) {
		StandardEnvironment environment = new StandardEnvironment();
		environment.getPropertySources()
			.replace(StandardEnvironment.SYSTEM_ENVIRONMENT_PROPERTY_SOURCE_NAME, new SystemEnvironmentPropertySource(
					StandardEnvironment.SYSTEM_ENVIRONMENT_PROPERTY_SOURCE_NAME, variables));
		application.setEnvironment(environment);
	}

	@Test
	void aBadValueOfANamedClientIsNamedWithItsOwnKeyOrTheInheritedOne(CapturedOutput output) {
		assertFails(Application.class, "--callosum.client.service.orders.servers=localhost",
				"--callosum.client.service.orders.pool-size=-3");
		assertAnalysis(output, "'callosum.client.service.orders.pool-size'", "-3");
		assertFails(Application.class, "--callosum.client.service.orders.servers=localhost",
				"--callosum.client.fill-concurrency=-4");
		assertAnalysis(output, "'callosum.client.fill-concurrency'", "-4");
	}

	@Test
	void serversAndServiceIdTogetherAreNamed(CapturedOutput output) {
		assertFails(Application.class, "--callosum.client.servers=localhost", "--callosum.client.service-id=orders");
		assertAnalysis(output, "mutually exclusive", "callosum.client.servers", "callosum.client.service-id");
	}

	@ParameterizedTest
	@ValueSource(strings = { "org.springframework.cloud", "none" })
	void aServiceIdWithoutADiscoveryClientIsNamedWithTheRemedy(String missingPackage) {
		new ApplicationContextRunner().withConfiguration(AutoConfigurations.of(CallosumClientAutoConfiguration.class))
			.withClassLoader(new FilteredClassLoader(missingPackage))
			.withPropertyValues("callosum.client.service.orders.service-id=orders")
			.run((context) -> assertThat(context).getFailure()
				.rootCause()
				.isInstanceOfSatisfying(InvalidConfigurationPropertyValueException.class, (ex) -> {
					assertThat(ex.getName()).isEqualTo("callosum.client.service.orders.service-id");
					assertThat(ex.getReason()).contains("no discovery client",
							"'callosum.client.service.orders.servers'");
				}));
	}

	@Test
	void aClientWithoutAnAddressThatIsInjectedIsNamedWithTheRemedy(CapturedOutput output) {
		assertFails(InjectingApplication.class, "--callosum.client.service.orders.pool-size=3");
		assertAnalysis(output, "requires a CallosumClient", "callosum.client.service.orders.servers",
				"callosum.client.service.orders.service-id");
	}

	@Test
	void aClientThatIsInjectedWhereThereIsNoneIsNamedWithTheRemedy(CapturedOutput output) {
		assertFails(PlainInjectingApplication.class);
		assertAnalysis(output, "requires a CallosumClient", "no Callosum client has an address",
				"callosum.client.servers");
	}

	@Test
	void anUnknownSslBundleIsNamedWithItsKey(CapturedOutput output) {
		assertFails(Application.class, "--callosum.client.ssl.bundle=unknown",
				"--callosum.client.service.orders.servers=localhost");
		assertAnalysis(output, "Invalid value 'unknown' for configuration property 'callosum.client.ssl.bundle'",
				"There is no such SSL bundle");
	}

	private static void assertFails(Class<?> application, String... arguments) {
		assertThatException().isThrownBy(() -> application(application).run(arguments));
	}

	private static SpringApplication application(Class<?> type) {
		SpringApplication application = new SpringApplication(type);
		application.setWebApplicationType(WebApplicationType.NONE);
		application.setRegisterShutdownHook(false);
		application.setBannerMode(Banner.Mode.OFF);
		application.setDefaultProperties(Map.of("callosum.server.enabled", "false"));
		return application;
	}

	private static void assertAnalysis(CapturedOutput output, String... texts) {
		assertThat(output.getAll()).contains("APPLICATION FAILED TO START", "Description:", "Action:")
			.contains(texts)
			.doesNotContain("\tat ");
	}

	@Configuration(proxyBeanMethods = false)
	@EnableAutoConfiguration
	static class Application {

	}

	@Configuration(proxyBeanMethods = false)
	@EnableAutoConfiguration
	static class InjectingApplication {

		InjectingApplication(@Qualifier("ordersCallosumClient") CallosumClient client) {
		}

	}

	@Configuration(proxyBeanMethods = false)
	@EnableAutoConfiguration
	static class PlainInjectingApplication {

		PlainInjectingApplication(CallosumClient client) {
		}

	}

}
