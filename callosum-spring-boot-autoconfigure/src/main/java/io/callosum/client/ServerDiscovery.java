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
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;

import io.netty.channel.EventLoop;
import io.netty.resolver.dns.DnsNameResolver;
import io.netty.util.NetUtil;
import io.netty.util.concurrent.ScheduledFuture;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;

/**
 * Discovers the servers of a client: subscribes to the addresses, and repeatedly resolves
 * those that are names. An empty list, an error or a missing answer leaves the last list
 * of servers as it is.
 * <p>
 * Confined to the event loop, except where noted.
 */
final class ServerDiscovery {

	private static final Log logger = LogFactory.getLog(ServerDiscovery.class);

	private static final Duration FIRST_RETRY = Duration.ofMillis(500);

	private static final Duration MAX_RETRY = Duration.ofSeconds(30);

	private final Publisher<? extends Collection<ServerAddress>> source;

	private final EventLoop eventLoop;

	private final Supplier<DnsNameResolver> resolverFactory;

	private final Duration minTimeToLive;

	private final Duration maxTimeToLive;

	private final Consumer<Set<InetSocketAddress>> onChange;

	private final Consumer<String> onFailure;

	private final Map<String, DnsLookup> lookups = new LinkedHashMap<>();

	private Set<ServerAddress> addresses = Set.of();

	private Set<InetSocketAddress> servers = Set.of();

	/**
	 * Whether the addresses have been replaced and some of the new names have not been
	 * resolved yet.
	 */
	private boolean replacing;

	private Duration retry = FIRST_RETRY;

	private @Nullable DnsNameResolver resolver;

	private @Nullable Disposable subscription;

	private @Nullable ScheduledFuture<?> resubscription;

	private boolean stopped;

	/**
	 * Create a new discovery.
	 * @param source the addresses
	 * @param eventLoop the event loop
	 * @param resolverFactory creates the resolver when there is a name to resolve; closed
	 * by this discovery
	 * @param minTimeToLive the minimum time before a name is looked up again
	 * @param maxTimeToLive the maximum time before a name is looked up again
	 * @param onChange called with all servers when they have changed; never with an empty
	 * set
	 * @param onFailure called with a description of each failure
	 */
	ServerDiscovery(Publisher<? extends Collection<ServerAddress>> source, EventLoop eventLoop,
			Supplier<DnsNameResolver> resolverFactory, Duration minTimeToLive, Duration maxTimeToLive,
			Consumer<Set<InetSocketAddress>> onChange, Consumer<String> onFailure) {
		this.source = source;
		this.eventLoop = eventLoop;
		this.resolverFactory = resolverFactory;
		this.minTimeToLive = minTimeToLive;
		this.maxTimeToLive = maxTimeToLive;
		this.onChange = onChange;
		this.onFailure = onFailure;
	}

	void start() {
		assert this.eventLoop.inEventLoop();
		if (this.stopped) {
			return;
		}
		try {
			this.subscription = Flux.from(this.source)
				.subscribe((addresses) -> onEventLoop(() -> update(addresses)),
						(error) -> onEventLoop(() -> sourceFailed(error)));
		}
		catch (RuntimeException ex) {
			sourceFailed(ex);
		}
	}

	void stop() {
		assert this.eventLoop.inEventLoop();
		this.stopped = true;
		if (this.subscription != null) {
			this.subscription.dispose();
		}
		if (this.resubscription != null) {
			this.resubscription.cancel(false);
		}
		this.lookups.values().forEach(DnsLookup::stop);
		this.lookups.clear();
		if (this.resolver != null) {
			this.resolver.close();
		}
	}

	/**
	 * Run a task on the event loop, at once if this is the event loop. May be called on
	 * any thread.
	 */
	private void onEventLoop(Runnable task) {
		if (this.eventLoop.inEventLoop()) {
			task.run();
			return;
		}
		try {
			this.eventLoop.execute(task);
		}
		catch (RejectedExecutionException ex) {
			logger.trace("The event loop has ended", ex);
		}
	}

	private void sourceFailed(Throwable error) {
		if (this.stopped) {
			return;
		}
		this.onFailure.accept("The publisher of server addresses failed: " + error);
		this.resubscription = this.eventLoop.schedule(this::start, this.retry.toMillis(), TimeUnit.MILLISECONDS);
		Duration longer = this.retry.multipliedBy(8).dividedBy(5);
		this.retry = (longer.compareTo(MAX_RETRY) < 0) ? longer : MAX_RETRY;
	}

	private void update(Collection<ServerAddress> addresses) {
		if (this.stopped) {
			return;
		}
		this.retry = FIRST_RETRY;
		if (addresses.isEmpty()) {
			this.onFailure.accept("The list of server addresses is empty");
			return;
		}
		this.addresses = new LinkedHashSet<>(addresses);
		this.replacing = !this.servers.isEmpty();
		Set<String> names = new LinkedHashSet<>();
		for (ServerAddress address : this.addresses) {
			if (literal(address.host()) == null) {
				names.add(address.host());
			}
		}
		this.lookups.entrySet().removeIf((entry) -> {
			boolean gone = !names.contains(entry.getKey());
			if (gone) {
				entry.getValue().stop();
			}
			return gone;
		});
		List<String> added = names.stream().filter((name) -> !this.lookups.containsKey(name)).toList();
		added.forEach((name) -> this.lookups.put(name, lookup(name)));
		serversChanged();
		added.forEach((name) -> {
			DnsLookup lookup = this.lookups.get(name);
			if (lookup != null) {
				lookup.start();
			}
		});
	}

	private DnsLookup lookup(String name) {
		DnsNameResolver resolver = this.resolver;
		if (resolver == null) {
			resolver = this.resolverFactory.get();
			this.resolver = resolver;
		}
		return new DnsLookup(name, this.eventLoop, resolver, this.minTimeToLive, this.maxTimeToLive,
				this::serversChanged,
				(error) -> this.onFailure.accept("The name '" + name + "' cannot be resolved: " + describe(error)));
	}

	private static String describe(Throwable error) {
		Throwable cause = error.getCause();
		return (cause != null && cause.getMessage() != null) ? cause.getMessage() : String.valueOf(error.getMessage());
	}

	private void serversChanged() {
		if (this.replacing) {
			this.replacing = !this.lookups.values().stream().allMatch(DnsLookup::isAnswered);
			if (this.replacing) {
				// A new name may lead to the same servers as the one that it replaces
				return;
			}
		}
		Set<InetSocketAddress> servers = new LinkedHashSet<>();
		for (ServerAddress address : this.addresses) {
			InetAddress literal = literal(address.host());
			DnsLookup lookup = this.lookups.get(address.host());
			if (literal != null) {
				servers.add(new InetSocketAddress(literal, address.port()));
			}
			else if (lookup != null) {
				lookup.addresses().forEach((resolved) -> servers.add(new InetSocketAddress(resolved, address.port())));
			}
		}
		if (!servers.isEmpty() && !servers.equals(this.servers)) {
			this.servers = servers;
			this.onChange.accept(servers);
		}
	}

	private static @Nullable InetAddress literal(String host) {
		InetAddress literal = NetUtil.createInetAddressFromIpAddressString(host);
		if (literal == null && host.indexOf(':') >= 0) {
			// Netty does not support a zone that is the name of a network interface
			try {
				return InetAddress.getByName(host);
			}
			catch (UnknownHostException ex) {
				return null;
			}
		}
		return literal;
	}

}
