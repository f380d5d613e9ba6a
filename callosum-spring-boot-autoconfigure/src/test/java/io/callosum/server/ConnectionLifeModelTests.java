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

package io.callosum.server;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;
import reactor.core.scheduler.Schedulers;

import io.callosum.server.LifeModel.Situation;
import io.callosum.server.LifeSequence.Act;
import io.callosum.server.LifeSequence.Allocation;
import io.callosum.server.LifeSequence.Handling;
import io.callosum.server.LifeSequence.Plan;
import io.callosum.server.LifeSequence.Reply;
import io.callosum.server.LifeSequence.Setup;
import io.callosum.server.LifeSequence.Step;
import io.callosum.server.LifeSequence.Threads;
import io.callosum.transport.SerialExecutor;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Subjects connections to a large number of random events, and compares the outcome with
 * a model of what is promised.
 * <p>
 * Not in the model: how {@link CallosumServer} itself starts and stops, its port and its
 * three events, which {@link ServerLifecycleTests} and {@link ServerDrainTests} test;
 * TLS; and the transfer of bytes through a socket.
 * <p>
 * The seed of a sequence that fails is printed, with a minimal set of steps that still
 * fails; {@code -Dcallosum.life.seed=} runs that sequence again, and
 * {@code -Dcallosum.life.sequences=} sets how many are run.
 */
class ConnectionLifeModelTests {

	private static final int DEFAULT_SEQUENCES = 5_000;

	private static final int SEQUENCES = Integer.getInteger("callosum.life.sequences", DEFAULT_SEQUENCES);

	private static final int MAX_ATTEMPTS = 2_000;

	/**
	 * No failure may be reported only by one of these loggers.
	 */
	private static final List<String> LOGGERS = List.of(SerialExecutor.class.getName(), "io.netty", "reactor");

	private final Map<Situation, Integer> reached = new EnumMap<>(Situation.class);

	private final ListAppender<ILoggingEvent> unexpected = new ListAppender<>();

	@BeforeEach
	void prepare() {
		Schedulers.registerNonBlockingThreadPredicate((thread) -> SimulatedLoop.current() != null);
		this.unexpected.start();
		logger("io.callosum").setLevel(Level.OFF);
		for (String name : LOGGERS) {
			logger(name).setLevel(Level.WARN);
			logger(name).setAdditive(false);
			logger(name).addAppender(this.unexpected);
		}
	}

	@AfterEach
	void restore() {
		Schedulers.resetNonBlockingThreadPredicate();
		logger("io.callosum").setLevel(null);
		for (String name : LOGGERS) {
			logger(name).setLevel(null);
			logger(name).setAdditive(true);
			logger(name).detachAppender(this.unexpected);
		}
	}

	private static Logger logger(String name) {
		return (Logger) LoggerFactory.getLogger(name);
	}

	@Test
	void everyLifeGoesAsPromised() {
		Long seed = Long.getLong("callosum.life.seed");
		if (seed != null) {
			verify(LifeSequence.random(seed), 1);
			return;
		}
		long first = System.nanoTime();
		for (int i = 0; i < SEQUENCES; i++) {
			verify(LifeSequence.random(first + i), i + 1);
		}
		if (SEQUENCES >= DEFAULT_SEQUENCES) {
			assertThat(this.reached).as("what came about").containsOnlyKeys(Situation.values());
		}
	}

	/**
	 * The check that is pending from the previous write comes late, and is repeated.
	 */
	@Test
	void aWriteIsTimedFromWhenItsBytesBeganToWait() {
		Setup setup = new Setup(Threads.LOOPS, false, 1, true, null, null, false, false, true, 1000);
		verify(new LifeSequence(0, setup,
				List.of(new Step.Accept(0, 1, Plan.PLAIN), new Step.Settle(), new Step.Stall(0),
						new Step.Write(0, 10, true), new Step.RunSome(1), new Step.Resume(0), new Step.RunSome(1),
						new Step.Advance(1001), new Step.Stall(0), new Step.Write(0, 10, true), new Step.RunSome(9),
						new Step.Advance(1001), new Step.Settle())),
				1);
	}

