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

import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import org.springframework.boot.context.properties.source.InvalidConfigurationPropertyValueException;
import org.springframework.boot.context.properties.source.MutuallyExclusiveConfigurationPropertiesException;
import org.springframework.core.env.MapPropertySource;
import org.springframework.core.env.StandardEnvironment;
import org.springframework.core.env.SystemEnvironmentPropertySource;

import io.callosum.client.LeasePolicy;
import io.callosum.client.autoconfigure.ClientProperties.Shutdown;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatException;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

/**
 * Tests for {@link ConfiguredClient}.
 */
class ConfiguredClientTests {

	/**
	 * Every key except those of the address, with a value that is not the default.
	 */
	private static final Map<String, String> VALUES = values("service-port=1", "discovery-interval=2s",
			"dns.min-ttl=3s", "dns.max-ttl=4s", "pool-size=5", "fill-concurrency=6", "roving-interval=7s",
			"spread=false", "lease-policy=balanced", "connect-timeout=8s", "slot-timeout=9s", "acquire-timeout=10s",
			"max-pending-acquires=11", "ejection.enabled=false", "ejection.failures=12", "ejection.min-time=13s",
			"ejection.max-time=14s", "ejection.max-percent=15", "max-age=16s", "leak-detection-threshold=17s",
			"ssl.enabled=true", "ssl.bundle=b", "ssl.verify-hostname=false", "keep-alive.enabled=false",
			"keep-alive.idle=18s", "keep-alive.interval=19s", "keep-alive.count=20", "native-transport=false",
			"worker-threads=21", "shutdown=immediate");

	private final StandardEnvironment environment = new StandardEnvironment();

	private final Map<String, Object> variables = new LinkedHashMap<>();

	@Test
	void aNamedClientInheritsEveryPropertyThatItDoesNotSet() {
		VALUES.forEach((key, value) -> set("callosum.client." + key, value));
		set("callosum.client.service.orders.servers", "orders");
		ClientProperties expected = new ClientProperties();
		expected.setServers(List.of("orders"));
		expected.setServicePort(1);
		expected.setDiscoveryInterval(Duration.ofSeconds(2));
		expected.getDns().setMinTtl(Duration.ofSeconds(3));
		expected.getDns().setMaxTtl(Duration.ofSeconds(4));
		expected.setPoolSize(5);
		expected.setFillConcurrency(6);
		expected.setRovingInterval(Duration.ofSeconds(7));
		expected.setSpread(false);
		expected.setLeasePolicy(LeasePolicy.BALANCED);
		expected.setConnectTimeout(Duration.ofSeconds(8));
		expected.setSlotTimeout(Duration.ofSeconds(9));
		expected.setAcquireTimeout(Duration.ofSeconds(10));
		expected.setMaxPendingAcquires(11);
		expected.getEjection().setEnabled(false);
		expected.getEjection().setFailures(12);
		expected.getEjection().setMinTime(Duration.ofSeconds(13));
		expected.getEjection().setMaxTime(Duration.ofSeconds(14));
		expected.getEjection().setMaxPercent(15);
		expected.setMaxAge(Duration.ofSeconds(16));
		expected.setLeakDetectionThreshold(Duration.ofSeconds(17));
		expected.getSsl().setEnabled(true);
		expected.getSsl().setBundle("b");
		expected.getSsl().setVerifyHostname(false);
		expected.getKeepAlive().setEnabled(false);
		expected.getKeepAlive().setIdle(Duration.ofSeconds(18));
		expected.getKeepAlive().setInterval(Duration.ofSeconds(19));
		expected.getKeepAlive().setCount(20);
		expected.setNativeTransport(false);
		expected.setWorkerThreads(21);
		expected.setShutdown(Shutdown.IMMEDIATE);
		assertThat(find("orders").properties()).usingRecursiveComparison().isEqualTo(expected);
		assertThat(expected).usingRecursiveComparison().isNotEqualTo(new ClientProperties());
	}

