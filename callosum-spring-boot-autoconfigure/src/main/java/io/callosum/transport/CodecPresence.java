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
 * Knows whether a codec is between the handler that reads ahead and the relay. To look
 * costs as much as a small read, so that is done only when messages arrive in another way
 * than the last answer predicts: codecs may come and go at any time, and nothing else
 * tells of that. Used on the event loop only.
 */
final class CodecPresence {

	/**
	 * What is being delivered, while that takes.
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
	 * The relay has got a message: the one that is being delivered, unless a codec has
	 * made it.
	 */
	void arrived(Object message) {
		if (this.present != null && this.present == (message == this.delivering)) {
			this.present = null;
		}
	}

	/**
	 * Look when asked next: a codec may be about to come.
	 */
	void forget() {
		this.present = null;
	}

	/**
	 * Return whether there is a codec between a handler and the one that reports failures
	 * of codecs.
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
	 * Return whether there was TLS when this looked.
	 */
	boolean isEncrypted() {
		return this.encrypted;
	}

}
