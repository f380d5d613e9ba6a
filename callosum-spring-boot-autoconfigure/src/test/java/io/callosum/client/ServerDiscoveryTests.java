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

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioDatagramChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.resolver.dns.DnsNameResolver;
import io.netty.resolver.dns.DnsNameResolverBuilder;
import io.netty.resolver.dns.SingletonDnsServerAddressStreamProvider;
import org.awaitility.Awaitility;
import org.awaitility.core.ThrowingRunnable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

/**
 * Tests for {@link ServerDiscovery} and {@link DnsLookup}, with a name server.
 *
 * @author The Callosum authors
 */
class ServerDiscoveryTests {

	private static final String NAME = "orders.internal";

	private final TestDns dns = new TestDns();

	private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());

	private final EventLoop eventLoop = this.group.next();

	private final List<Set<InetSocketAddress>> lists = new CopyOnWriteArrayList<>();

	private final List<String> failures = new CopyOnWriteArrayList<>();

	private final List<DnsNameResolver> resolvers = new ArrayList<>();

	private Duration minTimeToLive = Duration.ofMillis(20);

	private Duration maxTimeToLive = Duration.ofSeconds(30);

	/**
	 * Longer than a busy machine may pause, for tests in which queries must not time out.
	 */
	private Duration queryTimeout = Duration.ofSeconds(15);

	private ServerDiscovery discovery;

	@AfterEach
	void stop() throws Exception {
		if (this.discovery != null) {
			this.eventLoop.submit(this.discovery::stop).get();
		}
		this.group.shutdownGracefully(0, 5, TimeUnit.SECONDS).get();
		this.dns.close();
	}

	private void start(String... addresses) {
		start(Mono.just(List.of(addresses).stream().map(ServerAddress::of).toList()));
	}

	private void start(Publisher<? extends Collection<ServerAddress>> source) {
		this.discovery = new ServerDiscovery(source, this.eventLoop, this::resolver, this.minTimeToLive,
				this.maxTimeToLive, this.lists::add, this.failures::add);
		this.eventLoop.execute(this.discovery::start);
	}

	private DnsNameResolver resolver() {
		DnsNameResolver resolver = new DnsNameResolverBuilder(this.eventLoop)
			.datagramChannelType(NioDatagramChannel.class)
			.socketChannelType(NioSocketChannel.class)
			.queryTimeoutMillis(this.queryTimeout.toMillis())
			.searchDomains(List.of("cluster.local"))
			.nameServerProvider(new SingletonDnsServerAddressStreamProvider(this.dns.address()))
			.build();
		this.resolvers.add(resolver);
		return resolver;
	}

	private void awaitServers(String... expected) {
		await(() -> assertThat(servers()).containsExactlyInAnyOrder(expected));
	}

	private List<String> servers() {
		return this.lists.isEmpty() ? List.of()
				: this.lists.get(this.lists.size() - 1)
					.stream()
					.map((server) -> server.getAddress().getHostAddress() + ":" + server.getPort())
					.toList();
	}

	private static void await(ThrowingRunnable assertion) {
		Awaitility.await().atMost(Duration.ofSeconds(20)).pollInterval(Duration.ofMillis(5)).untilAsserted(assertion);
	}

	@Test
	void literalsAreServersWithoutAQuestion() {
		start("127.0.0.2:4041", "[::1]:4042", "127.0.0.3", "127.0.0.2:4041");
		awaitServers("127.0.0.2:4041", "0:0:0:0:0:0:0:1:4042", "127.0.0.3:4040");
		assertThat(this.resolvers).isEmpty();
		assertThat(this.lists).hasSize(1);
	}

	@Test
	void anAddressWithTheNameOfANetworkInterfaceIsALiteral() throws SocketException {
		InetAddress address = NetworkInterface.networkInterfaces()
			.flatMap(NetworkInterface::inetAddresses)
			.filter((candidate) -> candidate.getHostAddress().matches(".*%.*[a-z].*"))
			.findFirst()
			.orElse(null);
		assumeThat(address).as("an IPv6 address of a network interface").isNotNull();
		start("[" + address.getHostAddress() + "]:4042", "127.0.0.1");
		await(() -> assertThat(this.lists).containsExactly(Set.of(new InetSocketAddress(address, 4042),
				new InetSocketAddress(InetAddress.getLoopbackAddress(), 4040))));
		assertThat(this.resolvers).isEmpty();
	}

	@Test
	void eachAddressBehindANameIsAServerThatKeepsTheName() {
		this.dns.answer(NAME, 60, "10.0.0.1", "10.0.0.2", "fd00::1");
		start(NAME + ":5000");
		awaitServers("10.0.0.1:5000", "10.0.0.2:5000", "fd00:0:0:0:0:0:0:1:5000");
		assertThat(this.lists.get(this.lists.size() - 1)).extracting(InetSocketAddress::getHostString)
			.containsOnly(NAME);
		assertThat(this.failures).isEmpty();
	}

	@Test
	void anAddressFoundTwiceIsOneServer() {
		this.dns.answer(NAME, 60, "10.0.0.1", "10.0.0.2");
		this.dns.answer("other.internal", 60, "10.0.0.2", "10.0.0.3");
		start(NAME, "other.internal", "10.0.0.1");
		awaitServers("10.0.0.1:4040", "10.0.0.2:4040", "10.0.0.3:4040");
	}

	@Test
	void aTruncatedAnswerIsAskedForAgainOverTcp() {
		String[] addresses = IntStream.range(0, 100).mapToObj((i) -> "10.0.1." + i).toArray(String[]::new);
		this.dns.answer(NAME, 60, addresses);
		start(NAME);
		awaitServers(IntStream.range(0, 100).mapToObj((i) -> "10.0.1." + i + ":4040").toArray(String[]::new));
		assertThat(this.lists).hasSize(1);
		assertThat(this.dns.queriesOverTcp()).isPositive();
	}

	@Test
	void aNameIsLookedUpAgainWhenItsTimeToLiveHasPassed() {
		this.dns.answer(NAME, 1, "10.0.0.1");
		long start = System.nanoTime();
		start(NAME);
		awaitServers("10.0.0.1:4040");
		this.dns.answer(NAME, 1, "10.0.0.1", "10.0.0.2");
		awaitServers("10.0.0.1:4040", "10.0.0.2:4040");
		assertThat(Duration.ofNanos(System.nanoTime() - start)).isBetween(Duration.ofSeconds(1),
				Duration.ofSeconds(15));
		this.dns.answer(NAME, 60, "10.0.0.2");
		awaitServers("10.0.0.2:4040");
	}

	@Test
	void theTimeToLiveIsClamped() {
		this.minTimeToLive = Duration.ofMillis(100);
		this.maxTimeToLive = Duration.ofMillis(200);
		this.dns.answer(NAME, 0, "10.0.0.1");
		this.dns.answer("slow.internal", 86400, "10.0.0.2");
		long start = System.nanoTime();
		start(NAME, "slow.internal");
		await(() -> assertThat(this.dns.queries("slow.internal")).isGreaterThan(3));
		int queries = this.dns.queries(NAME);
		long millis = Duration.ofNanos(System.nanoTime() - start).toMillis();
		assertThat(queries).isLessThanOrEqualTo((int) (millis / 100) + 1);
	}

	@Test
	void theLastGoodListStaysWhateverTheNameServerDoes() {
		this.queryTimeout = Duration.ofSeconds(2);
		this.maxTimeToLive = Duration.ofMillis(50);
		this.dns.answer(NAME, 0, "10.0.0.1", "10.0.0.2");
		start(NAME);
		awaitServers("10.0.0.1:4040", "10.0.0.2:4040");
		List<Runnable> faults = List.of(() -> this.dns.answerNxDomain(NAME), () -> this.dns.answerServFail(NAME),
				() -> this.dns.answer(NAME, 0), () -> this.dns.silence(NAME));
		for (Runnable fault : faults) {
			int failures = this.failures.size();
			fault.run();
			await(() -> assertThat(this.failures.size()).isGreaterThan(failures + 1));
			assertThat(servers()).containsExactlyInAnyOrder("10.0.0.1:4040", "10.0.0.2:4040");
		}
		this.dns.answer(NAME, 0, "10.0.0.3");
		awaitServers("10.0.0.3:4040");
		int failures = this.failures.size();
		int queries = this.dns.queries(NAME);
		await(() -> assertThat(this.dns.queries(NAME)).isGreaterThan(queries + 3));
		assertThat(this.failures).hasSize(failures);
		assertThat(this.failures)
			.allMatch((failure) -> failure.startsWith("The name '" + NAME + "' cannot be resolved: "));
	}

	@Test
	void aNameThatDoesNotExistYetIsFoundWhenItDoes() {
		this.maxTimeToLive = Duration.ofMillis(50);
		this.dns.answerNxDomain(NAME);
		start(NAME);
		await(() -> assertThat(this.failures).hasSizeGreaterThan(2));
		assertThat(this.lists).isEmpty();
		this.dns.answer(NAME, 0, "10.0.0.1");
		awaitServers("10.0.0.1:4040");
	}

	@Test
	void aNameServerThatIgnoresIpv6DoesNotDelayIpv4() {
		this.dns.answerIpv4Only(NAME, 60, "10.0.0.1");
		start(NAME);
		awaitServers("10.0.0.1:4040");
		await(() -> assertThat(this.resolvers).hasSize(1));
		assertThat(this.failures).isEmpty();
	}

	@Test
	void anIpv6AnswerThatIsLostDoesNotDropItsServers() {
		this.queryTimeout = Duration.ofSeconds(2);
		this.maxTimeToLive = Duration.ofMillis(50);
		this.dns.answer(NAME, 0, "10.0.0.1", "fd00::1");
		start(NAME);
		awaitServers("10.0.0.1:4040", "fd00:0:0:0:0:0:0:1:4040");
		this.dns.answerIpv4Only(NAME, 0, "10.0.0.2");
		awaitServers("10.0.0.2:4040", "fd00:0:0:0:0:0:0:1:4040");
		this.dns.answer(NAME, 0, "10.0.0.2");
		awaitServers("10.0.0.2:4040");
	}

	@Test
	void searchDomainsOfTheSystemApply() {
		this.dns.answer("orders.cluster.local", 60, "10.0.0.1");
		this.dns.answerNxDomain("orders");
		start("orders");
		awaitServers("10.0.0.1:4040");
		assertThat(this.lists.get(0)).extracting(InetSocketAddress::getHostString).containsOnly("orders");
	}

	@Test
	void aTrailingDotIsNotPartOfTheNameToVerify() {
		this.dns.answer(NAME, 60, "10.0.0.1");
		start(NAME + ".");
		awaitServers("10.0.0.1:4040");
		assertThat(this.lists.get(0)).extracting(InetSocketAddress::getHostString).containsOnly(NAME);
	}

	@Test
	void theHostsFileIsReadFirst() {
		this.dns.answerNxDomain("localhost");
		start("localhost:4040");
		await(() -> assertThat(servers()).contains("127.0.0.1:4040"));
		assertThat(this.lists.get(0)).extracting(InetSocketAddress::getHostString).containsOnly("localhost");
	}

	@Test
	void aPublisherMayChangeTheAddresses() {
		this.dns.answer(NAME, 60, "10.0.0.1");
		this.dns.answer("new.internal", 60, "10.0.0.1", "10.0.0.2");
		Sinks.Many<List<ServerAddress>> source = Sinks.many().unicast().onBackpressureBuffer();
		start(source.asFlux());
		source.tryEmitNext(List.of(ServerAddress.of(NAME)));
		awaitServers("10.0.0.1:4040");
		source.tryEmitNext(List.of());
		await(() -> assertThat(this.failures).containsExactly("The list of server addresses is empty"));
		source.tryEmitNext(List.of(ServerAddress.of("new.internal"), ServerAddress.of("127.0.0.9")));
		awaitServers("10.0.0.1:4040", "10.0.0.2:4040", "127.0.0.9:4040");
		// The literal was not published alone while the new name was being resolved
		assertThat(this.lists).hasSize(2);
		source.tryEmitComplete();
		assertThat(this.failures).hasSize(1);
	}

	@Test
	void aPublisherThatFailsIsSubscribedToAgain() {
		List<Integer> subscriptions = new CopyOnWriteArrayList<>();
		start(Flux.defer(() -> {
			subscriptions.add(subscriptions.size());
			return switch (subscriptions.size()) {
				case 1 -> Flux.just(List.of(ServerAddress.of("127.0.0.2"))).concatWith(Flux.error(new Exception("no")));
				case 2 -> throw new IllegalStateException("no again");
				default -> Flux.just(List.of(ServerAddress.of("127.0.0.3")));
			};
		}));
		awaitServers("127.0.0.3:4040");
		assertThat(this.failures).hasSize(2).allMatch((failure) -> failure.contains("publisher of server addresses"));
		assertThat(this.lists).hasSize(2);
	}

	@Test
	void nothingGoesOnAfterTheStop() throws Exception {
		this.maxTimeToLive = Duration.ofMillis(30);
		this.dns.answer(NAME, 0, "10.0.0.1");
		start(NAME);
		awaitServers("10.0.0.1:4040");
		this.eventLoop.submit(this.discovery::stop).get();
		int queries = this.dns.queriesSent(NAME);
		this.eventLoop.schedule(() -> {
		}, 200, TimeUnit.MILLISECONDS).get();
		assertThat(this.dns.queriesSent(NAME)).isEqualTo(queries);
		assertThat(this.failures).isEmpty();
		assertThat(this.lists.stream().map(Set::size).collect(Collectors.toSet())).containsExactly(1);
	}

}
