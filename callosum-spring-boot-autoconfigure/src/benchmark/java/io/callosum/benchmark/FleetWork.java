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

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

/**
 * What a server of a fleet does for a request: some workers take requests from one queue.
 * A request is {@code sleep} or {@code compute} and a number of microseconds, and the
 * answer is the number of the server.
 *
 * @author The Callosum authors
 */
final class FleetWork {

	/**
	 * How many requests a server works on at once.
	 */
	static final int WORKERS = 4;

	static final String SLEEP = "sleep";

	static final String COMPUTE = "compute";

	private static final ThreadMXBean threads = ManagementFactory.getThreadMXBean();

	private final int server;

	private final Scheduler workers = Schedulers.fromExecutor(Executors.newFixedThreadPool(WORKERS, (task) -> {
		Thread thread = new Thread(task, "worker");
		thread.setDaemon(true);
		return thread;
	}));

	FleetWork(int server) {
		this.server = server;
	}

	Mono<String> answer(String request) {
		Callable<String> work = () -> work(request);
		return Mono.fromCallable(work).subscribeOn(this.workers);
	}

	private String work(String request) {
		String[] words = request.split(" ");
		long nanos = TimeUnit.MICROSECONDS.toNanos(Long.parseLong(words[1]));
		switch (words[0]) {
			case SLEEP -> sleep(nanos);
			case COMPUTE -> compute(nanos);
			default -> throw new IllegalArgumentException(request);
		}
		return String.valueOf(this.server);
	}

	private static void sleep(long nanos) {
		try {
			TimeUnit.NANOSECONDS.sleep(nanos);
		}
		catch (InterruptedException ex) {
			// The request was abandoned, so nothing waits for the answer
		}
	}

	private static void compute(long nanos) {
		long end = threads.getCurrentThreadCpuTime() + nanos;
		while (threads.getCurrentThreadCpuTime() < end) {
			Thread.onSpinWait();
		}
	}

}