	/**
	 * The first quiet period ends before the listener that claims the bytes has returned.
	 */
	@Test
	void bytesThatAreClaimedWhileTheServerDrainsEnd() {
		Setup setup = new Setup(Threads.EXECUTOR, false, 1, true, null, null, false, false, false, 1000);
		Plan claimsLate = new Plan(List.of(), Reply.NONE, 0, Allocation.NORMAL,
				List.of(Act.WRITE, Act.LET_OTHERS_RUN, Act.CLAIM), Handling.STAY, 9, List.of(), false);
		for (int order = 0; order < 10; order++) {
			verify(new LifeSequence(order, setup,
					List.of(new Step.Accept(0, 1, claimsLate), new Step.RunSome(4), new Step.Stall(0),
							new Step.Stop(5000), new Step.RunSome(1), new Step.Advance(1001), new Step.RunSome(1),
							new Step.Settle(), new Step.Advance(1001), new Step.Advance(1001), new Step.Settle())),
					order);
		}
	}

	/**
	 * The last quiet period ends before the listener that claims the bytes has returned.
	 */
	@Test
	void bytesThatAreClaimedWhileADrainedConnectionIsFlushedEnd() {
		Setup setup = new Setup(Threads.EXECUTOR, false, 1, true, null, null, false, false, false, 1000);
		List<Act> acts = new ArrayList<>(List.of(Act.WRITE));
		for (int i = 0; i < 3; i++) {
			acts.addAll(List.of(Act.TAKE_TIME, Act.LET_OTHERS_RUN, Act.LET_OTHERS_RUN));
		}
		acts.add(Act.CLAIM);
		Plan claimsLate = new Plan(List.of(), Reply.NONE, 0, Allocation.NORMAL, acts, Handling.STAY, 9, List.of(),
				false);
		for (int order = 0; order < 10; order++) {
			verify(new LifeSequence(order, setup,
					List.of(new Step.Accept(0, 1, claimsLate), new Step.RunSome(4), new Step.Stall(0),
							new Step.Stop(600_000), new Step.RunSome(1), new Step.RunSome(1), new Step.Settle(),
							new Step.Advance(1001), new Step.Settle(), new Step.Advance(1001), new Step.Settle(),
							new Step.Advance(1001), new Step.Settle())),
					order);
		}
	}

	private void verify(LifeSequence sequence, int number) {
		if (failure(sequence, null) == null) {
			return;
		}
		LifeSequence shortest = shrink(sequence);
		List<String> trace = new ArrayList<>();
		Throwable failure = failure(shortest, trace);
		throw new AssertionError("Sequence " + number + " breaks a promise. With -Dcallosum.life.seed="
				+ sequence.seed() + " it runs again; what fails of it:\n" + shortest + "\nWhat happens then:\n"
				+ String.join("\n", trace), failure);
	}

	private Throwable failure(LifeSequence sequence, List<String> trace) {
		try {
			this.unexpected.list.clear();
			LifeSimulation.run(sequence, trace)
				.forEach((situation, count) -> this.reached.merge(situation, count, Integer::sum));
			return this.unexpected.list.isEmpty() ? null : new AssertionError("logged: " + this.unexpected.list);
		}
		catch (Throwable ex) {
			return ex;
		}
	}

	/**
	 * Remove steps as long as the sequence still fails without them.
	 */
	private LifeSequence shrink(LifeSequence sequence) {
		LifeSequence shortest = sequence;
		int attempts = 0;
		for (int chunk = sequence.steps().size() / 2; chunk > 0; chunk /= 2) {
			int from = 0;
			while (from < shortest.steps().size() && attempts < MAX_ATTEMPTS) {
				attempts++;
				List<LifeSequence.Step> steps = new ArrayList<>(shortest.steps());
				steps.subList(from, Math.min(from + chunk, steps.size())).clear();
				LifeSequence shorter = shortest.with(steps);
				if (failure(shorter, null) != null) {
					shortest = shorter;
				}
				else {
					from += chunk;
				}
			}
		}
		return shortest;
	}

}
