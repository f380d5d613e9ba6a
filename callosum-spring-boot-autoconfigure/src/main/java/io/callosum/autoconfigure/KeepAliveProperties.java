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

package io.callosum.autoconfigure;

import java.time.Duration;

/**
 * Properties of TCP keep-alive, which closes the connection of a peer that vanished
 * without closing it.
 *
 * @author The Callosum authors
 * @since 0.1.0
 */
public class KeepAliveProperties {

	/**
	 * Whether to enable TCP keep-alive.
	 */
	private boolean enabled = true;

	/**
	 * How long a connection is idle before its peer is probed.
	 */
	private Duration idle = Duration.ofSeconds(60);

	/**
	 * Time between unanswered probes.
	 */
	private Duration interval = Duration.ofSeconds(10);

	/**
	 * Number of unanswered probes before a connection is closed.
	 */
	private int count = 3;

	public boolean isEnabled() {
		return this.enabled;
	}

	public void setEnabled(boolean enabled) {
		this.enabled = enabled;
	}

	public Duration getIdle() {
		return this.idle;
	}

	public void setIdle(Duration idle) {
		this.idle = idle;
	}

	public Duration getInterval() {
		return this.interval;
	}

	public void setInterval(Duration interval) {
		this.interval = interval;
	}

	public int getCount() {
		return this.count;
	}

	public void setCount(int count) {
		this.count = count;
	}

}
