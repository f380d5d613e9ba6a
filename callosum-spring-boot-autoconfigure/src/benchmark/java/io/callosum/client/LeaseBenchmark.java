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

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;

import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.local.LocalAddress;
import io.netty.channel.local.LocalChannel;
import io.netty.channel.local.LocalIoHandler;
import io.netty.channel.local.LocalServerChannel;
import io.netty.channel.pool.AbstractChannelPoolHandler;
import io.netty.channel.pool.FixedChannelPool;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.GenericFutureListener;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.core.publisher.Mono;
import reactor.pool.InstrumentedPool;
import reactor.pool.PoolBuilder;
import reactor.pool.PooledRef;

/**
 * Acquires and releases a connection while there is always an idle one.
 *
 * @author The Callosum authors
 */
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
public class LeaseBenchmark {

	private static final int POOL_SIZE = 32;

	/**
	 * With Callosum's client.
	 * @param state the client
	 */
	@Benchmark
	public void callosum(ClientState state) {
		Once<CallosumLease> once = new Once<>();
		once.use = (lease) -> {
			lease.release();
			once.done = true;
		};
		state.client.acquire().subscribe(once);
		once.await();
	}

	/**
	 * With the pool inside Callosum's client, without a publisher.
	 * @param state the client
	 */
	@Benchmark
	public void callosumCore(ClientState state) {
		DirectWaiter waiter = new DirectWaiter();
		state.client.run().pool().acquire(waiter, Long.MAX_VALUE / 4);
		waiter.await();
	}

	/**
	 * With reactor-pool.
	 * @param state the pool
	 */
	@Benchmark
	public void reactorPool(ReactorPoolState state) {
		Once<PooledRef<Object>> once = new Once<>();
		once.use = (reference) -> {
			Once<Void> released = new Once<>();
			released.completed = () -> once.done = true;
			reference.release().subscribe(released);
		};
		state.pool.acquire().subscribe(once);
		once.await();
	}

	/**
	 * With Netty's pool.
	 * @param state the pool
	 */
	@Benchmark
	public void fixedChannelPool(NettyState state) {
		Once<Channel> once = new Once<>();
		GenericFutureListener<Future<Void>> released = (future) -> once.done = true;
		GenericFutureListener<Future<Channel>> acquired = (future) -> state.pool.release(future.getNow())
			.addListener(released);
		state.pool.acquire().addListener(acquired);
		once.await();
	}

	/**
	 * A client.
	 */
	@State(Scope.Benchmark)
	public static class ClientState {

		private CallosumClient client;

		/**
		 * Fill the pool.
		 */
		@Setup
		public void start() {
			this.client = new CallosumClient(CallosumClient.builder()
				.servers(new ServerAddress("memory", 4040))
				.poolSize(POOL_SIZE)
				.rovingInterval(Duration.ofDays(1))
				.settings(), (settings, connectionIds) -> new MemoryTransport(connectionIds));
			this.client.start();
			while (this.client.snapshot().members().stream().filter((member) -> !member.leased()).count() < POOL_SIZE) {
				Thread.onSpinWait();
			}
		}

		/**
		 * Stop the client.
		 */
		@TearDown
		public void stop() {
			this.client.stop();
		}

	}

	/**
	 * A pool of reactor-pool.
	 */
	@State(Scope.Benchmark)
	public static class ReactorPoolState {

		private InstrumentedPool<Object> pool;

		/**
		 * Fill the pool.
		 */
		@Setup
		public void start() {
			this.pool = PoolBuilder.from(Mono.fromSupplier(Object::new)).sizeBetween(POOL_SIZE, POOL_SIZE).buildPool();
			this.pool.warmup().block();
		}

		/**
		 * Dispose the pool.
		 */
		@TearDown
		public void stop() {
			this.pool.dispose();
		}

	}

	/**
	 * A pool of Netty.
	 */
	@State(Scope.Benchmark)
	public static class NettyState {

		private final EventLoopGroup group = new MultiThreadIoEventLoopGroup(1, LocalIoHandler.newFactory());

		private FixedChannelPool pool;

		/**
		 * Create the pool.
		 * @throws InterruptedException if interrupted
		 */
		@Setup
		public void start() throws InterruptedException {
			LocalAddress address = new LocalAddress("benchmark");
			new ServerBootstrap().group(this.group)
				.channel(LocalServerChannel.class)
				.childHandler(new ChannelInitializer<>() {

					@Override
					protected void initChannel(Channel channel) {
					}

				})
				.bind(address)
				.sync();
			Bootstrap bootstrap = new Bootstrap().group(this.group).channel(LocalChannel.class).remoteAddress(address);
			this.pool = new FixedChannelPool(bootstrap, new AbstractChannelPoolHandler() {

				@Override
				public void channelCreated(Channel channel) {
				}

			}, POOL_SIZE);
		}

		/**
		 * Close the pool.
		 */
		@TearDown
		public void stop() {
			this.pool.close();
			this.group.shutdownGracefully(0, 0, TimeUnit.SECONDS);
		}

	}

	private static final class DirectWaiter extends Waiter {

		private volatile boolean done;

		@Override
		void acquired(Member member) {
			member.released();
			this.done = true;
		}

		@Override
		void failed(LeaseUnavailableException failure) {
			throw failure;
		}

		void await() {
			while (!this.done) {
				Thread.yield();
			}
		}

	}

	/**
	 * A subscriber that passes on each value and the completion.
	 *
	 * @param <T> the type of the values
	 */
	private static final class Once<T> implements CoreSubscriber<T> {

		private Consumer<T> use = (value) -> {
		};

		private Runnable completed = () -> {
		};

		private volatile boolean done;

		@Override
		public void onSubscribe(Subscription subscription) {
			subscription.request(Long.MAX_VALUE);
		}

		@Override
		public void onNext(T value) {
			this.use.accept(value);
		}

		@Override
		public void onError(Throwable error) {
			throw new IllegalStateException(error);
		}

		@Override
		public void onComplete() {
			this.completed.run();
		}

		void await() {
			while (!this.done) {
				Thread.yield();
			}
		}

	}

}