	@Test
	void aNamedClientOverridesEveryPropertyThatItSets() {
		VALUES.forEach((key, value) -> set("callosum.client.service.orders." + key, value));
		// The default client has the defaults, and inherits nothing from named clients
		set("callosum.client.servers", "default");
		set("callosum.client.service.orders.servers", "orders");
		set("callosum.client.service.stock.servers", "stock");
		ClientProperties stock = new ClientProperties();
		stock.setServers(List.of("stock"));
		assertThat(find("stock").properties()).usingRecursiveComparison().isEqualTo(stock);
		assertThat(find("orders").properties()).usingRecursiveComparison()
			.ignoringFields("servers", "serviceId")
			.ignoringCollectionOrder()
			.isNotEqualTo(stock);
		assertThat(find("orders").properties().getKeepAlive().getCount()).isEqualTo(20);
		assertThat(find("default").properties().getKeepAlive().getCount()).isEqualTo(3);
	}

	@Test
	void falseOverridesTrueAndTrueOverridesFalse() {
		set("callosum.client.spread", "false");
		set("callosum.client.ssl.enabled", "true");
		set("callosum.client.service.orders.servers", "orders");
		set("callosum.client.service.orders.spread", "true");
		set("callosum.client.service.orders.ssl.enabled", "false");
		set("callosum.client.service.orders.ejection.enabled", "false");
		assertThat(find("orders").properties().isSpread()).isTrue();
		assertThat(find("orders").properties().getSsl().getEnabled()).isFalse();
		assertThat(find("orders").properties().getEjection().isEnabled()).isFalse();
	}

	@ParameterizedTest
	@ValueSource(strings = { "callosum.client.servers=a,b,c", "callosum.client.service-id=a" })
	void theAddressIsNotInherited(String address) {
		set(address);
		set("callosum.client.service.orders.servers", "x,y");
		set("callosum.client.service.stock.service-id", "stock");
		set("callosum.client.service.prices.pool-size", "3");
		assertThat(ConfiguredClient.findAll(this.environment)).containsOnlyKeys("default", "orders", "stock");
		assertThat(find("orders").properties().getServers()).containsExactly("x", "y");
		assertThat(find("orders").properties().getServiceId()).isNull();
		assertThat(find("stock").properties().getServers()).isEmpty();
		assertThat(find("stock").properties().getServiceId()).isEqualTo("stock");
	}

	@Test
	void aDashedNameAndItsEnvironmentVariableAreOneClient() {
		set("callosum.client.service.order-api.servers", "file");
		set("callosum.client.service.order-api.pool-size", "3");
		setVariable("CALLOSUM_CLIENT_SERVICE_ORDERAPI_SERVERS", "variable");
		assertThat(ConfiguredClient.findAll(this.environment)).containsOnlyKeys("orderapi");
		ConfiguredClient client = find("orderapi");
		assertThat(client.properties().getServers()).containsExactly("variable");
		assertThat(client.properties().getPoolSize()).isEqualTo(3);
		assertThat(client.beanName()).isEqualTo("orderapiCallosumClient");
		assertThat(client.prefix()).isEqualTo("callosum.client.service.order-api");
	}

	@Test
	void aVariableAloneMakesAClient() {
		setVariable("CALLOSUM_CLIENT_SERVERS_0", "a");
		setVariable("CALLOSUM_CLIENT_SERVERS_1", "b");
		setVariable("CALLOSUM_CLIENT_SERVICE_ORDERS_SERVERS", "c:1,d");
		setVariable("CALLOSUM_CLIENT_SERVICE_ORDERS_SSL_VERIFYHOSTNAME", "false");
		assertThat(find("default").properties().getServers()).containsExactly("a", "b");
		assertThat(find("orders").properties().getServers()).containsExactly("c:1", "d");
		assertThat(find("orders").properties().getSsl().isVerifyHostname()).isFalse();
	}

	@Test
	void theVariablesOfAKubernetesServiceAreNoClient() {
		setVariable("CALLOSUM_CLIENT_SERVICE_HOST", "10.0.0.1");
		setVariable("CALLOSUM_CLIENT_SERVICE_PORT", "4040");
		setVariable("CALLOSUM_CLIENT_SERVICE_PORT_TCP", "4040");
		setVariable("CALLOSUM_CLIENT_PORT", "tcp://10.0.0.1:4040");
		setVariable("CALLOSUM_CLIENT_PORT_4040_TCP_ADDR", "10.0.0.1");
		assertThat(ConfiguredClient.findAll(this.environment)).isEmpty();
	}

	@Test
	void withoutAnAddressThereIsNoClient() {
		set("callosum.client.pool-size", "3");
		set("callosum.client.service.orders.pool-size", "4");
		assertThat(ConfiguredClient.findAll(this.environment)).isEmpty();
	}

