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

package io.callosum.benchmark;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

import io.grpc.StatusRuntimeException;
import org.HdrHistogram.Histogram;
import reactor.core.Exceptions;

/**
 * The requests to a fleet that have ended in a period of time.
 *
 * @param start when the period began, by {@link System#nanoTime()}, which is the same in
 * all processes
 * @param p50 the 50th percentile of the nanoseconds from the intended sending of a
 * request to its answer
 * @param p99 the 99th percentile
 * @param p999 the 99.9th percentile
 * @param failed how many requests have failed
 * @param failures how many have failed with each kind of failure
 * @param slices how many requests each server has answered, for each slice of
 * {@link #SLICE_NANOS}
 * @author The Callosum authors
 */
record FleetWindow(long start, long p50, long p99, long p999, long failed, String failures, List<int[]> slices) {

	static final long SLICE_NANOS = 500_000_000;

	/** The number of slices over which the requests of servers are compared. */
	private static final int COMPARED_SLICES = 4;

	/** About five times the deviation that chance causes at the usual load. */
	private static final double TOLERANCE = 0.3;

	static FleetWindow parse(String line) {
		String[] words = line.split(" ");
		List<int[]> slices = Stream.of(words)
			.skip(6)
			.map((slice) -> Stream.of(slice.split(",")).mapToInt(Integer::parseInt).toArray())
			.toList();
		return new FleetWindow(Long.parseLong(words[0]), Long.parseLong(words[1]), Long.parseLong(words[2]),
				Long.parseLong(words[3]), Long.parseLong(words[4]), words[5], slices);
	}

	long answered() {
		return this.slices.stream().flatMapToInt(Arrays::stream).sum();
	}

	/**
	 * Return the requests of the busiest server divided by the mean.
	 * @param servers the servers to look at
	 * @param last how many slices to look at, from the end
	 */
	double maxOverMean(List<Integer> servers, int last) {
		int[] counts = counts(servers, Math.max(0, this.slices.size() - last), this.slices.size());
		return Arrays.stream(counts).max().orElse(0) / Arrays.stream(counts).average().orElse(0);
	}

	/**
	 * Return how long after a moment the shares of all servers become even and stay even.
	 * @param servers the servers to look at
	 * @param moment the moment, by {@link System#nanoTime()}
	 * @return the seconds, or NaN if they are not even at the end
	 */
	double secondsToEven(List<Integer> servers, long moment) {
		int even = this.slices.size() - COMPARED_SLICES + 1;
		while (even > 0 && isEven(counts(servers, even - 1, even - 1 + COMPARED_SLICES))) {
			even--;
		}
		if (even > this.slices.size() - COMPARED_SLICES) {
			return Double.NaN;
		}
		return Math.max(0, this.start + even * SLICE_NANOS - moment) / 1e9;
	}

	private static boolean isEven(int[] counts) {
		double mean = Arrays.stream(counts).average().orElse(0);
		return Arrays.stream(counts)
			.allMatch((count) -> count >= (1 - TOLERANCE) * mean && count <= (1 + TOLERANCE) * mean);
	}

	private int[] counts(List<Integer> servers, int from, int to) {
		return servers.stream()
			.mapToInt((server) -> IntStream.range(from, to).map((slice) -> this.slices.get(slice)[server]).sum())
			.toArray();
	}

	@Override
	public String toString() {
		return Stream.concat(Stream.of(this.start, this.p50, this.p99, this.p999, this.failed, this.failures),
				this.slices.stream()
					.map((slice) -> Arrays.stream(slice).mapToObj(String::valueOf).collect(Collectors.joining(","))))
			.map(String::valueOf)
			.collect(Collectors.joining(" "));
	}

	/**
	 * Records the requests that end.
	 */
	static final class Recorder {

		private final int servers;

		private final Histogram histogram = new Histogram(3);

		private final Map<String, Integer> failures = new TreeMap<>();

		private List<int[]> slices = new ArrayList<>();

		private long start = System.nanoTime();

		Recorder(int servers) {
			this.servers = servers;
		}

		synchronized void answered(int server, long nanos) {
			this.histogram.recordValue(Math.max(0, nanos));
			fill();
			this.slices.get(this.slices.size() - 1)[server]++;
		}

		synchronized void failed(Throwable failure) {
			this.failures.merge(kind(failure), 1, Integer::sum);
		}

		private static String kind(Throwable failure) {
			if (failure instanceof StatusRuntimeException status) {
				return status.getStatus().getCode().toString();
			}
			Throwable cause = failure.getCause();
			return (Exceptions.isRetryExhausted(failure) && cause != null) ? kind(cause)
					: failure.getClass().getSimpleName();
		}

		/**
		 * Begin a new window.
		 * @return the window that ends
		 */
		synchronized FleetWindow mark() {
			fill();
			// The last slice is not complete
			List<int[]> complete = this.slices.subList(0, this.slices.size() - 1);
			String kinds = this.failures.entrySet()
				.stream()
				.map((entry) -> entry.getKey() + ":" + entry.getValue())
				.collect(Collectors.joining(","));
			FleetWindow window = new FleetWindow(this.start, this.histogram.getValueAtPercentile(50),
					this.histogram.getValueAtPercentile(99), this.histogram.getValueAtPercentile(99.9),
					this.failures.values().stream().mapToInt(Integer::intValue).sum(), kinds.isEmpty() ? "-" : kinds,
					List.copyOf(complete));
			this.histogram.reset();
			this.failures.clear();
			this.slices = new ArrayList<>();
			this.start = System.nanoTime();
			return window;
		}

		private void fill() {
			long slice = (System.nanoTime() - this.start) / SLICE_NANOS;
			while (this.slices.size() <= slice) {
				this.slices.add(new int[this.servers]);
			}
		}

	}

}
