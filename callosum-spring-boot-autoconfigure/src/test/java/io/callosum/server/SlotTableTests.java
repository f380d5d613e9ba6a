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

import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;

import io.netty.channel.embedded.EmbeddedChannel;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

import io.callosum.server.SlotTable.Result;

import static org.assertj.core.api.Assertions.assertThat;
import static org.mockito.BDDMockito.given;
import static org.mockito.Mockito.mock;

/**
 * Tests for {@link SlotTable} and {@link SlotLease}.
 */
class SlotTableTests {

	private final SlotTable slots = new SlotTable();

	private final EmbeddedChannel channel = new EmbeddedChannel();

	private final List<String> waited = new ArrayList<>();

	@AfterEach
	void close() {
		this.channel.close();
	}

	@Test
	void aSlotHasOneHolder() {
		SlotLease holder = lease("holder", 3);
		assertThat(hold(holder)).isEqualTo(Result.HELD);
		assertThat(hold(lease("other", 3))).isEqualTo(Result.TAKEN);
		assertThat(hold(lease("neighbor", 4))).isEqualTo(Result.HELD);
		assertThat(this.slots.holder(3)).isSameAs(holder.connection());
	}

	@Test
	void aSlotThatIsFreeHasItsNextHolderBeforeTheLastHasLeft() {
		SlotLease last = lease("last", 0);
		hold(last);
		last.freeing();
		this.slots.free(last);
		assertThat(this.slots.holder(0)).isNull();
		assertThat(this.slots.connections()).containsExactly(last.connection());
		SlotLease next = lease("next", 0);
		assertThat(hold(next)).isEqualTo(Result.HELD);
		this.slots.leave(last);
		assertThat(this.slots.connections()).containsExactly(next.connection());
	}

	@Test
	void theFirstOfThoseThatWaitHasTheSlot() {
		SlotLease last = lease("last", 0);
		hold(last);
		last.freeing();
		SlotLease first = lease("first", 0);
		assertThat(hold(first)).isEqualTo(Result.WAITING);
		assertThat(hold(lease("second", 0))).isEqualTo(Result.WAITING);
		assertThat(this.waited).isEmpty();
		this.slots.free(last);
		assertThat(this.waited).containsExactly("first true", "second false");
		this.slots.leave(last);
		assertThat(this.slots.connections()).containsExactly(first.connection());
	}

	@Test
	void connectionsAreInTheOrderOfTheirSlots() {
		hold(lease("c", 2));
		hold(lease("a", 0));
		hold(lease("b", 1));
		assertThat(this.slots.connections()).extracting(CallosumConnection::slot).containsExactly(0, 1, 2);
	}

	private Result hold(SlotLease lease) {
		return this.slots.hold(lease, (held) -> this.waited.add(lease.connection().id() + " " + held));
	}

	private SlotLease lease(String id, int slot) {
		LeasedConnection.Owner owner = mock(LeasedConnection.Owner.class);
		given(owner.channel()).willReturn(this.channel);
		given(owner.id()).willReturn(id);
		InetSocketAddress address = InetSocketAddress.createUnresolved("peer", 1);
		return new SlotLease(new LeasedConnection(owner, new SlotRequest(id, address, address), slot, slot), false);
	}

}
