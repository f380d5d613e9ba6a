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
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * What happens to a server, and how its application is set up: everything that a
 * {@link LifeSimulation} needs to repeat it exactly. Steps refer to connections by their
 * position among those that qualify, so that a sequence remains meaningful when any of
 * its steps is removed.
 *
 * @param seed where it comes from
 * @param setup how the server is set up
 * @param steps what happens
 */
record LifeSequence(long seed, Setup setup, List<Step> steps) {

	private static final int MAX_STEPS = 40;

	static LifeSequence random(long seed) {
		Dice dice = new Dice(new Random(seed));
		Setup setup = new Setup(dice.chance(40) ? Threads.LOOPS : dice.pick(Threads.values()), dice.chance(50),
				dice.between(1, 2), dice.chance(50), dice.chance(25) ? dice.between(1, 4) : null,
				dice.chance(25) ? dice.between(1, 2) : null, dice.chance(50), dice.chance(20), dice.chance(20),
				dice.chance(20) ? dice.between(1, 3) : 1000);
		int length = dice.between(3, MAX_STEPS);
		return new LifeSequence(seed, setup, IntStream.range(0, length).mapToObj((i) -> dice.step(setup)).toList());
	}

	LifeSequence with(List<Step> steps) {
		return new LifeSequence(this.seed, this.setup, List.copyOf(steps));
	}

	@Override
	public String toString() {
		StringBuilder result = new StringBuilder("seed " + this.seed + ", " + this.setup);
		for (int i = 0; i < this.steps.size(); i++) {
			result.append("\n  ").append(i + 1).append(". ").append(this.steps.get(i));
		}
		return result.toString();
	}

	/**
	 * Where listeners run.
	 */
	enum Threads {

		LOOPS, EXECUTOR, EXECUTOR_THAT_REJECTS, EXECUTOR_ON_CALLER

	}

	/**
	 * How the server is set up.
	 *
	 * @param threads where listeners run
	 * @param eager whether everything settles after each step
	 * @param loops the number of event loops
	 * @param ownLoops whether the loops end with the server
	 * @param maxConnections the limit, if any
	 * @param maxPerAddress the limit, if any
	 * @param handler whether there is a connection handler
	 * @param idleTimeout whether there is an idle timeout
	 * @param writeTimeout whether there is a write timeout
	 * @param maxSlots how many slots the allocator has
	 */
	record Setup(Threads threads, boolean eager, int loops, boolean ownLoops, Integer maxConnections,
			Integer maxPerAddress, boolean handler, boolean idleTimeout, boolean writeTimeout, int maxSlots) {
	}

	/**
	 * How a listener answers a slot request.
	 */
	enum Reply {

		NONE, HEAP, RAW, LATER, NOW, NOW_FAILED, REJECT, REJECT_NO_SLOT, THROW, OVERFLOW, ASSIGN_AND_THROW,
		LATER_AND_THROW, REJECT_AND_THROW, ASSIGN_TWICE, NEGATIVE, THROW_ON_SUBSCRIBE

	}

	/**
	 * What the allocator does.
	 */
	enum Allocation {

		NORMAL, SLOW, NO_SLOT, FAIL, NEGATIVE, FAIL_ON_RELEASE

	}

	/**
	 * What a listener does in addition.
	 */
	enum Act {

		CLOSE, PEER_CLOSES, PEER_RESETS, WRITE, CLAIM, ANSWER, LET_OTHERS_RUN, TAKE_TIME, STOP, STOP_GRACEFULLY, THROW,
		OVERFLOW

	}

	/**
	 * What the connection handler does.
	 */
	enum Handling {

		STAY, CLAIM, CLAIM_AND_END_WITH_INBOUND, COMPLETE, FAIL, THROW, NULL

	}

	/**
	 * What an asynchronous answer emits.
	 */
	enum Emission {

		HEAP, HEAP_TWICE, RAW, NEGATIVE, ERROR, NO_SLOT, EMPTY

	}

	/**
	 * What the application does with a connection.
	 *
	 * @param onRequest what listeners do before they answer
	 * @param reply how they answer
	 * @param slot the slot they answer with, if they choose one regardless of others
	 * @param allocation what the allocator does
	 * @param onConnection what listeners of the connection do
	 * @param handling what the handler does
	 * @param demand how many buffers the owner of the bytes requests, 9 for all
	 * @param onFree what listeners of its end do
	 * @param errorListenerThrows whether listeners of its errors throw
	 */
	record Plan(List<Act> onRequest, Reply reply, int slot, Allocation allocation, List<Act> onConnection,
			Handling handling, int demand, List<Act> onFree, boolean errorListenerThrows) {

		static final Plan PLAIN = new Plan(List.of(), Reply.NONE, 0, Allocation.NORMAL, List.of(), Handling.STAY, 9,
				List.of(), false);

	}

