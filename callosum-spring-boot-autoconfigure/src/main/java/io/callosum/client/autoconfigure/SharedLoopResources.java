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

package io.callosum.client.autoconfigure;

import java.time.Duration;

import io.netty.channel.Channel;
import io.netty.channel.EventLoopGroup;
import org.apache.commons.logging.Log;
import org.apache.commons.logging.LogFactory;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.netty.resources.LoopResources;

import io.callosum.client.CallosumClient;

/**
 * The event loops of several clients: created when a client needs them, and again after
 * they have been disposed.
 */
final class SharedLoopResources implements LoopResources {

	private static final Log logger = LogFactory.getLog(CallosumClient.class);

	private static final Duration DISPOSE_TIMEOUT = Duration.ofSeconds(5);

	private final int workerThreads;

	private @Nullable LoopResources current;

	SharedLoopResources(int workerThreads) {
		this.workerThreads = workerThreads;
	}

	private synchronized LoopResources current() {
		LoopResources current = this.current;
		if (current == null) {
			current = LoopResources.create("callosum-client", this.workerThreads, true);
			this.current = current;
		}
		return current;
	}

	private synchronized @Nullable LoopResources remove() {
		LoopResources current = this.current;
		this.current = null;
		return current;
	}

	@Override
	public EventLoopGroup onServer(boolean useNative) {
		return current().onServer(useNative);
	}

	@Override
	public EventLoopGroup onClient(boolean useNative) {
		return current().onClient(useNative);
	}

	@Override
	public EventLoopGroup onServerSelect(boolean useNative) {
		return current().onServerSelect(useNative);
	}

	@Override
	public <C extends Channel> C onChannel(Class<C> channelType, EventLoopGroup group) {
		return current().onChannel(channelType, group);
	}

	@Override
	public <C extends Channel> Class<? extends C> onChannelClass(Class<C> channelType, EventLoopGroup group) {
		return current().onChannelClass(channelType, group);
	}

	@Override
	public boolean daemon() {
		return true;
	}

	@Override
	public boolean isDisposed() {
		return false;
	}

	/**
	 * Wait for the event loops to end.
	 */
	@Override
	public void dispose() {
		try {
			disposeLater(Duration.ZERO, DISPOSE_TIMEOUT).block(DISPOSE_TIMEOUT);
		}
		catch (RuntimeException ex) {
			logger.warn("The event loops of the Callosum clients have not ended: " + ex.getMessage());
		}
	}

	@Override
	public Mono<Void> disposeLater(Duration quietPeriod, Duration timeout) {
		return Mono.defer(() -> {
			LoopResources current = remove();
			return (current != null) ? current.disposeLater(quietPeriod, timeout) : Mono.empty();
		});
	}

}
