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

import java.net.IDN;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

import io.netty.buffer.ByteBufUtil;
import io.netty.channel.EventLoop;
import io.netty.handler.codec.dns.DnsQuestion;
import io.netty.handler.codec.dns.DnsRawRecord;
import io.netty.handler.codec.dns.DnsRecord;
import io.netty.handler.codec.dns.DnsRecordType;
import io.netty.handler.codec.dns.DnsResponseCode;
import io.netty.resolver.dns.DnsErrorCauseException;
import io.netty.resolver.dns.DnsNameResolver;
import io.netty.resolver.dns.DnsNameResolverException;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.ScheduledFuture;
import org.jspecify.annotations.Nullable;

/**
 * The addresses behind one name, looked up again when their time to live has expired.
 * IPv4 and IPv6 addresses are queried separately: some name servers never answer the
 * query for IPv6. While an answer is missing, the last one of its kind is kept.
 * <p>
 * Confined to the event loop.
 */
final class DnsLookup {

	private static final Duration FIRST_RETRY = Duration.ofMillis(500);

	private static final double RETRY_FACTOR = 1.6;

	private final String host;

	private final EventLoop eventLoop;

	private final DnsNameResolver resolver;

	private final Duration minTimeToLive;

	private final Duration maxTimeToLive;

	private final Runnable onChange;

	private final Consumer<Throwable> onFailure;

	private final List<Query> queries;

	private int pending;

	private int failedRounds;

	private boolean answered;

	private boolean stopped;

	private @Nullable ScheduledFuture<?> next;

	/**
	 * Create a new lookup.
	 * @param host the name
	 * @param eventLoop the event loop
	 * @param resolver the resolver to use, on the same event loop
	 * @param minTimeToLive the minimum time before the next lookup
	 * @param maxTimeToLive the maximum time before the next lookup
	 * @param onChange called when the addresses have changed, and when the first lookup
	 * is complete
	 * @param onFailure called when a lookup finds no address
	 */
	DnsLookup(String host, EventLoop eventLoop, DnsNameResolver resolver, Duration minTimeToLive,
			Duration maxTimeToLive, Runnable onChange, Consumer<Throwable> onFailure) {
		this.host = host.endsWith(".") ? host.substring(0, host.length() - 1) : host;
		this.eventLoop = eventLoop;
		this.resolver = resolver;
		this.minTimeToLive = minTimeToLive;
		this.maxTimeToLive = maxTimeToLive;
		this.onChange = onChange;
		this.onFailure = onFailure;
		String name = IDN.toASCII(host);
		this.queries = List.of(new Query(new Question(name, DnsRecordType.A)),
				new Query(new Question(name, DnsRecordType.AAAA)));
	}

	void start() {
		assert this.eventLoop.inEventLoop();
		this.pending = this.queries.size();
		this.queries.forEach(Query::start);
	}

	void stop() {
		assert this.eventLoop.inEventLoop();
		this.stopped = true;
		if (this.next != null) {
			this.next.cancel(false);
		}
	}

	/**
	 * Return whether the first lookup is complete, with or without an address.
	 */
	boolean isAnswered() {
		return this.answered;
	}

	/**
	 * Return the addresses known so far. Each carries the name, for TLS to verify.
	 */
	List<InetAddress> addresses() {
		List<InetAddress> addresses = new ArrayList<>();
		this.queries.forEach((query) -> addresses.addAll(query.addresses));
		return addresses;
	}

	private void complete() {
		boolean found = this.queries.stream().anyMatch((query) -> query.outcome == Outcome.FOUND);
		boolean changed = !this.answered;
		this.answered = true;
		if (found) {
			this.failedRounds = 0;
			for (Query query : this.queries) {
				changed |= query.outcome == Outcome.NONE && query.update(List.of());
			}
			long timeToLive = this.queries.stream().mapToLong((query) -> query.timeToLive).min().orElseThrow();
			schedule(Math.max(this.minTimeToLive.toMillis(),
					Math.min(this.maxTimeToLive.toMillis(), TimeUnit.SECONDS.toMillis(timeToLive))));
		}
		else {
			double delay = FIRST_RETRY.toMillis() * Math.pow(RETRY_FACTOR, this.failedRounds++);
			double jitter = ThreadLocalRandom.current().nextDouble(0.8, 1.2);
			schedule((long) (Math.min(delay, this.maxTimeToLive.toMillis()) * jitter));
			Throwable failure = this.queries.stream()
				.filter((query) -> query.outcome == Outcome.FAILED)
				.findFirst()
				.orElse(this.queries.get(0)).failure;
			this.onFailure.accept((failure != null) ? failure : new UnknownHostException(this.host));
		}
		if (changed) {
			this.onChange.run();
		}
	}

