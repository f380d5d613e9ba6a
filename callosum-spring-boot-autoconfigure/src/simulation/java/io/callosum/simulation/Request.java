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

import org.jspecify.annotations.Nullable;

/**
 * A request, the same in every arm: which client sends it, when, and how much work it is.
 *
 * @author The Callosum authors
 */
public final class Request {

	final int client;

	/** The intended arrival, in nanoseconds of virtual time. */
	final long arrival;

	/** The time that a worker at full speed needs for it, in nanoseconds. */
	final long work;

	private final RequestLoad load;

	private boolean done;

	private @Nullable SimulatedConnection connection;

	private @Nullable Object attachment;

	Request(RequestLoad load, int client, long arrival, long work) {
		this.load = load;
		this.client = client;
		this.arrival = arrival;
		this.work = work;
	}

	/**
	 * Return whether the request has its answer or has failed.
	 * @return whether nothing waits for it any more
	 */
	public boolean isDone() {
		return this.done;
	}

	/**
	 * End the request. Without effect if it is done.
	 * @param success whether it has its answer
	 */
	public void complete(boolean success) {
		if (!this.done) {
			this.done = true;
			this.load.completed(this, success);
		}
	}

	/**
	 * Return the connection that the request was sent on.
	 * @return the connection, or {@code null} if the request has not been sent yet
	 */
	public @Nullable SimulatedConnection connection() {
		return this.connection;
	}

	/**
	 * Return what the client has attached.
	 * @return the attachment, or {@code null} if there is none
	 */
	public @Nullable Object attachment() {
		return this.attachment;
	}

	/**
	 * Attach an object for the client's own use.
	 * @param attachment the attachment
	 */
	public void attach(Object attachment) {
		this.attachment = attachment;
	}

	/**
	 * Send the request.
	 * @param connection the connection to send it on
	 */
	public void sendOn(SimulatedConnection connection) {
		this.connection = connection;
		connection.send(this);
	}

}
