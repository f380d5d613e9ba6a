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
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * A process of a benchmark that reads questions and writes answers as lines. It does not
 * outlive its parent: it ends at the latest when its standard input does.
 *
 * @author The Callosum authors
 */
final class ChildProcess implements AutoCloseable {

	private static final Duration TIMEOUT = Duration.ofMinutes(2);

	private static final Set<Process> processes = ConcurrentHashMap.newKeySet();

	static {
		Runtime.getRuntime().addShutdownHook(new Thread(() -> processes.forEach(Process::destroyForcibly)));
	}

	private final Process process;

	private final Path log;

	private final Writer questions;

	private final BlockingQueue<String> answers = new LinkedBlockingQueue<>();

	private ChildProcess(Process process, Path log) {
		this.process = process;
		this.log = log;
		this.questions = process.outputWriter();
		Thread reader = new Thread(this::readAnswers, "answers");
		reader.setDaemon(true);
		reader.start();
	}

	static ChildProcess start(Path log, List<String> command) {
		try {
			Files.createDirectories(log.getParent());
			Process process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.appendTo(log.toFile()))
				.start();
			processes.add(process);
			return new ChildProcess(process, log);
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	/**
	 * Return a command that runs a class in a JVM.
	 * @param cpu the processor to run on, or -1 for any
	 */
	static List<String> java(int cpu, List<String> options, Class<?> mainClass, String... arguments) {
		List<String> command = new ArrayList<>();
		if (cpu >= 0) {
			command.addAll(List.of("taskset", "-c", String.valueOf(cpu)));
		}
		command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
		command.addAll(options);
		command.add(mainClass.getName());
		command.addAll(List.of(arguments));
		return command;
	}

	private void readAnswers() {
		try (BufferedReader reader = this.process.inputReader()) {
			reader.lines().forEach(this.answers::add);
		}
		catch (IOException | UncheckedIOException ex) {
			// The process has ended. Code that waits for an answer will notice
		}
	}

	String ask(String question) {
		try {
			this.questions.write(question + "\n");
			this.questions.flush();
		}
		catch (IOException ex) {
			throw failed("cannot be asked '" + question + "'");
		}
		return answer();
	}

	String answer() {
		long deadline = System.nanoTime() + TIMEOUT.toNanos();
		try {
			while (System.nanoTime() - deadline < 0) {
				boolean alive = this.process.isAlive();
				String answer = this.answers.poll(100, TimeUnit.MILLISECONDS);
				if (answer != null) {
					return answer;
				}
				if (!alive) {
					throw failed("has ended");
				}
			}
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
		}
		throw failed("does not answer");
	}

	private IllegalStateException failed(String message) {
		return new IllegalStateException("Process " + this.process.pid() + " " + message + ", see " + this.log);
	}

	/**
	 * Return the processor time that the process has used so far.
	 */
	CpuTime cpuTime() {
		long all = 0;
		long compilers = 0;
		File[] threads = new File("/proc/" + this.process.pid() + "/task").listFiles();
		if (threads == null) {
			throw failed("has ended");
		}
		try {
			for (File thread : threads) {
				// In nanoseconds, user and system; that of the process is in ticks
				long nanos = Long.parseLong(Files.readString(thread.toPath().resolve("schedstat")).split(" ")[0]);
				all += nanos;
				String name = Files.readString(thread.toPath().resolve("comm"));
				if (name.startsWith("C1 Compiler") || name.startsWith("C2 Compiler")) {
					compilers += nanos;
				}
			}
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
		return new CpuTime(all, compilers);
	}

	/**
	 * Return the resident memory of the process in bytes.
	 */
	long residentSetSize() {
		try (var lines = Files.lines(Path.of("/proc/" + this.process.pid() + "/status"))) {
			String line = lines.filter((candidate) -> candidate.startsWith("VmRSS:")).findFirst().orElseThrow();
			return Long.parseLong(line.replaceAll("[^0-9]", "")) * 1024;
		}
		catch (IOException ex) {
			throw new UncheckedIOException(ex);
		}
	}

	long pid() {
		return this.process.pid();
	}

	/**
	 * Ask the process to end, and wait for it up to the timeout.
	 */
	void terminate(Duration timeout) {
		this.process.destroy();
		try {
			this.process.waitFor(timeout.toMillis(), TimeUnit.MILLISECONDS);
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
		}
	}

	@Override
	public void close() {
		this.process.destroyForcibly();
		try {
			this.process.waitFor(TIMEOUT.toSeconds(), TimeUnit.SECONDS);
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
		}
		processes.remove(this.process);
	}

	/**
	 * Processor time.
	 *
	 * @param all the nanoseconds of all threads
	 * @param compilers the nanoseconds of the threads of the just-in-time compilers
	 */
	record CpuTime(long all, long compilers) {

		CpuTime minus(CpuTime other) {
			return new CpuTime(this.all - other.all, this.compilers - other.compilers);
		}

	}

}
