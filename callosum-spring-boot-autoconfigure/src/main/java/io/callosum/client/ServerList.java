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

import java.net.InetSocketAddress;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;

import org.jspecify.annotations.Nullable;

/**
 * An immutable list of the known servers, without duplicates. May be shared by many
 * pools.
 */
final class ServerList {

	static final ServerList EMPTY = new ServerList(new InetSocketAddress[0], Map.of());

	private final InetSocketAddress[] addresses;

	private final Map<InetSocketAddress, Integer> indexes;

	private ServerList(InetSocketAddress[] addresses, Map<InetSocketAddress, Integer> indexes) {
		this.addresses = addresses;
		this.indexes = indexes;
	}

	static ServerList of(Collection<InetSocketAddress> addresses) {
		Map<InetSocketAddress, Integer> indexes = new LinkedHashMap<>();
		for (InetSocketAddress address : addresses) {
			indexes.putIfAbsent(address, indexes.size());
		}
		return new ServerList(indexes.keySet().toArray(InetSocketAddress[]::new), indexes);
	}

	int size() {
		return this.addresses.length;
	}

	InetSocketAddress get(int index) {
		return this.addresses[index];
	}

	boolean contains(InetSocketAddress address) {
		return this.indexes.containsKey(address);
	}

	/**
	 * Return the index of an address in the list.
	 * @param address the address
	 * @return its index, or -1
	 */
	int indexOf(InetSocketAddress address) {
		@Nullable Integer index = this.indexes.get(address);
		return (index != null) ? index : -1;
	}

}
