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
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;

import org.springframework.boot.logging.LogLevel;
import org.springframework.boot.logging.LoggingSystem;

/**
 * The clients of a fleet, in a process of their own. The process reads questions as lines
 * from its standard input, writes answers as lines to its standard output, and ends when
 * its standard input does.
 * <dl>
 * <dt>{@code servers <host>:<port> ...}
 * <dd>use these servers
 * <dt>{@code load <work> <mean microseconds> <requests per second>}
 * <dd>send requests at random moments, each by a random client, whether or not the others
 * have been answered
 * <dt>{@code mark}
 * <dd>answers with the requests that have ended since the last mark, see
 * {@link FleetWindow}
 * </dl>
 * Moments, clients and work are the same for each seed, whatever the servers do.
 *
 * @author The Callosum authors
 */
final class FleetClientMain {

	private static final long SEED = 1;

	private final List<FleetClient> clients = new ArrayList<>();

	private final SplittableRandom chance = new SplittableRandom(SEED);

	private final FleetWindow.Recorder recorder;

	private volatile Load load = new Load(FleetWork.SLEEP, 0, 0);

	private FleetClientMain(FleetArm arm, int clients, int servers) {
		SplittableRandom chance = new SplittableRandom(SEED);
		for (int i = 0; i < clients; i++) {
			this.clients.add(arm.client.create(new FleetClient.Identity(i, chance.split())));
		}
		this.recorder = new FleetWindow.Recorder(servers);
	}

	public static void main(String[] args) throws IOException {
		PrintStream answers = System.out;
		System.setOut(System.err);
		LoggingSystem.get(FleetClientMain.class.getClassLoader())
			.setLogLevel(LoggingSystem.ROOT_LOGGER_NAME, LogLevel.ERROR);
		FleetClientMain main = new FleetClientMain(FleetArm.of(args[0]), Integer.parseInt(args[1]),
				Integer.parseInt(args[2]));
		Thread thread = new Thread(main::send, "load");
		thread.setDaemon(true);
		thread.setPriority(Thread.MAX_PRIORITY);
		thread.start();
		BufferedReader questions = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
		for (String question = questions.readLine(); question != null; question = questions.readLine()) {
			answers.println(main.answer(question.split(" ")));
		}
		Runtime.getRuntime().halt(0);
	}

	private String answer(String[] words) {
		switch (words[0]) {
			case "servers" -> {
				List<InetSocketAddress> servers = Stream.of(words).skip(1).map(FleetClientMain::address).toList();
				this.clients.forEach((client) -> client.servers(servers));
			}
			case "load" -> this.load = new Load(words[1], Integer.parseInt(words[2]), Integer.parseInt(words[3]));
			case "mark" -> {
				return this.recorder.mark().toString();
			}
			default -> throw new IllegalArgumentException(words[0]);
		}
		return "done";
	}

	private static InetSocketAddress address(String hostAndPort) {
		String[] parts = hostAndPort.split(":");
		return new InetSocketAddress(parts[0], Integer.parseInt(parts[1]));
	}

	private void send() {
		long next = System.nanoTime();
		while (true) {
			Load load = this.load;
			if (load.rate() == 0) {
				LockSupport.parkNanos(1_000_000);
				next = System.nanoTime();
				continue;
			}
			next += Math.round(exponential(1e9 / load.rate()));
			for (long left = next - System.nanoTime(); left > 0; left = next - System.nanoTime()) {
				LockSupport.parkNanos(left);
			}
			FleetClient client = this.clients.get(this.chance.nextInt(this.clients.size()));
			long intended = next;
			client.send(load.work() + " " + Math.round(exponential(load.meanMicros())))
				.subscribe((answer) -> this.recorder.answered(Integer.parseInt(answer), System.nanoTime() - intended),
						this.recorder::failed);
		}
	}

	private double exponential(double mean) {
		return -mean * Math.log(1 - this.chance.nextDouble());
	}

	private record Load(String work, int meanMicros, int rate) {

	}

}