	sealed interface Step {

		record Accept(int loop, int address, Plan plan) implements Step {
		}

		record Answer(int pending, Emission emission, int slot, boolean onLoop) implements Step {
		}

		record PeerSends(int connection, int bytes) implements Step {
		}

		record PeerCloses(int connection) implements Step {
		}

		record PeerResets(int connection) implements Step {
		}

		record Close(int connection, boolean onLoop) implements Step {
		}

		record Write(int connection, int bytes, boolean onLoop) implements Step {
		}

		record WriteToAll(int bytes) implements Step {
		}

		record Request(int connection, int buffers) implements Step {
		}

		record EndHandler(int connection, boolean failed) implements Step {
		}

		record Stall(int connection) implements Step {
		}

		record Resume(int connection) implements Step {
		}

		record BreakDown(int connection, boolean silently) implements Step {
		}

		record Advance(int millis) implements Step {
		}

		record RunSome(int tasks) implements Step {
		}

		record Settle() implements Step {
		}

		record Stop(int timeoutMillis) implements Step {
		}

		record Start() implements Step {
		}

	}

	private record Dice(Random random) {

		boolean chance(int percent) {
			return this.random.nextInt(100) < percent;
		}

		int between(int from, int to) {
			return from + this.random.nextInt(to - from + 1);
		}

		@SafeVarargs
		final <T> T pick(T... values) {
			return values[this.random.nextInt(values.length)];
		}

		Step step(Setup setup) {
			int connection = between(0, 9);
			boolean onLoop = chance(50);
			return switch (between(0, setup.eager() ? 33 : 41)) {
				case 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 -> new Step.Accept(between(0, 1), between(1, 3), plan());
				case 10, 11, 12, 13 -> new Step.Answer(between(0, 3), emission(), between(0, 3), onLoop);
				case 14, 15 -> new Step.PeerSends(connection, chance(70) ? between(1, 2000) : between(20_000, 70_000));
				case 16, 17, 18 -> new Step.PeerCloses(connection);
				case 19 -> new Step.PeerResets(connection);
				case 20, 21 -> new Step.Close(connection, onLoop);
				case 22 -> chance(60) ? new Step.Write(connection, between(1, 3000), onLoop)
						: new Step.WriteToAll(between(1, 100));
				case 23 -> new Step.Request(connection, between(1, 9));
				case 24 -> new Step.EndHandler(connection, chance(40));
				case 25 -> new Step.Stall(connection);
				case 26 -> new Step.Resume(connection);
				case 27 -> new Step.BreakDown(connection, onLoop);
				case 28, 29 -> new Step.Advance(pick(1, 250, 999, 1001, 3000));
				case 30 -> new Step.Advance(pick(9_999, 10_001, 31_000));
				case 31, 32 -> chance(60) ? new Step.Stop(pick(0, 0, 500, 1500, 5000)) : new Step.Start();
				case 33 -> new Step.Start();
				case 34, 35 -> new Step.Settle();
				default -> new Step.RunSome(between(1, 5));
			};
		}

		private Emission emission() {
			return chance(60) ? Emission.HEAP : pick(Emission.values());
		}

		private Plan plan() {
			return new Plan(
					acts(12, Act.TAKE_TIME, Act.PEER_CLOSES, Act.PEER_RESETS, Act.ANSWER, Act.LET_OTHERS_RUN, Act.STOP,
							Act.STOP_GRACEFULLY),
					reply(), between(0, 3), chance(85) ? Allocation.NORMAL : pick(Allocation.values()),
					acts(30, Act.CLOSE, Act.PEER_CLOSES, Act.PEER_RESETS, Act.WRITE, Act.CLAIM, Act.CLAIM, Act.ANSWER,
							Act.LET_OTHERS_RUN, Act.TAKE_TIME, Act.STOP, Act.STOP_GRACEFULLY, Act.THROW, Act.OVERFLOW),
					chance(50) ? Handling.STAY : pick(Handling.values()), pick(0, 1, 2, 9, 9),
					acts(35, Act.CLOSE, Act.ANSWER, Act.ANSWER, Act.LET_OTHERS_RUN, Act.STOP, Act.STOP_GRACEFULLY,
							Act.THROW, Act.OVERFLOW),
					chance(5));
		}

		private Reply reply() {
			int roll = between(0, 99);
			if (roll < 30) {
				return Reply.NONE;
			}
			if (roll < 42) {
				return Reply.HEAP;
			}
			if (roll < 72) {
				return Reply.LATER;
			}
			return pick(Reply.values());
		}

		private List<Act> acts(int percent, Act... from) {
			List<Act> acts = new ArrayList<>();
			while (acts.size() < 3 && chance(percent)) {
				acts.add(pick(from));
			}
			return acts;
		}

	}

}
