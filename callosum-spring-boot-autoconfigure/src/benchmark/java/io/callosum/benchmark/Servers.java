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

import java.io.File;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * Starts the processes of the benchmarks: the measured ones on the first processor, their
 * peers on the second.
 *
 * @author The Callosum authors
 */
final class Servers {

	private static final String SPRING_BOOT_JARS = "(spring-boot|spring-boot-autoconfigure"
			+ "|spring-(core|beans|context|aop|expression)|snakeyaml|commons-logging|jspecify"
			+ "|(logback|slf4j|log4j|jul|jakarta\\.annotation|micrometer-(commons|observation))[a-z0-9-]*)-[0-9].*\\.jar";

	/**
	 * The class path of an application that depends on the starter and nothing else.
	 */
	static final Pattern STARTER = Pattern.compile("classes|test-classes|" + SPRING_BOOT_JARS
			+ "|(reactive-streams|reactor-core|reactor-netty-core|netty)[a-z0-9-]*-[0-9].*\\.jar");

	/**
	 * The class path of an application that depends on Spring Boot and nothing else.
	 */
	static final Pattern SPRING_BOOT = Pattern.compile("test-classes|" + SPRING_BOOT_JARS);

	/**
	 * {@link #STARTER}, and what reactor-pool and the harness of a client need.
	 */
	private static final Pattern POOL = Pattern.compile(STARTER + "|(HdrHistogram|reactor-pool)-[0-9].*\\.jar");

	private static final Pattern CLIENT = Pattern.compile("(test-classes|HdrHistogram-.*)");

	private Servers() {
	}

	static ChildProcess startServer(Settings settings, Rival rival, Transport transport, List<String> options) {
		return ChildProcess.start(log(settings, rival + "-" + transport),
				ChildProcess.java(firstProcessor(), measured(settings, options, STARTER), ServerMain.class,
						ServerMain.DISCARD, rival.name(), transport.name()));
	}

	static ChildProcess startServer(Settings settings, EchoRival rival, Transport transport, List<String> options) {
		return ChildProcess.start(log(settings, "echo-" + rival + "-" + transport),
				ChildProcess.java(firstProcessor(), measured(settings, options, STARTER), ServerMain.class,
						ServerMain.ECHO, rival.name(), transport.name()));
	}

	static ChildProcess startClient(Settings settings, ExchangeRival rival, Transport transport, String port,
			List<String> options) {
		return ChildProcess.start(log(settings, "exchange-" + rival + "-" + transport),
				ChildProcess.java(firstProcessor(), measured(settings, options, POOL), ExchangeMain.class, rival.name(),
						transport.name(), port));
	}

	private static List<String> measured(Settings settings, List<String> options, Pattern classPath) {
		List<String> all = new ArrayList<>(options);
		all.addAll(settings.serverOptions());
		// On one processor, the threads of any other collector only wait for each other
		all.addAll(List.of("-XX:+UseSerialGC", "-XX:-UseDynamicNumberOfCompilerThreads", "-cp", classPath(classPath)));
		return all;
	}

	/**
	 * Start the server for the measured clients, on the other processor.
	 */
	static ChildProcess startPeer(Settings settings) {
		return ChildProcess.start(log(settings, "peer"),
				ChildProcess.java(secondProcessor(),
						List.of("-Xms256m", "-Xmx256m", "-XX:+UseSerialGC", "-cp", classPath(STARTER)),
						ServerMain.class, ServerMain.ECHO, EchoRival.REACTOR_NETTY.name(), Transport.EPOLL.name()));
	}

	static ChildProcess startClient(Settings settings) {
		return ChildProcess
			.start(log(settings, "client"),
					ChildProcess.java(secondProcessor(),
							List.of("-Xms256m", "-Xmx256m", "-XX:+UseSerialGC", "-Djava.net.preferIPv4Stack=true",
									"-XX:-UseDynamicNumberOfCompilerThreads", "-cp", classPath(CLIENT)),
							ClientMain.class));
	}

	static String classPath(Pattern pattern) {
		return Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
			.filter((entry) -> pattern.matcher(Path.of(entry).getFileName().toString()).matches())
			.collect(Collectors.joining(File.pathSeparator));
	}

	static Path log(Settings settings, String name) {
		return settings.directory().resolve("logs").resolve(name.toLowerCase(Locale.ROOT) + ".log");
	}

	static boolean isPinned() {
		return Runtime.getRuntime().availableProcessors() > 1 && new File("/usr/bin/taskset").canExecute();
	}

	private static int firstProcessor() {
		return isPinned() ? 0 : -1;
	}

	private static int secondProcessor() {
		return isPinned() ? 1 : -1;
	}

}
