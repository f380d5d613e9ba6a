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

import org.jspecify.annotations.Nullable;

/**
 * Decides which connections a pool keeps: the rules Keep and Spread. Guarded by the
 * pool's lock.
 */
final class Selection {

	private final PoolSettings settings;

	private final Members members;

	private final Servers servers;

	Selection(PoolSettings settings, Members members, Servers servers) {
		this.settings = settings;
		this.members = members;
		this.servers = servers;
	}

	/**
	 * Add a new connection to the members if there is room or if it replaces a member.
	 * @param candidate the new connection
	 * @param aged the member that the new connection was dialled to replace, or
	 * {@code null}
	 * @return {@code false} if the new connection is turned down
	 */
	boolean keep(Member candidate, @Nullable Member aged) {
		if (aged != null && this.members.contains(aged)) {
			this.members.retire(aged, CloseReason.AGED);
		}
		else if (this.members.size() >= this.settings.poolSize()) {
			Member replaced = replacedBy(candidate);
			if (replaced == null) {
				return false;
			}
			this.members.retire(replaced, CloseReason.REPLACED);
		}
		this.members.add(candidate);
		return true;
	}

	private @Nullable Member replacedBy(Member candidate) {
		Rules.Spread spread = this.settings.rules().spread();
		Member worst = this.members.worst(null);
		if (worst == null || candidate.slot >= worst.slot) {
			return null;
		}
		if (spread == Rules.Spread.OFF || worst.server == candidate.server
				|| this.members.count(candidate.server) < share()
				|| (spread == Rules.Spread.SOFT && candidate.slot <= worst.slot - 2)) {
			return worst;
		}
		Member own = this.members.worst(candidate.server);
		return (own != null && candidate.slot < own.slot) ? own : null;
	}

	/**
	 * Return this client's share of connections per server.
	 */
	int share() {
		int available = Math.max(this.servers.available(), 1);
		return (this.settings.poolSize() + available - 1) / available;
	}

}
