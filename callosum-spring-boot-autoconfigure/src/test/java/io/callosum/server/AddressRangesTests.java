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
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

import io.netty.handler.ipfilter.IpFilterRuleType;
import io.netty.handler.ipfilter.IpSubnetFilterRule;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Tests for {@link AddressRanges}.
 */
class AddressRangesTests {

	private final Random random = new Random(7);

	@ParameterizedTest
	@ValueSource(ints = { 4, 16 })
	void anAddressIsContainedIfOneOfTheRangesContainsIt(int bytes) throws UnknownHostException {
		for (int round = 0; round < 200; round++) {
			List<IpSubnetFilterRule> rules = new ArrayList<>();
			List<String> ranges = new ArrayList<>();
			for (int i = 0; i < 1 + this.random.nextInt(12); i++) {
				InetAddress address = address(bytes);
				int prefix = this.random.nextInt(bytes * 8 + 1);
				rules.add(new IpSubnetFilterRule(address, prefix, IpFilterRuleType.ACCEPT));
				ranges.add(address.getHostAddress() + "/" + prefix);
			}
			AddressRanges addressRanges = new AddressRanges(ranges);
			for (int i = 0; i < 100; i++) {
				InetAddress address = address(bytes);
				InetSocketAddress socketAddress = new InetSocketAddress(address, 1);
				assertThat(addressRanges.contains(address)).as("%s in %s", address, ranges)
					.isEqualTo(rules.stream().anyMatch((rule) -> rule.matches(socketAddress)));
			}
		}
	}

	/**
	 * Return one of only a few possible addresses, so that ranges overlap.
	 */
	private InetAddress address(int length) throws UnknownHostException {
		byte[] bytes = new byte[length];
		bytes[0] = (byte) (0x20 + this.random.nextInt(2));
		bytes[1] = (byte) (this.random.nextBoolean() ? 0xff : 0);
		bytes[length - 1] = (byte) this.random.nextInt(4);
		return InetAddress.getByAddress(bytes);
	}

	@Test
	void oneOfTenThousandRangesIsFound() throws UnknownHostException {
		AddressRanges ranges = new AddressRanges(
				IntStream.range(0, 10_000).mapToObj((i) -> "10." + i / 256 + "." + i % 256 + ".128/25").toList());
		for (int i = 0; i < 10_000; i++) {
			String network = "10." + i / 256 + "." + i % 256;
			assertThat(ranges.contains(InetAddress.getByName(network + ".128"))).isTrue();
			assertThat(ranges.contains(InetAddress.getByName(network + ".255"))).isTrue();
			assertThat(ranges.contains(InetAddress.getByName(network + ".127"))).isFalse();
		}
	}

}
