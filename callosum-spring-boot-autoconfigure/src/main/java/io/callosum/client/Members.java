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

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.Predicate;

import org.jspecify.annotations.Nullable;

/**
 * The connections of a pool. Those that count toward its size are ordered by slot, with a
 * bit for each that is idle, so that leasing the lowest one or releasing one changes a
 * single bit. Guarded by the pool's lock.
 */
final class Members {

	private Member[] members = new Member[4];

	private int size;

	private long[] idle = new long[1];

	/**
	 * Connections that no longer count: they are retiring or being closed.
	 */
	private final List<Member> leaving = new ArrayList<>(0);

	private final PoolLock lock;

	Members(PoolLock lock) {
		this.lock = lock;
	}

	int size() {
		return this.size;
	}

	Member get(int index) {
		assert index < this.size;
		return this.members[index];
	}

	boolean contains(Member member) {
		return member.index >= 0;
	}

	void add(Member member) {
		assert !contains(member);
		if (this.size == this.members.length) {
			this.members = Arrays.copyOf(this.members, this.size * 2);
		}
		int index = this.size;
		while (index > 0 && this.members[index - 1].slot > member.slot) {
			this.members[index] = this.members[index - 1];
			index--;
		}
		this.members[index] = member;
		this.size++;
		reindex(index);
	}

	private void remove(Member member) {
		int index = member.index;
		assert this.members[index] == member;
		System.arraycopy(this.members, index + 1, this.members, index, this.size - index - 1);
		this.size--;
		clearUnused();
		member.index = -1;
		reindex(index);
	}

	@SuppressWarnings("NullAway") // Beyond the size, nothing is looked at
	private void clearUnused() {
		this.members[this.size] = null;
	}

	private void reindex(int from) {
		int words = (this.size + Long.SIZE - 1) / Long.SIZE;
		if (this.idle.length < words) {
			this.idle = Arrays.copyOf(this.idle, words * 2);
		}
		for (int i = from; i < this.size; i++) {
			this.members[i].index = i;
			setIdle(i, this.members[i].isIdle());
		}
		if (this.size < this.idle.length * Long.SIZE) {
			setIdle(this.size, false);
		}
	}

	void state(Member member, Member.State state) {
		member.state = state;
		if (contains(member)) {
			setIdle(member.index, member.isIdle());
		}
	}

	/**
	 * Retire a member: it is closed now if it is idle, or else when its lease ends.
	 */
	void retire(Member member, CloseReason reason) {
		leave(member);
		if (member.isInUse()) {
			member.retiring = reason;
		}
		else {
			close(member, reason);
		}
	}

	/**
	 * Retire all members that match a condition.
	 */
	void retireIf(Predicate<Member> condition, CloseReason reason) {
		for (int i = this.size - 1; i >= 0; i--) {
			if (condition.test(this.members[i])) {
				retire(this.members[i], reason);
			}
		}
	}

	/**
	 * Stop counting a member toward the size of the pool.
	 */
	void leave(Member member) {
		if (contains(member)) {
			remove(member);
			this.leaving.add(member);
		}
	}

	/**
	 * Close a connection that has left and is not in use.
	 */
	void close(Member member, CloseReason reason) {
		assert !contains(member);
		state(member, Member.State.CLOSING);
		this.lock.afterwards(() -> member.connection.close(reason));
	}

	/**
	 * A connection is closed.
	 */
	void closed(Member member) {
		if (contains(member)) {
			remove(member);
		}
		else {
			this.leaving.remove(member);
		}
		member.state = Member.State.CLOSED;
	}

	List<Member> leaving() {
		return this.leaving;
	}

	/**
	 * Return whether no connection is open.
	 */
	boolean isEmpty() {
		return this.size == 0 && this.leaving.isEmpty();
	}

	int leased() {
		int count = 0;
		for (int i = 0; i < this.size; i++) {
			count += this.members[i].isLeased() ? 1 : 0;
		}
		for (Member member : this.leaving) {
			count += member.isLeased() ? 1 : 0;
		}
		return count;
	}

	/**
	 * Return whether a member is being initialized.
	 */
	boolean isInitializing() {
		for (int i = 0; i < this.size; i++) {
			if (this.members[i].state == Member.State.INITIALIZING) {
				return true;
			}
		}
		return false;
	}

	/**
	 * Return whether there is any connection to a server.
	 */
	boolean use(PoolServer server) {
		for (Member member : this.leaving) {
			if (member.server == server) {
				return true;
			}
		}
		return count(server) > 0;
	}

	private void setIdle(int index, boolean value) {
		long bit = 1L << index;
		if (value) {
			this.idle[index / Long.SIZE] |= bit;
		}
		else {
			this.idle[index / Long.SIZE] &= ~bit;
		}
	}

	/**
	 * Return the idle member with the lowest slot.
	 */
	@Nullable Member lowestIdle() {
		for (int word = 0; word < this.idle.length; word++) {
			if (this.idle[word] != 0) {
				return this.members[word * Long.SIZE + Long.numberOfTrailingZeros(this.idle[word])];
			}
		}
		return null;
	}

	/**
	 * Return the idle member whose server has the lowest cost, and the lowest slot among
	 * equals.
	 */
	@Nullable Member cheapestIdle(Iterable<PoolServer> servers, long now) {
		for (PoolServer server : servers) {
			server.count = 0;
		}
		for (int i = 0; i < this.size; i++) {
			this.members[i].server.count += this.members[i].isLeased() ? 1 : 0;
		}
		for (Member member : this.leaving) {
			member.server.count += member.isLeased() ? 1 : 0;
		}
		Member cheapest = null;
		double least = Double.POSITIVE_INFINITY;
		for (int i = 0; i < this.size && least > 0; i++) {
			Member member = this.members[i];
			double cost = member.isIdle() ? member.server.cost(member.server.count, now) : Double.POSITIVE_INFINITY;
			if (cost < least) {
				cheapest = member;
				least = cost;
			}
		}
		return cheapest;
	}

	int idle() {
		int count = 0;
		for (long word : this.idle) {
			count += Long.bitCount(word);
		}
		return count;
	}

	/**
	 * Return the member with the highest slot, on all servers or on one. Among equals, an
	 * idle one is preferred.
	 */
	@Nullable Member worst(@Nullable PoolServer server) {
		Member worst = null;
		for (int i = this.size - 1; i >= 0; i--) {
			Member member = this.members[i];
			if (worst != null && member.slot < worst.slot) {
				break;
			}
			if (server == null || member.server == server) {
				if (member.isIdle()) {
					return member;
				}
				worst = (worst != null) ? worst : member;
			}
		}
		return worst;
	}

	int count(PoolServer server) {
		int count = 0;
		for (int i = 0; i < this.size; i++) {
			if (this.members[i].server == server) {
				count++;
			}
		}
		return count;
	}

	List<ClientSnapshot.Member> snapshot() {
		List<ClientSnapshot.Member> snapshot = new ArrayList<>(this.size);
		for (int i = 0; i < this.size; i++) {
			snapshot.add(this.members[i].snapshot());
		}
		for (Member member : this.leaving) {
			if (member.isInUse()) {
				snapshot.add(member.snapshot());
			}
		}
		snapshot.sort(Comparator.comparingInt(ClientSnapshot.Member::slot));
		return snapshot;
	}

}