	@ParameterizedTest
	@ValueSource(strings = { "callosum.client.enabled", "callosum.client.servers", "callosum.client.max-age",
			"callosum.client.ssl.bundle", "callosum.client.service.orders.service-id",
			"callosum.client.service.orders.max-age" })
	void aPropertyThatIsSetButEmptyIsRefused(String key) {
		set("callosum.client.service.orders.pool-size", "4");
		set(key, "");
		assertThatException().isThrownBy(() -> ConfiguredClient.findAll(this.environment))
			.satisfies((ex) -> assertThat((ex.getCause() != null) ? ex.getCause() : ex).isInstanceOfSatisfying(
					InvalidConfigurationPropertyValueException.class,
					(invalid) -> assertThat(invalid.getName()).isEqualTo(key)));
	}

	@Test
	void thereIsNoneWhereTheyAreDisabled() {
		set("callosum.client.servers", "a");
		set("callosum.client.service.orders.servers", "b");
		setVariable("CALLOSUM_CLIENT_ENABLED", "false");
		assertThat(ConfiguredClient.findAll(this.environment)).isEmpty();
	}

	@Test
	void aPlaceholderMayBeUnresolved() {
		set("callosum.client.servers", "localhost:${local.callosum.server.port}");
		assertThat(find("default").properties().getServers())
			.containsExactly("localhost:${local.callosum.server.port}");
	}

	@ParameterizedTest
	@ValueSource(strings = { "callosum.client", "callosum.client.service.orders" })
	void serversAndServiceIdExcludeEachOther(String prefix) {
		set(prefix + ".servers", "a");
		set(prefix + ".service-id", "a");
		assertThatExceptionOfType(MutuallyExclusiveConfigurationPropertiesException.class)
			.isThrownBy(() -> ConfiguredClient.findAll(this.environment))
			.satisfies((ex) -> assertThat(ex.getConfiguredNames()).containsExactlyInAnyOrder(prefix + ".servers",
					prefix + ".service-id"));
	}

	@Test
	void noOtherClientCanHaveTheNameOfTheDefaultOne() {
		set("callosum.client.service.default.servers", "a");
		assertThat(ConfiguredClient.findAll(this.environment)).containsOnlyKeys("default");
		set("callosum.client.servers", "b");
		assertThatExceptionOfType(InvalidConfigurationPropertyValueException.class)
			.isThrownBy(() -> ConfiguredClient.findAll(this.environment))
			.satisfies((ex) -> assertThat(ex.getName()).isEqualTo("callosum.client.service.default"));
	}

	@Test
	void aKeyIsThatFromWhichTheValueComes() {
		set("callosum.client.pool-size", "3");
		set("callosum.client.service.orders.servers", "a");
		set("callosum.client.service.orders.ssl.enabled", "false");
		assertThat(find("orders").key(this.environment, "pool-size")).isEqualTo("callosum.client.pool-size");
		assertThat(find("orders").key(this.environment, "ssl.enabled"))
			.isEqualTo("callosum.client.service.orders.ssl.enabled");
	}

	private ConfiguredClient find(String name) {
		Map<String, ConfiguredClient> clients = ConfiguredClient.findAll(this.environment);
		assertThat(clients).containsKey(name);
		return clients.get(name);
	}

	private void set(String property) {
		set(property.substring(0, property.indexOf('=')), property.substring(property.indexOf('=') + 1));
	}

	@SuppressWarnings("unchecked")
	private void set(String key, String value) {
		if (!this.environment.getPropertySources().contains("file")) {
			this.environment.getPropertySources().addLast(new MapPropertySource("file", new LinkedHashMap<>()));
		}
		((Map<String, Object>) this.environment.getPropertySources().get("file").getSource()).put(key, value);
	}

	private void setVariable(String name, String value) {
		this.variables.put(name, value);
		this.environment.getPropertySources()
			.replace(StandardEnvironment.SYSTEM_ENVIRONMENT_PROPERTY_SOURCE_NAME, new SystemEnvironmentPropertySource(
					StandardEnvironment.SYSTEM_ENVIRONMENT_PROPERTY_SOURCE_NAME, Map.copyOf(this.variables)));
	}

	private static Map<String, String> values(String... properties) {
		Map<String, String> values = new LinkedHashMap<>();
		for (String property : properties) {
			values.put(property.substring(0, property.indexOf('=')), property.substring(property.indexOf('=') + 1));
		}
		return values;
	}

}
