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

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.codec.ByteToMessageDecoder;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import org.jspecify.annotations.Nullable;

/**
 * Detects whether codecs have received bytes that have not become a message yet. Such
 * bytes belong to the lease during which they were received. Netty exposes them only to
 * the decoders themselves, so they are not detected if access is denied, as it may be in
 * a native image.
 */
final class PartialMessages {

	private static final Log logger = LogFactory.getLog(PartialMessages.class);

	private static final @Nullable MethodHandle READABLE_BYTES = readableBytes();

	private static final PartialMessages NONE = new PartialMessages(List.of());

	private final List<ByteToMessageDecoder> decoders;

	private PartialMessages(List<ByteToMessageDecoder> decoders) {
		this.decoders = decoders;
	}

	private static @Nullable MethodHandle readableBytes() {
		try {
			return MethodHandles.privateLookupIn(ByteToMessageDecoder.class, MethodHandles.lookup())
				.findVirtual(ByteToMessageDecoder.class, "actualReadableBytes", MethodType.methodType(int.class));
		}
		catch (ReflectiveOperationException | RuntimeException ex) {
			logger.debug("Partial messages in codecs are not detected", ex);
			return null;
		}
	}

	/**
	 * Return the partial messages in the handlers between two others.
	 */
	static PartialMessages of(ChannelPipeline pipeline, ChannelHandler first, ChannelHandler last) {
		List<ByteToMessageDecoder> decoders = new ArrayList<>();
		boolean between = false;
		for (Map.Entry<String, ChannelHandler> entry : pipeline) {
			if (entry.getValue() == last) {
				break;
			}
			if (between && entry.getValue() instanceof ByteToMessageDecoder decoder) {
				decoders.add(decoder);
			}
			between |= entry.getValue() == first;
		}
		return decoders.isEmpty() ? NONE : new PartialMessages(List.copyOf(decoders));
	}

	boolean exist() {
		if (READABLE_BYTES == null) {
			return false;
		}
		for (ByteToMessageDecoder decoder : this.decoders) {
			try {
				if ((int) READABLE_BYTES.invokeExact(decoder) > 0) {
					return true;
				}
			}
			catch (Throwable ex) {
				throw new IllegalStateException(ex);
			}
		}
		return false;
	}

}
