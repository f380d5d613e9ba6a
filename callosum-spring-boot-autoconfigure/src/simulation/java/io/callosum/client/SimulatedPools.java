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

package io.callosum.client;

import java.util.List;

import io.callosum.simulation.Arm;

/**
 * The arms whose clients are production pools.
 *
 * @author The Callosum authors
 */
public final class SimulatedPools {

	private static final Rules DEFAULT = Rules.DEFAULT;

	private SimulatedPools() {
	}

	/**
	 * Return the pool with its defaults.
	 * @return the arm
	 */
	public static Arm callosum() {
		return arm("callosum", DEFAULT, LeasePolicy.LOWEST_SLOT);
	}

	/**
	 * Return the pool that leases the connection with the lowest cost.
	 * @return the arm
	 */
	public static Arm balanced() {
		return arm("callosum-balanced", DEFAULT, LeasePolicy.BALANCED);
	}

	/**
	 * Return the pools with single rules switched off.
	 * @return the arms
	 */
	public static List<Arm> ablations() {
		return List.of(arm("callosum-without-return", DEFAULT.withReturning(false)),
				arm("callosum-without-join", DEFAULT.withJoining(false)),
				arm("callosum-without-follow", DEFAULT.withFollowing(false)),
				arm("callosum-without-settle", DEFAULT.withSettling(false)),
				arm("callosum-without-spread", DEFAULT.withSpread(Rules.Spread.OFF)),
				arm("callosum-hard-spread", DEFAULT.withSpread(Rules.Spread.HARD)), rover());
	}

	/**
	 * Return the pool that only fills and roves.
	 * @return the arm
	 */
	public static Arm rover() {
		return arm("callosum-roving-only",
				DEFAULT.withReturning(false)
					.withJoining(false)
					.withFollowing(false)
					.withSettling(false)
					.withSpread(Rules.Spread.OFF));
	}

	private static Arm arm(String name, Rules rules) {
		return arm(name, rules, LeasePolicy.LOWEST_SLOT);
	}

	private static Arm arm(String name, Rules rules, LeasePolicy policy) {
		return new Arm(name, (fleet, index) -> new SimulatedPool(fleet, index, rules, policy));
	}

}