	private void schedule(long delayMillis) {
		this.next = this.eventLoop.schedule(this::start, delayMillis, TimeUnit.MILLISECONDS);
	}

	private enum Outcome {

		/**
		 * There are addresses.
		 */
		FOUND,

		/**
		 * The name server says that there are no addresses.
		 */
		NONE,

		/**
		 * There is no answer.
		 */
		FAILED

	}

	/**
	 * Queries the addresses of one kind.
	 */
	private final class Query {

		private final Question question;

		private List<InetAddress> addresses = List.of();

		private Outcome outcome = Outcome.NONE;

		private long timeToLive;

		private @Nullable Throwable failure;

		private Query(Question question) {
			this.question = question;
		}

		private void start() {
			this.timeToLive = Long.MAX_VALUE;
			this.failure = null;
			DnsLookup.this.resolver.resolveAll(this.question).addListener(this::answered);
		}

		private void answered(Future<? super List<DnsRecord>> future) {
			assert DnsLookup.this.eventLoop.inEventLoop();
			boolean changed = false;
			if (future.isSuccess()) {
				@SuppressWarnings("unchecked")
				List<DnsRecord> records = (List<DnsRecord>) future.getNow();
				List<InetAddress> found = decode(records);
				this.outcome = found.isEmpty() ? Outcome.NONE : Outcome.FOUND;
				changed = !found.isEmpty() && update(found);
			}
			else {
				this.failure = future.cause();
				this.outcome = isTransient(future.cause()) ? Outcome.FAILED : Outcome.NONE;
			}
			if (DnsLookup.this.stopped) {
				return;
			}
			if (changed) {
				// At once, because the other answer may take a long time
				DnsLookup.this.onChange.run();
			}
			if (--DnsLookup.this.pending == 0 && !DnsLookup.this.stopped) {
				complete();
			}
		}

		/**
		 * Return the addresses of an answer, and release it.
		 */
		private List<InetAddress> decode(List<DnsRecord> records) {
			List<InetAddress> found = new ArrayList<>(records.size());
			for (DnsRecord record : records) {
				try {
					if (record instanceof DnsRawRecord raw && raw.type().equals(this.question.type())) {
						found.add(InetAddress.getByAddress(DnsLookup.this.host, ByteBufUtil.getBytes(raw.content())));
						this.timeToLive = Math.min(this.timeToLive, raw.timeToLive());
					}
				}
				catch (UnknownHostException ex) {
					// An address of the wrong length
					this.failure = ex;
				}
				finally {
					ReferenceCountUtil.release(record);
				}
			}
			return found;
		}

		/**
		 * Return whether the addresses have changed.
		 */
		private boolean update(List<InetAddress> addresses) {
			boolean changed = !this.addresses.equals(addresses);
			this.addresses = addresses;
			return changed;
		}

		private static boolean isTransient(Throwable failure) {
			Throwable cause = failure.getCause();
			return cause instanceof DnsNameResolverException || (cause instanceof DnsErrorCauseException error
					&& !error.getCode().equals(DnsResponseCode.NXDOMAIN));
		}

	}

	/**
	 * A question whose name is not made absolute, unlike in Netty's own, so that the
	 * search domains of the system apply.
	 */
	private record Question(String name, DnsRecordType type) implements DnsQuestion {

		@Override
		public int dnsClass() {
			return CLASS_IN;
		}

		@Override
		public long timeToLive() {
			return 0;
		}

	}

}
