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

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/**
 * What to measure, and for how long, from system properties that start with
 * {@code benchmark.}.
 *
 * @param quick whether to check only that everything works
 * @param directory where the results go
 */
record Settings(boolean quick, Path directory) {

	static Settings fromSystemProperties() {
		return new Settings(Boolean.parseBoolean(property("quick", "false")),
				Path.of(property("directory", "target/benchmark")));
	}

	List<String> parts() {
		return list("parts", "micro,pool,connect,idle,echo,exchange,start,handler", Function.identity());
	}

	List<Transport> transports() {
		return list("transports", "epoll,nio", (name) -> Transport.valueOf(name.toUpperCase(Locale.ROOT)));
	}

	List<Rival> rivals() {
		String all = String.join(",", Arrays.stream(Rival.values()).map(Rival::toString).toList());
		return list("rivals", all, (name) -> Rival.valueOf(name.toUpperCase(Locale.ROOT).replace('-', '_')));
	}

	/**
	 * Return how often each process under test is started.
	 */
	int forks() {
		return number("forks", 3, 1);
	}

	/**
	 * Return how often each process under test is measured in each fork.
	 */
	int rounds() {
		return number("rounds", 5, 3);
	}

	int warmupConnections() {
		return number("warmup", 60_000, 20_000);
	}

	int connections() {
		return number("connections", 20_000, 5_000);
	}

	int inFlight() {
		return number("in-flight", 64, 64);
	}

	/**
	 * Return the numbers of idle connections to open, in ascending order.
	 */
	List<Integer> idleConnections() {
		return list("idle-connections", this.quick ? "1000,5000" : "1000,5000,15000", Integer::valueOf);
	}

	int idleRounds() {
		return number("idle-rounds", 3, 1);
	}

	int echoMessages() {
		return number("echo-messages", 40_000, 10_000);
	}

	int echoMegabytes() {
		return number("echo-megabytes", 300, 100);
	}

	int exchanges() {
		return number("exchanges", 16_000, 8_000);
	}

	/**
	 * Return the numbers of idle connections that a client has.
	 */
	List<Integer> exchangeConnections() {
		return list("exchange-connections", this.quick ? "1000" : "1000,4000", Integer::valueOf);
	}

	/**
	 * Return for how many seconds an idle client is watched in each round.
	 */
	int exchangeIdleSeconds() {
		return number("exchange-idle-seconds", 10, 10);
	}

	/**
	 * Return how often each application is started.
	 */
	int starts() {
		return number("starts", 15, 3);
	}

	int handlerRounds() {
		return number("handler-rounds", 5, 1);
	}

	int microRounds() {
		return number("micro-rounds", 3, 1);
	}

	int microIterationMillis() {
		return number("micro-iteration-millis", 300, 100);
	}

	List<FleetArm> fleetArms() {
		String all = String.join(",", Arrays.stream(FleetArm.values()).map(FleetArm::toString).toList());
		return list("fleet-arms", all, FleetArm::of);
	}

	int fleetServers() {
		return number("fleet-servers", 5, 3);
	}

	int fleetClients() {
		return number("fleet-clients", 20, 12);
	}

	/**
	 * Return for how many seconds each scenario of a fleet is watched.
	 */
	int fleetSeconds() {
		return number("fleet-seconds", 6, 4);
	}

	/**
	 * Return more options of the servers' JVMs, such as those of a profiler.
	 */
	List<String> serverOptions() {
		return property("server-options", "").isEmpty() ? List.of()
				: List.of(property("server-options", "").split(" "));
	}

	private int number(String name, int usual, int quick) {
		return Integer.parseInt(property(name, String.valueOf(this.quick ? quick : usual)));
	}

	private static <T> List<T> list(String name, String usual, Function<String, T> element) {
		return Arrays.stream(property(name, usual).split(",")).map(String::strip).map(element).toList();
	}

	private static String property(String name, String usual) {
		String value = System.getProperty("benchmark." + name, "");
		return value.isBlank() ? usual : value;
	}

}
