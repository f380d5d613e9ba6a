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

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import reactor.netty.NettyPipeline;

/**
 * Keeps failures of the application's codecs from Reactor Netty once the application has
 * received one or has stopped receiving: Reactor Netty would log each of them, and a peer
 * can cause any number.
 */
final class CodecFailureHandler extends ChannelInboundHandlerAdapter {

	static final String NAME = NettyPipeline.RIGHT + "callosum";

	private static final Log logger = LogFactory.getLog(CodecFailureHandler.class);

	private final ReadAheadHandler readAhead;

	CodecFailureHandler(ReadAheadHandler readAhead) {
		this.readAhead = readAhead;
	}

	@Override
	public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
		if (this.readAhead.isReceiving()) {
			ctx.fireExceptionCaught(cause);
		}
		else {
			logger.trace("Ignored a failure to decode bytes that nobody reads", cause);
		}
	}

}
