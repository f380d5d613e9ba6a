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

import java.time.Duration;
import java.util.List;

/**
 * Samples the numbers of connections of the servers that are up, ten times a second.
 *
 * @author The Callosum authors
 */
final class BalanceProbe {

	private static final Duration STEP = Duration.ofMillis(100);

	private final Fleet fleet;

	private List<SimulatedServer> watched;

	private final long begin;

	private final long dialsBefore;

	private long samples;

	private double ratios;

	private double worstRatio;

	private double shares;

	private double worstDifference;

	private long sinceEven = -1;

	private long sinceClose = -1;

	private double secondsToEven = Double.NaN;

	private double secondsToClose = Double.NaN;

	BalanceProbe(Fleet fleet, List<SimulatedServer> watched) {
		this.fleet = fleet;
		this.watched = watched;
		this.begin = fleet.time.now();
		this.dialsBefore = fleet.dials;
		fleet.servers.forEach(SimulatedServer::takePeakAccepts);
	}

	void watch(List<SimulatedServer> servers) {
		this.watched = servers;
	}

	BalanceProbe observe(Duration duration) {
		long end = this.fleet.time.now() + duration.toNanos();
		while (this.fleet.time.now() < end) {
			this.fleet.run(STEP);
			sample();
		}
		return this;
	}

	/**
	 * Observe until the numbers have been even and close for a whole interval, or until
	 * the time is over.
	 */
	BalanceProbe observeUntilEven(Duration atMost) {
		long end = this.fleet.time.now() + atMost.toNanos();
		while (this.fleet.time.now() < end && (Double.isNaN(this.secondsToEven) || Double.isNaN(this.secondsToClose))) {
			this.fleet.run(STEP);
			sample();
		}
		return this;
	}

	private void sample() {
		double most = 0;
		double least = Double.MAX_VALUE;
		double sum = 0;
		double weights = 0;
		int up = 0;
		for (SimulatedServer server : this.watched) {
			if (server.isUp()) {
				double count = server.normalized();
				most = Math.max(most, count);
				least = Math.min(least, count);
				sum += server.kept;
				weights += server.weight;
				up++;
			}
		}
		if (up == 0 || sum == 0) {
			this.sinceEven = -1;
			this.sinceClose = -1;
			return;
		}
		double mean = sum / weights;
		this.samples++;
		this.shares += sum / expectedConnections();
		this.ratios += most / mean;
		this.worstRatio = Math.max(this.worstRatio, most / mean);
		this.worstDifference = Math.max(this.worstDifference, most - least);
		boolean complete = sum >= 0.9 * expectedConnections();
		this.sinceEven = since(complete && most <= Math.ceil(1.1 * mean) && least >= Math.floor(0.9 * mean),
				this.sinceEven);
		this.sinceClose = since(complete && most - least <= 2, this.sinceClose);
		this.secondsToEven = reached(this.secondsToEven, this.sinceEven);
		this.secondsToClose = reached(this.secondsToClose, this.sinceClose);
	}

	private double expectedConnections() {
		long running = this.fleet.clients.size() - this.fleet.stopped;
		return running * (double) this.fleet.poolSize();
	}

	private long since(boolean holds, long since) {
		if (!holds) {
			return -1;
		}
		return (since >= 0) ? since : this.fleet.time.now();
	}

	/** A condition is reached once it has held for a whole interval. */
	private double reached(double seconds, long since) {
		if (!Double.isNaN(seconds) || since < 0 || this.fleet.time.now() - since < this.fleet.interval()) {
			return seconds;
		}
		return (since - this.begin) / 1e9;
	}

	void reportTimes(Metrics metrics) {
		double limit = (this.fleet.time.now() - this.begin) / 1e9;
		metrics.put("seconds_to_within_10_percent", Double.isNaN(this.secondsToEven) ? limit : this.secondsToEven);
		metrics.put("seconds_to_max_minus_min_2", Double.isNaN(this.secondsToClose) ? limit : this.secondsToClose);
		metrics.put("came_to_within_10_percent", Double.isNaN(this.secondsToEven) ? 0 : 1);
	}

	void reportBalance(Metrics metrics) {
		metrics.put("max_over_mean", this.ratios / this.samples);
		metrics.put("worst_max_over_mean", this.worstRatio);
		metrics.put("max_minus_min", this.worstDifference);
		metrics.put("share_of_connections", this.shares / this.samples);
	}

	void reportDials(Metrics metrics) {
		double seconds = (this.fleet.time.now() - this.begin) / 1e9;
		metrics.put("dials_per_client_per_second",
				(this.fleet.dials - this.dialsBefore) / seconds / this.fleet.clients.size());
		int peak = 0;
		for (SimulatedServer server : this.fleet.servers) {
			peak = Math.max(peak, server.takePeakAccepts());
		}
		metrics.put("peak_accepts_per_server_per_second", peak);
	}

}
