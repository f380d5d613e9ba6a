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

import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.UnaryOperator;

import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.socket.nio.NioChannelOption;
import jdk.net.ExtendedSocketOptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;
import reactor.netty.resources.LoopResources;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.entry;

/**
 * Tests for the TCP keep-alive options of the sockets.
 */
@ParameterizedClass
@EnumSource
class KeepAliveTests {

	@Parameter
	Transport transport;

	@Test
	void itIsOnByDefault() {
		verifyOptions(UnaryOperator.identity(), true, 60, 10, 3);
	}

	@Test
	void itIsAsSet() {
		verifyOptions((builder) -> builder.keepAlive(Duration.ofSeconds(7), Duration.ofMinutes(2), 9), true, 7, 120, 9);
	}

	@Test
	void itIsAsSetOnEventLoopsOfTheApplication() {
		LoopResources loops = LoopResources.create("test", 1, true);
		try {
			verifyOptions((builder) -> builder.loopResources(loops)
				.keepAlive(Duration.ofSeconds(7), Duration.ofSeconds(8), 9), true, 7, 8, 9);
		}
		finally {
			loops.disposeLater(Duration.ZERO, Duration.ofSeconds(10)).block();
		}
	}

	@Test
	void itCanBeOff() {
		try (TestServer server = TestServer.create(this.transport, (builder) -> builder.noKeepAlive())) {
			Channel channel = connect(server);
			assertThat(channel.config().getOption(ChannelOption.SO_KEEPALIVE)).isFalse();
		}
	}

	@Test
	void whatTheSystemCannotBeToldIsRejected() {
		Duration second = Duration.ofSeconds(1);
		for (Duration wrong : new Duration[] { Duration.ZERO, Duration.ofMillis(999), Duration.ofHours(10),
				Duration.ofSeconds(-5) }) {
			assertThatIllegalArgumentException().isThrownBy(() -> CallosumServer.builder().keepAlive(wrong, second, 1))
				.withMessageContaining("'idle'");
			assertThatIllegalArgumentException().isThrownBy(() -> CallosumServer.builder().keepAlive(second, wrong, 1))
				.withMessageContaining("'interval'");
		}
		for (int wrong : new int[] { -1, 0, 128 }) {
			assertThatIllegalArgumentException()
				.isThrownBy(() -> CallosumServer.builder().keepAlive(second, second, wrong))
				.withMessageContaining("'count'");
		}
	}

	private void verifyOptions(UnaryOperator<CallosumServer.Builder> customizer, boolean enabled, int idle,
			int interval, int count) {
		try (TestServer server = TestServer.create(this.transport, customizer)) {
			Channel channel = connect(server);
			assertThat(channel.config().getOption(ChannelOption.SO_KEEPALIVE)).isEqualTo(enabled);
			assertThat(channel.config().getOption(ChannelOption.TCP_NODELAY)).isTrue();
			Map<String, Integer> options = this.transport.isNative()
					? Map.of("idle", channel.config().getOption(EpollChannelOption.TCP_KEEPIDLE), "interval",
							channel.config().getOption(EpollChannelOption.TCP_KEEPINTVL), "count",
							channel.config().getOption(EpollChannelOption.TCP_KEEPCNT))
					: Map.of("idle",
							channel.config().getOption(NioChannelOption.of(ExtendedSocketOptions.TCP_KEEPIDLE)),
							"interval",
							channel.config().getOption(NioChannelOption.of(ExtendedSocketOptions.TCP_KEEPINTERVAL)),
							"count",
							channel.config().getOption(NioChannelOption.of(ExtendedSocketOptions.TCP_KEEPCOUNT)));
			assertThat(options).containsOnly(entry("idle", idle), entry("interval", interval), entry("count", count));
			// For example one about an unknown option, for each connection
			assertThat(server.warnings()).isEmpty();
		}
	}

	private static Channel connect(TestServer server) {
		CompletableFuture<Channel> channel = new CompletableFuture<>();
		server.events()
			.on(ConnectionEvent.class,
					(event) -> event.getConnection()
						.outbound()
						.withConnection((connection) -> channel.complete(connection.channel())));
		server.start();
		assertThat(server.connect().readSlot()).isZero();
		return channel.join();
	}

}
