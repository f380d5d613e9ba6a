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

package io.callosum.server.faults;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.URI;
import java.time.Duration;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Supplier;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Attacks by hostile peers on an application with 256 MB each of heap and direct memory
 * and with the default settings of the server: an honest client beside them is always
 * served, the web server in the same process answers, the process ends when told to, and
 * nothing is left of the attack.
 */
abstract class AttackFaults extends ApplicationFaults {

	/**
	 * Whether this machine is otherwise idle, and has to keep the promises: a slot within
	 * a second, or two with TLS, the end of the process within five, and all memory free
	 * again within ten. A busy machine may take longer.
	 */
	private static final boolean QUIET = Boolean.getBoolean("callosum.tests.quiet-machine");

	private static final Duration SERVED_WITHIN = QUIET ? Duration.ofSeconds(1) : Duration.ofMinutes(1);

	static final Duration SERVED_WITH_TLS_WITHIN = QUIET ? Duration.ofSeconds(2) : Duration.ofMinutes(1);

	private static final Duration ENDS_WITHIN = QUIET ? Duration.ofSeconds(5) : Duration.ofMinutes(1);

	private static final Duration FREE_WITHIN = QUIET ? Duration.ofSeconds(10) : Duration.ofMinutes(2);

	private static final int WEB_TIMEOUT_MILLIS = 60_000;

	private static final long MEGABYTE = 1024 * 1024;

	private ApplicationProcess.Launcher launcher;

	String host = "127.0.0.1";

	InetSocketAddress server;

	Function<InetSocketAddress, HonestClient> honest = HonestClient::plain;

	Duration servedWithin = SERVED_WITHIN;

	private Map<String, Long> before;

	void start(ApplicationProcess.Launcher launcher) {
		// Leak detection would take most of the time
		this.launcher = launcher.options("-Dio.netty.leakDetection.level=simple", "-Dio.netty.maxDirectMemory=-1")
			.server("slot-timeout=4s")
			.arguments("--test.web-server=true");
		start();
		assertThat(this.application.warnings()).singleElement()
			.asString()
			.contains("-XX:MaxDirectMemorySize=", "-Dio.netty.maxDirectMemory=");
	}

	private void start() {
		this.application = this.launcher.start(this.host, 0);
		this.server = this.application.address();
		beside("nobody else", Peers::none).close();
		this.application.awaitNothingLeft();
		this.before = this.application.state();
	}

	/**
	 * Attack the server, and wait until nothing is left of the attack. On a quiet
	 * machine, attack it once more, and end the process meanwhile.
	 */
	void attack(String name, Supplier<Peers> attack) {
		beside(name, attack).close();
		long start = System.nanoTime();
		ApplicationProcess.await(name, this::verifyFree);
		verifyTime(name, "free again", start, FREE_WITHIN);
		this.application.awaitNothingLeft();
		if (QUIET) {
			lastAttack(name, attack);
			this.application.close();
			start();
		}
	}

	void lastAttack(String name, Supplier<Peers> attack) {
		Peers peers = beside(name, attack);
		try {
			long start = System.nanoTime();
			this.application.signal("TERM");
			this.application.awaitEnd();
			verifyTime(name, "ended", start, ENDS_WITHIN);
			assertThat(this.application.output()).contains("Callosum server stopped")
				.doesNotContain("did not drain in time");
		}
		finally {
			peers.close();
		}
	}

	private void verifyFree() {
		Map<String, Long> state = this.application.state();
		assertThat(state.get("slots")).as("slots").isZero();
		verifyNoMore(state, "descriptors", 20);
		verifyNoMore(state, "heap", 48 * MEGABYTE);
		// Netty's allocator keeps some megabytes for the next buffers
		verifyNoMore(state, "direct", 16 * MEGABYTE);
		verifyNoMore(state, "netty", 16 * MEGABYTE);
	}

	private void verifyNoMore(Map<String, Long> state, String what, long than) {
		assertThat(state.get(what)).as(what).isLessThan(this.before.get(what) + than);
	}

	/**
	 * Start an attack beside an honest client, which must be served before, during and
	 * after.
	 */
	private Peers beside(String name, Supplier<Peers> attack) {
		try (HonestClient honest = this.honest.apply(this.server)) {
			honest.awaitServed();
			Peers peers = attack.get();
			try {
				verifyWebServerAnswers();
				honest.awaitServed();
				verifyTime(name, "served", honest.longest(), this.servedWithin);
				return peers;
			}
			catch (Throwable ex) {
				peers.close();
				throw ex;
			}
		}
	}

	private void verifyTime(String name, String what, long start, Duration limit) {
		verifyTime(name, what, Duration.ofNanos(System.nanoTime() - start), limit);
	}

	private void verifyTime(String name, String what, Duration time, Duration limit) {
		System.out.printf("%s, %s: %s within %d ms%n", name, this.transport, what, time.toMillis());
		assertThat(time).as(name + ": " + what).isLessThan(limit);
	}

	void verifyWebServerAnswers() {
		try {
			HttpURLConnection connection = (HttpURLConnection) URI
				.create("http://127.0.0.1:" + this.application.webPort())
				.toURL()
				.openConnection();
			connection.setConnectTimeout(WEB_TIMEOUT_MILLIS);
			connection.setReadTimeout(WEB_TIMEOUT_MILLIS);
			assertThat(connection.getResponseCode()).isEqualTo(204);
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

}
