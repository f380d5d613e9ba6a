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
import java.time.Duration;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.channel.EventLoop;
import io.netty.channel.nio.NioIoHandle;
import io.netty.channel.socket.DuplexChannel;
import io.netty.channel.unix.UnixChannel;
import io.netty.handler.ssl.SslHandler;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import org.jspecify.annotations.Nullable;

/**
 * Operations on a channel that run on its event loop, or after that loop has ended.
 */
public final class Channels {

	private static final Log logger = LogFactory.getLog(Channels.class);

	private Channels() {
	}

	/**
	 * Run a task on the event loop of a channel, immediately if on it already.
	 * @param channel the channel
	 * @param task the task
	 * @return {@code false} if the loop has ended and the task does not run
	 */
	public static boolean run(Channel channel, Runnable task) {
		EventLoop eventLoop = channel.eventLoop();
		if (eventLoop.inEventLoop()) {
			task.run();
			return true;
		}
		try {
			eventLoop.execute(task);
			return true;
		}
		catch (RejectedExecutionException ex) {
			logger.trace("The event loop has ended", ex);
			return false;
		}
	}

	/**
	 * Run a task on the event loop of a channel, immediately if on it already, or another
	 * one on the current thread if the loop has ended.
	 * @param channel the channel
	 * @param task the task
	 * @param otherwise the other task
	 */
	public static void runOrElse(Channel channel, Runnable task, Runnable otherwise) {
		if (!run(channel, task)) {
			otherwise.run();
		}
	}

	/**
	 * Run a task on the event loop of a channel, immediately if on it already, or after
	 * the loop if that has ended.
	 * @param channel the channel
	 * @param task the task
	 */
	public static void runOrAfter(Channel channel, Runnable task) {
		if (!run(channel, task)) {
			runAfter(channel, task);
		}
	}

	/**
	 * Run a task when the event loop of a channel has ended. All such tasks run on the
	 * same thread, and only they use the state that belonged to the loop.
	 */
	private static void runAfter(Channel channel, Runnable task) {
		channel.eventLoop().terminationFuture().addListener((terminated) -> task.run());
	}

	/**
	 * Return whether the current thread is the event loop of a channel, or may be the one
	 * that replaces it because the loop has ended. For assertions.
	 * @param channel the channel
	 * @return {@code false} on any other thread
	 */
	public static boolean isOnLoopOrAfter(Channel channel) {
		return channel.eventLoop().inEventLoop() || channel.eventLoop().isShutdown();
	}

	/**
	 * Close a channel at once. Queued bytes are dropped. Any thread.
	 * @param channel the channel
	 * @param closed called when the socket has been closed after the event loop ended, in
	 * which case the close future of the channel does not complete
	 */
	public static void close(Channel channel, Runnable closed) {
		close(channel, () -> closeOnLoop(channel), closed);
	}

	/**
	 * Close a channel at once and without sending another byte, not even a TLS alert. Any
	 * thread. The close future of the channel does not complete if the event loop has
	 * ended.
	 * @param channel the channel
	 */
	public static void abort(Channel channel) {
		close(channel, () -> closePastPipeline(channel), () -> {
		});
	}

	private static void close(Channel channel, Runnable closing, Runnable closed) {
		// Netty silently drops a task that is submitted just as the loop ends
		if (!run(channel, closing) || channel.eventLoop().isShutdown()) {
			runAfter(channel, () -> {
				closeSocket(channel);
				closed.run();
			});
		}
	}

	private static void closeOnLoop(Channel channel) {
		if (hasQueuedBytes(channel)) {
			// Not through the pipeline: a TLS handler would wait for its peer to read
			closePastPipeline(channel);
		}
		else {
			channel.close();
		}
	}

	/**
	 * Close a channel without sending another byte, not even a TLS alert. Event loop.
	 * @param channel the channel
	 */
	public static void closePastPipeline(Channel channel) {
		assert isOnLoopOrAfter(channel);
		channel.unsafe().close(channel.unsafe().voidPromise());
	}

	/**
	 * Close the socket of a channel whose event loop has ended, perhaps without closing
	 * it.
	 * @param channel the channel
	 */
	public static void closeSocket(Channel channel) {
		try {
			if (channel instanceof UnixChannel unixChannel) {
				unixChannel.fd().close();
			}
			else if (channel.unsafe() instanceof NioIoHandle handle) {
				handle.selectableChannel().close();
			}
		}
		catch (IOException ex) {
			logger.debug("A socket could not be closed", ex);
		}
	}

	private static boolean hasQueuedBytes(Channel channel) {
		ChannelOutboundBuffer queued = channel.unsafe().outboundBuffer();
		return queued != null && queued.totalPendingWriteBytes() > 0;
	}

	/**
	 * Close a channel gracefully: when everything is flushed, shut down its output, and
	 * close it some time later. Closing a socket with unread bytes resets the connection,
	 * and the peer may lose what it was sent. In the meantime, the caller must therefore
	 * discard what still arrives. Event loop.
	 * @param channel the channel
	 * @param flushed completes when everything has reached the socket
	 * @param linger returns how long to wait for the peer to close first
	 */
	public static void closeInGoodOrder(Channel channel, ChannelFuture flushed, Supplier<Duration> linger) {
		assert isOnLoopOrAfter(channel);
		flushed.addListener((flush) -> {
			SslHandler sslHandler = channel.pipeline().get(SslHandler.class);
			if (!flush.isSuccess()) {
				channel.close();
			}
			else if (sslHandler != null) {
				sslHandler.closeOutbound().addListener((closeNotify) -> shutdownOutput(channel, linger.get()));
			}
			else {
				shutdownOutput(channel, linger.get());
			}
		});
	}

	private static void shutdownOutput(Channel channel, Duration linger) {
		if (channel instanceof DuplexChannel duplexChannel) {
			duplexChannel.shutdownOutput();
		}
		channel.eventLoop().schedule(() -> channel.close(), linger.toMillis(), TimeUnit.MILLISECONDS);
	}

	/**
	 * Return a duration in nanoseconds, at most {@code Long.MAX_VALUE / 2} so that it can
	 * be compared with differences of {@link System#nanoTime()}.
	 * @param duration a duration, or {@code null} for 0
	 * @return the nanoseconds
	 */
	public static long nanos(@Nullable Duration duration) {
		if (duration == null) {
			return 0;
		}
		Duration longest = Duration.ofNanos(Long.MAX_VALUE / 2);
		return ((duration.compareTo(longest) < 0) ? duration : longest).toNanos();
	}

}
