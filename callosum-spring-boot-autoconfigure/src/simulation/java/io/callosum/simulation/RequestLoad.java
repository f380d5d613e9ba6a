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

package io.callosum.simulation;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.random.RandomGenerator;

import org.HdrHistogram.Histogram;

/**
 * An open-loop load: requests arrive in a Poisson process, whatever the outcome of those
 * before. Latency is measured from the intended arrival. A request without an answer
 * within the timeout has failed.
 *
 * @author The Callosum authors
 */
final class RequestLoad {

	/** The mean of the exponentially distributed work of a request, in nanoseconds. */
	static final double MEAN_WORK = 10e6;

	private static final long TIMEOUT = 5_000_000_000L;

	private static final int BURST_CLIENTS = 10;

	private final Fleet fleet;

	private final RandomGenerator arrivals;

	private final RandomGenerator choice;

	private final RandomGenerator work;

	private final double meanInterval;

	/** The cumulative share of each client. */
	private final double[] shares;

	private final Distribution distribution;

	private final ArrayDeque<Request> outstanding = new ArrayDeque<>();

	private final Histogram latency = new Histogram(60_000_000L, 3);

	private long from = Long.MAX_VALUE;

	private long end = Long.MAX_VALUE;

	private long requests;

	private double sumOfWork;

	private long failures;

	private long burst = -1;

	/**
	 * Create a load.
	 * @param load the intended share of the time that workers are busy
	 */
	RequestLoad(Fleet fleet, double load, Distribution distribution) {
		this.fleet = fleet;
		this.arrivals = fleet.stream("arrivals", 0);
		this.choice = fleet.stream("choice", 0);
		this.work = fleet.stream("work", 0);
		this.meanInterval = MEAN_WORK / (load * fleet.servers.size() * SimulatedServer.WORKERS);
		this.distribution = distribution;
		this.shares = new double[fleet.clients.size()];
		double sum = 0;
		for (int i = 0; i < this.shares.length; i++) {
			sum += (distribution == Distribution.ZIPF) ? 1.0 / (i + 1) : 1;
			this.shares[i] = sum;
		}
	}

	void start() {
		this.fleet.time.run(exponential(this.arrivals, this.meanInterval), this::arrive);
	}

	/** Measure the requests that arrive within a number of seconds from now. */
	void measure(int seconds) {
		this.from = this.fleet.time.now();
		this.end = this.from + seconds * 1_000_000_000L;
		for (SimulatedServer server : this.fleet.servers) {
			server.requests = new int[seconds];
			server.requestsFrom = this.from;
		}
	}

	private static long exponential(RandomGenerator chance, double mean) {
		return (long) (-mean * Math.log(1 - chance.nextDouble()));
	}

	private void arrive() {
		expire();
		long now = this.fleet.time.now();
		if (now >= this.end) {
			return;
		}
		Request request = new Request(this, client(now), now, exponential(this.work, MEAN_WORK));
		if (now >= this.from) {
			this.requests++;
			this.sumOfWork += request.work;
		}
		this.outstanding.addLast(request);
		this.fleet.clients.get(request.client).request(request);
		this.fleet.time.run(exponential(this.arrivals, this.meanInterval), this::arrive);
	}

	private void expire() {
		long now = this.fleet.time.now();
		while (!this.outstanding.isEmpty()) {
			Request request = this.outstanding.getFirst();
			if (!request.isDone()) {
				if (now - request.arrival < TIMEOUT) {
					return;
				}
				request.complete(false);
				this.fleet.clients.get(request.client).timedOut(request);
			}
			this.outstanding.removeFirst();
		}
	}

	private int client(long now) {
		int clients = this.shares.length;
		double drawn = this.choice.nextDouble();
		if (this.distribution == Distribution.BURSTS) {
			long second = now / 1_000_000_000;
			if (second != this.burst) {
				this.burst = second;
			}
			// A tenth of the clients, changing each second, sends half of the requests
			if (drawn < 0.5) {
				int group = Math.max(1, clients / BURST_CLIENTS);
				return (int) ((this.burst * group + (long) (drawn * 2 * group)) % clients);
			}
			return (int) ((drawn - 0.5) * 2 * clients);
		}
		int found = Arrays.binarySearch(this.shares, drawn * this.shares[clients - 1]);
		return (found >= 0) ? Math.min(found + 1, clients - 1) : -found - 1;
	}

	void completed(Request request, boolean success) {
		if (request.arrival < this.from || request.arrival >= this.end) {
			return;
		}
		if (success) {
			this.latency.recordValue(Math.min(59_000_000L, (this.fleet.time.now() - request.arrival) / 1000));
		}
		else {
			this.failures++;
		}
	}

	/** The mean work of the requests that were measured, in nanoseconds. */
	double meanWork() {
		return this.sumOfWork / this.requests;
	}

	/** Let the last requests end, and report. */
	void report(Metrics metrics) {
		this.fleet.time.runUntil(this.end + TIMEOUT + 1);
		expire();
		metrics.put("latency_p50_ms", this.latency.getValueAtPercentile(50) / 1e3);
		metrics.put("latency_p99_ms", this.latency.getValueAtPercentile(99) / 1e3);
		metrics.put("latency_p99.9_ms", this.latency.getValueAtPercentile(99.9) / 1e3);
		metrics.put("latency_mean_ms", this.latency.getMean() / 1e3);
		metrics.put("error_share", (this.requests == 0) ? 0 : this.failures / (double) this.requests);
		balance(metrics);
		metrics.put("connections_cut_while_leased", this.fleet.cutWhileLeased);
	}

	private void balance(Metrics metrics) {
		long most = 0;
		long all = 0;
		int seconds = 0;
		int servers = this.fleet.servers.size();
		for (SimulatedServer server : this.fleet.servers) {
			int[] counts = server.requests;
			if (counts != null) {
				long sum = Arrays.stream(counts).sum();
				most = Math.max(most, sum);
				all += sum;
				seconds = counts.length;
			}
		}
		metrics.put("request_max_over_mean", (all == 0) ? Double.NaN : most * (double) servers / all);
		double ratios = 0;
		for (int second = 0; second < seconds; second++) {
			long mostInSecond = 0;
			long allInSecond = 0;
			for (SimulatedServer server : this.fleet.servers) {
				int count = (server.requests != null) ? server.requests[second] : 0;
				mostInSecond = Math.max(mostInSecond, count);
				allInSecond += count;
			}
			ratios += (allInSecond == 0) ? 1 : mostInSecond * (double) servers / allInSecond;
		}
		metrics.put("request_max_over_mean_per_second", ratios / Math.max(1, seconds));
		metrics.put("requests_per_second", all / (double) Math.max(1, seconds));
	}

	enum Distribution {

		EQUAL, ZIPF, BURSTS

	}

}
