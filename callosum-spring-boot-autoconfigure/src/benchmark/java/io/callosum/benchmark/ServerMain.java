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

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.function.Function;

import org.springframework.boot.logging.LogLevel;
import org.springframework.boot.logging.LoggingSystem;

/**
 * A server under test, in a process of its own. It reads questions as lines from its
 * standard input, writes answers as lines to its standard output, and ends when its
 * standard input does.
 *
 * @author The Callosum authors
 */
final class ServerMain {

	/**
	 * Asks for a server that sends back what it receives.
	 */
	static final String ECHO = "echo";

	/**
	 * Asks for a server that discards what it receives.
	 */
	static final String DISCARD = "discard";

	private ServerMain() {
	}

	public static void main(String[] args) throws Exception {
		PrintStream answers = System.out;
		System.setOut(System.err);
		// Servers without Spring Boot would log at the level DEBUG
		LoggingSystem.get(ServerMain.class.getClassLoader()).setLogLevel(LoggingSystem.ROOT_LOGGER_NAME, LogLevel.INFO);
		Rival.RunningServer server = start(args[0], args[1]).apply(Transport.valueOf(args[2].toUpperCase(Locale.ROOT)));
		answers.println(server.port());
		BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
		for (String question = questions.readLine(); question != null; question = questions.readLine()) {
			switch (question) {
				case "slots" -> answers.println(server.slots().taken() + " " + server.slots().freed());
				case "heap" -> answers.println(heapAfterGc());
				default -> throw new IllegalArgumentException(question);
			}
		}
		Runtime.getRuntime().halt(0);
	}

	private static Function<Transport, Rival.RunningServer> start(String kind, String rival) {
		return kind.equals(ECHO) ? EchoRival.valueOf(rival).start : Rival.valueOf(rival).start;
	}

	static long heapAfterGc() throws InterruptedException {
		long used = Long.MAX_VALUE;
		// Some garbage is only found after another thread has cleaned up, and some is
		// only collected by every fourth collection
		for (int i = 0; i < 12; i++) {
			System.gc();
			Thread.sleep(50);
			long before = used;
			used = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
			if (i > 4 && before - used < 1024) {
				break;
			}
		}
		return used;
	}

}
