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

package io.callosum.transport;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.nio.channels.ClosedChannelException;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Function;

import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import org.jspecify.annotations.Nullable;

/**
 * An {@link OutputStream} to a channel, for blocking code on platform and virtual
 * threads. Bytes are sent immediately; a write blocks while the peer does not keep up. A
 * write that fails after it has returned causes the next one to fail.
 */
public final class BlockingOutputStream extends OutputStream {

	private static final int CHUNK = 32 * 1024;

	private static final long POLL_MILLIS = 500;

	private static final long DROP_NANOS = 100_000;

	private final Channel channel;

	private final BooleanSupplier beforeWrite;

	private final Runnable afterWrite;

	private final Function<Throwable, @Nullable Throwable> failures;

	private volatile @Nullable Throwable failure;

	private volatile boolean closed;

	/**
	 * Create a new stream.
	 * @param channel the channel
	 * @param beforeWrite called before each write, which it may prevent by throwing an
	 * exception; returns {@code false} to drop the bytes
	 * @param afterWrite called on any thread after each write that was started, when its
	 * bytes have been sent or cannot be sent
	 * @param failures returns the exception to throw for a failed write, or {@code null}
	 * for a write whose bytes are dropped
	 */
	public BlockingOutputStream(Channel channel, BooleanSupplier beforeWrite, Runnable afterWrite,
			Function<Throwable, @Nullable Throwable> failures) {
		this.channel = channel;
		this.beforeWrite = beforeWrite;
		this.afterWrite = afterWrite;
		this.failures = failures;
	}

	@Override
	public void write(int b) throws IOException {
		write(new byte[] { (byte) b }, 0, 1);
	}

	@Override
	public void write(byte[] bytes, int offset, int length) throws IOException {
		Objects.checkFromIndexSize(offset, length, bytes.length);
		for (int written = 0; written < length; written += CHUNK) {
			writeChunk(bytes, offset + written, Math.min(CHUNK, length - written));
		}
	}

	private void writeChunk(byte[] bytes, int offset, int length) throws IOException {
		BlockingInputStream.checkMayBlock();
		if (this.closed) {
			throw new IOException("The stream is closed");
		}
		BlockingInputStream.rethrow(this.failure);
		if (!this.beforeWrite.getAsBoolean()) {
			// Code that never stops writing must not use up a processor
			LockSupport.parkNanos(DROP_NANOS);
			return;
		}
		CountDownLatch done = new CountDownLatch(1);
		this.channel.writeAndFlush(this.channel.alloc().buffer(length).writeBytes(bytes, offset, length))
			.addListener((ChannelFuture write) -> {
				if (!write.isSuccess()) {
					this.failure = this.failures.apply(write.cause());
				}
				this.afterWrite.run();
				done.countDown();
			});
		if (!this.channel.isWritable()) {
			await(done);
			BlockingInputStream.rethrow(this.failure);
		}
	}

	private void await(CountDownLatch done) throws IOException {
		try {
			while (!done.await(POLL_MILLIS, TimeUnit.MILLISECONDS)) {
				if (this.channel.eventLoop().isShutdown()) {
					// The write will never be completed
					throw new ClosedChannelException();
				}
			}
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
			throw new InterruptedIOException("Interrupted while waiting for the peer to read");
		}
	}

	/**
	 * Stop writing. The channel stays open.
	 */
	@Override
	public void close() {
		this.closed = true;
	}

}
