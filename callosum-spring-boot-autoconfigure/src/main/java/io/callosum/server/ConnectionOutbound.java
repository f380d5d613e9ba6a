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

import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.function.Supplier;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.ReferenceCounted;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Mono;
import reactor.netty.Connection;
import reactor.netty.FutureMono;
import reactor.netty.NettyOutbound;

import io.callosum.transport.ChannelOwner;

/**
 * The outbound side of a connection, as the application sees it. Reactor Netty cancels
 * the source of a write when the connection closes. If the peer has closed it, this would
 * lose what the peer has sent. In that case, writes continue as long as there is a
 * {@link Completion}, and what they write is dropped.
 */
final class ConnectionOutbound implements NettyOutbound {

	private final ChannelOwner owner;

	private final Supplier<Connection> connection;

	private final Supplier<@Nullable Completion> completion;

	/**
	 * Create a new instance.
	 * @param owner the connection
	 * @param connection returns the connection that codecs are added to
	 * @param completion returns the completion once the peer has left, {@code null}
	 * before that and if there is none
	 */
	ConnectionOutbound(ChannelOwner owner, Supplier<Connection> connection, Supplier<@Nullable Completion> completion) {
		this.owner = owner;
		this.connection = connection;
		this.completion = completion;
	}

	@Override
	public ByteBufAllocator alloc() {
		return channel().alloc();
	}

	@Override
	public NettyOutbound send(Publisher<? extends ByteBuf> dataStream, Predicate<ByteBuf> predicate) {
		if (dataStream instanceof Mono<? extends ByteBuf> mono) {
			return writeSingle(mono);
		}
		return then(new DroppableWrite<ByteBuf>(channel(), this::completion, dataStream,
				(source) -> this.owner.operations().send(source, predicate).then()));
	}

	@Override
	public NettyOutbound sendObject(Publisher<?> dataStream, Predicate<Object> predicate) {
		if (dataStream instanceof Mono<?> mono) {
			return writeSingle(mono);
		}
		return then(new DroppableWrite<Object>(channel(), this::completion, dataStream,
				(source) -> this.owner.operations().sendObject(source, predicate).then()));
	}

	@Override
	public NettyOutbound sendObject(Object message) {
		return then(droppable(FutureMono.deferFuture(() -> channel().writeAndFlush(message))),
				() -> ReferenceCountUtil.safeRelease(message));
	}

	@Override
	public <S> NettyOutbound sendUsing(Callable<? extends S> sourceInput,
			BiFunction<? super Connection, ? super S, ?> mappedInput, Consumer<? super S> sourceCleanup) {
		return then(droppable(Mono.using(sourceInput,
				(source) -> FutureMono.from(channel()
					.writeAndFlush(Objects.requireNonNull(mappedInput.apply(this.owner.operations(), source)))),
				sourceCleanup)));
	}

	private NettyOutbound writeSingle(Mono<?> message) {
		return then(message.flatMap((written) -> droppable(FutureMono.from(channel().writeAndFlush(written))))
			.doOnDiscard(ReferenceCounted.class, ReferenceCounted::release));
	}

	@Override
	public NettyOutbound withConnection(Consumer<? super Connection> withConnection) {
		withConnection.accept(this.connection.get());
		return this;
	}

	private Channel channel() {
		return this.owner.channel();
	}

	/**
	 * Let a write complete that would otherwise fail because the peer has left.
	 */
	private Mono<Void> droppable(Mono<Void> write) {
		return write.onErrorResume(Completion::mayFollow, (error) -> {
			Completion completion = completion();
			if (completion == null) {
				return Mono.error(error);
			}
			completion.writeDropped();
			return Mono.create((sink) -> Completion.pause(channel(), sink::success, () -> sink.error(error)));
		});
	}

	private @Nullable Completion completion() {
		Completion completion = this.completion.get();
		return (completion != null && !completion.isOver()) ? completion : null;
	}

}
