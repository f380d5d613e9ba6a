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

import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;

import io.netty.util.NetUtil;

import org.springframework.util.Assert;

/**
 * IP addresses, and ranges of them in CIDR notation. Immutable. Two ranges are either
 * nested or disjoint, so a lookup compares an address with a single range, no matter how
 * many there are.
 */
final class AddressRanges {

	static final AddressRanges NONE = new AddressRanges(List.of());

	private final int size;

	private final NavigableMap<byte[], byte[]> ipv4 = new TreeMap<>(Arrays::compareUnsigned);

	private final NavigableMap<byte[], byte[]> ipv6 = new TreeMap<>(Arrays::compareUnsigned);

	/**
	 * Create a new instance.
	 * @param addresses IP addresses, or ranges in CIDR notation
	 * @throws IllegalArgumentException if one of them is neither
	 */
	AddressRanges(Collection<String> addresses) {
		this.size = addresses.size();
		// Larger ranges first, so that ranges that they contain are skipped
		addresses.stream()
			.map(Range::parse)
			.sorted(Comparator.comparingInt(Range::prefix))
			.filter((range) -> !contains(range.first()))
			.forEach((range) -> ranges(range.first()).put(range.first(), range.last()));
	}

	boolean isEmpty() {
		return this.size == 0;
	}

	int size() {
		return this.size;
	}

	boolean contains(InetAddress address) {
		return contains(address.getAddress());
	}

	private boolean contains(byte[] address) {
		Map.Entry<byte[], byte[]> range = ranges(address).floorEntry(address);
		return range != null && Arrays.compareUnsigned(address, range.getValue()) <= 0;
	}

	private NavigableMap<byte[], byte[]> ranges(byte[] address) {
		return (address.length == Integer.BYTES) ? this.ipv4 : this.ipv6;
	}

	private record Range(byte[] first, byte[] last, int prefix) {

		private static Range parse(String range) {
			String invalid = "'" + range + "' is not an IP address or a range in CIDR notation";
			String stripped = range.strip();
			int slash = stripped.indexOf('/');
			String ip = (slash >= 0) ? stripped.substring(0, slash) : stripped;
			byte[] bytes = NetUtil.createByteArrayFromIpAddressString(ip);
			Assert.isTrue(bytes != null, invalid);
			try {
				// An IPv4-mapped IPv6 address becomes the IPv4 address
				byte[] address = InetAddress.getByAddress(bytes).getAddress();
				int mapped = (bytes.length - address.length) * Byte.SIZE;
				int bits = address.length * Byte.SIZE;
				int prefix = (slash >= 0) ? Integer.parseInt(stripped.substring(slash + 1)) - mapped : bits;
				Assert.isTrue(prefix >= 0 && prefix <= bits, invalid);
				return of(address, prefix);
			}
			catch (UnknownHostException | NumberFormatException ex) {
				throw new IllegalArgumentException(invalid, ex);
			}
		}

		private static Range of(byte[] address, int prefix) {
			byte[] first = address.clone();
			byte[] last = address.clone();
			for (int bit = prefix; bit < address.length * Byte.SIZE; bit++) {
				int mask = 1 << (Byte.SIZE - 1 - bit % Byte.SIZE);
				first[bit / Byte.SIZE] &= (byte) ~mask;
				last[bit / Byte.SIZE] |= (byte) mask;
			}
			return new Range(first, last, prefix);
		}

	}

}
