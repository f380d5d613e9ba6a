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

import java.util.List;

import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.ssl.SslHandler;
import org.jspecify.annotations.Nullable;

/**
 * Knows whether there is a codec between the read-ahead handler and the relay. A check
 * costs as much as a small read, so it is repeated only when messages do not arrive as
 * the last result predicts: codecs may come and go at any time, without notification.
 * Used only on the event loop.
 */
final class CodecPresence {

	/**
	 * The message that is being delivered, if any.
	 */
	private @Nullable Object delivering;

	private @Nullable Boolean present;

	private boolean encrypted;

	/**
	 * Deliver a message to the next handler.
	 */
	void deliver(ChannelHandlerContext ctx, Object message) {
		this.delivering = message;
		ctx.fireChannelRead(message);
		this.delivering = null;
	}

	/**
	 * The relay has received a message: the one that is being delivered, unless a codec
	 * has produced it.
	 */
	void arrived(Object message) {
		if (this.present != null && this.present == (message == this.delivering)) {
			this.present = null;
		}
	}

	/**
	 * Check again next time, because a codec may be about to be added.
	 */
	void forget() {
		this.present = null;
	}

	/**
	 * Return whether there is a codec between a handler and the
	 * {@link CodecFailureHandler}.
	 */
	boolean isBehind(ChannelHandlerContext ctx) {
		if (this.present == null) {
			List<String> names = ctx.pipeline().names();
			this.encrypted = ctx.pipeline().get(SslHandler.class) != null;
			this.present = names.indexOf(CodecFailureHandler.NAME) > names.indexOf(ctx.name()) + 1;
		}
		return this.present;
	}

	/**
	 * Return whether TLS was in use at the last check.
	 */
	boolean isEncrypted() {
		return this.encrypted;
	}

}
