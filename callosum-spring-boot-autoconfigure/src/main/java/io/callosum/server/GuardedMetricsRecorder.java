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
import java.util.function.Consumer;

import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;

import io.callosum.transport.ThrottledLog;

/**
 * Catches and logs what a {@link CallosumMetricsRecorder} throws, so that connections are
 * not affected.
 */
final class GuardedMetricsRecorder implements CallosumMetricsRecorder {

	private static final Log logger = LogFactory.getLog(GuardedMetricsRecorder.class);

	private final CallosumMetricsRecorder recorder;

	private final ThrottledLog log = new ThrottledLog(logger::error);

	GuardedMetricsRecorder(CallosumMetricsRecorder recorder) {
		this.recorder = recorder;
	}

	@Override
	public void accepted() {
		record(CallosumMetricsRecorder::accepted);
	}

	@Override
	public void refused(RefusalReason reason) {
		record((recorder) -> recorder.refused(reason));
	}

	@Override
	public void slotAssigned() {
		record(CallosumMetricsRecorder::slotAssigned);
	}

	@Override
	public void slotRequested() {
		record(CallosumMetricsRecorder::slotRequested);
	}

	@Override
	public void slotRequestAnswered() {
		record(CallosumMetricsRecorder::slotRequestAnswered);
	}

	@Override
	public void slotRequestOverdue() {
		record(CallosumMetricsRecorder::slotRequestOverdue);
	}

	@Override
	public void overdueSlotRequestAnswered() {
		record(CallosumMetricsRecorder::overdueSlotRequestAnswered);
	}

	@Override
	public void slotLineWritten(Duration sinceAccepted) {
		record((recorder) -> recorder.slotLineWritten(sinceAccepted));
	}

	@Override
	public void slotFreed(Duration sinceAccepted, EndReason reason) {
		record((recorder) -> recorder.slotFreed(sinceAccepted, reason));
	}

	@Override
	public void bytesReceived(long count) {
		try {
			this.recorder.bytesReceived(count);
		}
		catch (Throwable ex) {
			failed(ex);
		}
	}

	@Override
	public void bytesSent(long count) {
		try {
			this.recorder.bytesSent(count);
		}
		catch (Throwable ex) {
			failed(ex);
		}
	}

	@Override
	public void acceptFailed() {
		record(CallosumMetricsRecorder::acceptFailed);
	}

	@Override
	public void listenerFailed() {
		record(CallosumMetricsRecorder::listenerFailed);
	}

	private void record(Consumer<CallosumMetricsRecorder> measurement) {
		try {
			measurement.accept(this.recorder);
		}
		catch (Throwable ex) {
			failed(ex);
		}
	}

	private void failed(Throwable ex) {
		this.log.log("The metrics recorder failed", ex);
	}

}
