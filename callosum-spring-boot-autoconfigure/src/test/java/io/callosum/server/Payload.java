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

import java.io.ByteArrayOutputStream;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.CompletableFuture;

import org.jspecify.annotations.Nullable;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;

import static org.assertj.core.api.Assertions.assertThat;

/**
 * Bytes that must not be lost, duplicated or reordered.
 */
public final class Payload {

	private Payload() {
	}

	public static byte[] of(int length) {
		byte[] bytes = new byte[length];
		new Random(length).nextBytes(bytes);
		return bytes;
	}

	public static void verify(byte[] actual, byte[] expected) {
		assertThat(actual.length).as("length").isEqualTo(expected.length);
		assertThat(Arrays.mismatch(actual, expected)).as("first wrong byte").isEqualTo(-1);
	}

	/**
	 * Receives everything.
	 */
	public static final class Sink implements CoreSubscriber<byte[]> {

		private final ByteArrayOutputStream received = new ByteArrayOutputStream();

		private final CompletableFuture<@Nullable Throwable> end = new CompletableFuture<>();

		@Override
		public void onSubscribe(Subscription subscription) {
			subscription.request(Long.MAX_VALUE);
		}

		@Override
		public void onNext(byte[] bytes) {
			synchronized (this.received) {
				this.received.writeBytes(bytes);
			}
		}

		@Override
		public void onError(Throwable error) {
			this.end.complete(error);
		}

		@Override
		public void onComplete() {
			this.end.complete(null);
		}

		/**
		 * Completed with the error that ended the stream, or {@code null}.
		 */
		public CompletableFuture<@Nullable Throwable> end() {
			return this.end;
		}

		public byte[] received() {
			synchronized (this.received) {
				return this.received.toByteArray();
			}
		}

		public int size() {
			synchronized (this.received) {
				return this.received.size();
			}
		}

		public void awaitAll(byte[] expected) {
			TestServer.await("all bytes", () -> assertThat(size()).isGreaterThanOrEqualTo(expected.length));
			verify(received(), expected);
		}

	}

}
