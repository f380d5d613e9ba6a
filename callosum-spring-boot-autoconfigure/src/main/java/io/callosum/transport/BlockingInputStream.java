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
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.util.ArrayDeque;
import java.util.Objects;
import java.util.Queue;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

import io.netty.buffer.ByteBuf;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.scheduler.Schedulers;

/**
 * An {@link InputStream} of the bytes of a publisher, for blocking code on platform and
 * virtual threads.
 * <p>
 * The stream of {@code DataBufferUtils} is not used: its {@code read(byte[])} waits until
 * the array is full, so a line read through a buffer never arrives, and it does not
 * reveal whether it holds unread bytes.
 */
public final class BlockingInputStream extends InputStream implements CoreSubscriber<ByteBuf> {

	private static final int PREFETCH = 4;

	private final ReentrantLock lock = new ReentrantLock();

	private final Condition changed = this.lock.newCondition();

	private final Runnable onEnd;

	private final Queue<ByteBuf> buffers = new ArrayDeque<>(PREFETCH);

	private @Nullable Subscription subscription;

	/**
	 * How many buffers have been read since the last request.
	 */
	private int read;

	private boolean done;

	private @Nullable Throwable failure;

	private boolean closed;

	private volatile long unread;

	/**
	 * Create a new stream, which has to be subscribed to a publisher.
	 * @param onEnd called on the reading thread each time that a read is about to report
	 * that there are no more bytes
	 */
	public BlockingInputStream(Runnable onEnd) {
		this.onEnd = onEnd;
	}

	@Override
	public void onSubscribe(Subscription subscription) {
		this.lock.lock();
		try {
			this.subscription = subscription;
		}
		finally {
			this.lock.unlock();
		}
		subscription.request(PREFETCH);
	}

	@Override
	public void onNext(ByteBuf buffer) {
		Subscription subscription;
		this.lock.lock();
		try {
			this.unread += buffer.readableBytes();
			if (!this.closed && buffer.isReadable()) {
				this.buffers.add(buffer.retain());
				this.changed.signalAll();
			}
			subscription = this.subscription;
		}
		finally {
			this.lock.unlock();
		}
		if (!buffer.isReadable() && subscription != null) {
			// An empty buffer is never read, so no read would request the next one
			subscription.request(1);
		}
	}

	@Override
	public void onError(Throwable failure) {
		end(failure);
	}

	@Override
	public void onComplete() {
		end(null);
	}

	private void end(@Nullable Throwable failure) {
		this.lock.lock();
		try {
			this.done = true;
			this.failure = failure;
			this.changed.signalAll();
		}
		finally {
			this.lock.unlock();
		}
	}

	/**
	 * Return whether there are received bytes that have not been read.
	 * @return {@code true} if there are
	 */
	public boolean hasUnread() {
		return this.unread > 0;
	}

	@Override
	public int available() {
		return (int) Math.min(this.unread, Integer.MAX_VALUE);
	}

	@Override
	public int read() throws IOException {
		byte[] single = new byte[1];
		return (read(single, 0, 1) != -1) ? single[0] & 0xff : -1;
	}

	@Override
	public int read(byte[] bytes, int offset, int length) throws IOException {
		Objects.checkFromIndexSize(offset, length, bytes.length);
		if (length == 0) {
			return 0;
		}
		int count = 0;
		Subscription demand = null;
		this.lock.lock();
		try {
			ByteBuf buffer = await();
			if (buffer != null) {
				count = Math.min(length, buffer.readableBytes());
				buffer.readBytes(bytes, offset, count);
				this.unread -= count;
				if (!buffer.isReadable()) {
					this.buffers.remove().release();
					if (++this.read == PREFETCH / 2) {
						this.read = 0;
						demand = this.subscription;
					}
				}
			}
		}
		finally {
			this.lock.unlock();
		}
		if (demand != null) {
			demand.request(PREFETCH / 2);
		}
		if (count == 0) {
			this.onEnd.run();
			rethrow(this.failure);
			return -1;
		}
		return count;
	}

	/**
	 * Wait for bytes.
	 * @return the next bytes, or {@code null} if there are no more
	 */
	private @Nullable ByteBuf await() throws IOException {
		ByteBuf buffer;
		while ((buffer = this.buffers.peek()) == null) {
			if (this.closed) {
				throw new IOException("The stream is closed");
			}
			if (this.done) {
				return null;
			}
			checkMayBlock();
			try {
				this.changed.await();
			}
			catch (InterruptedException ex) {
				Thread.currentThread().interrupt();
				throw new InterruptedIOException("Interrupted while waiting for bytes");
			}
		}
		return buffer;
	}

	static void checkMayBlock() {
		if (Schedulers.isInNonBlockingThread()) {
			throw new IllegalStateException("The streams of a connection block, but thread "
					+ Thread.currentThread().getName() + " must not block; use another thread");
		}
	}

	static void rethrow(@Nullable Throwable failure) throws IOException {
		if (failure instanceof IOException ex) {
			throw ex;
		}
		if (failure instanceof RuntimeException ex) {
			throw ex;
		}
		if (failure != null) {
			throw new IOException(failure);
		}
	}

	/**
	 * Stop receiving. Unread bytes are dropped, but still count as unread.
	 */
	@Override
	public void close() {
		Subscription subscription;
		this.lock.lock();
		try {
			this.closed = true;
			this.buffers.forEach(ByteBuf::release);
			this.buffers.clear();
			subscription = this.subscription;
			this.changed.signalAll();
		}
		finally {
			this.lock.unlock();
		}
		if (subscription != null) {
			subscription.cancel();
		}
	}

}
