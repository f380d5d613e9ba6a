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

import java.time.Duration;
import java.util.concurrent.TimeUnit;

import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import org.jspecify.annotations.Nullable;
import reactor.core.Disposable;
import reactor.core.Disposables;

/**
 * Logs a lease that is held for too long, with the stack trace of its acquire, and again
 * when it ends.
 */
final class LeakTrace implements LeaseWatch {

	private static final Log logger = LogFactory.getLog(CallosumClient.class);

	private final String client;

	private final Duration threshold;

	private final Throwable acquire = new Throwable("The lease was acquired here");

	private final Disposable.Swap timer = Disposables.swap();

	private String connection = "";

	private long begin;

	private @Nullable Timers timers;

	private volatile boolean reported;

	private LeakTrace(String client, Duration threshold) {
		this.client = client;
		this.threshold = threshold;
	}

	/**
	 * Create a trace. Called where the lease is acquired.
	 * @return the trace, or {@code null} if leak detection is disabled
	 */
	static @Nullable LeakTrace create(ClientSettings settings) {
		Duration threshold = settings.leakDetectionThreshold();
		return (threshold != null) ? new LeakTrace(settings.name(), threshold) : null;
	}

	/**
	 * The lease begins.
	 */
	void begin(ClientRun run, Member member) {
		this.connection = member.id + " to " + member.server;
		this.timers = run.timers();
		this.begin = this.timers.nanoTime();
		this.timer.update(this.timers.schedule(this::report, PoolSettings.nanos(this.threshold)));
		run.pool().watch(member, this);
	}

	private void report() {
		this.reported = true;
		logger.warn(this.client + ": connection " + this.connection + " has been leased for more than "
				+ this.threshold.toMillis() + " ms; it may be a leak", this.acquire);
	}

	@Override
	public void ended() {
		this.timer.dispose();
		Timers timers = this.timers;
		if (this.reported && timers != null) {
			logger.warn(this.client + ": connection " + this.connection
					+ ", which had been reported as a possible leak, was released after "
					+ TimeUnit.NANOSECONDS.toMillis(timers.nanoTime() - this.begin) + " ms");
		}
	}

}
