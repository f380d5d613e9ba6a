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

import java.net.SocketAddress;
import java.util.function.Consumer;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import reactor.core.Disposable;
import reactor.core.publisher.Mono;
import reactor.netty.Connection;
import reactor.netty.NettyInbound;
import reactor.netty.NettyOutbound;

/**
 * The view of a connection that a lease offers to code that expects Reactor Netty's.
 * Handlers stay for the life of the connection. Calls that would end the connection end
 * the lease, and do nothing if the lease has already ended. The channel itself is the
 * real one.
 */
final class LeaseView implements Connection {

	private final TcpLease lease;

	private final TcpConnection connection;

	LeaseView(TcpLease lease, TcpConnection connection) {
		this.lease = lease;
		this.connection = connection;
	}

	/**
	 * Let the application use the connection, for example to add a codec.
	 */
	static void use(TcpLease lease, TcpConnection connection, Consumer<? super Connection> user) {
		lease.checkActive();
		try {
			user.accept(new LeaseView(lease, connection));
		}
		finally {
			connection.inbound().codecsChanged();
		}
	}

	private Connection delegate() {
		this.lease.checkActive();
		this.connection.inbound().codecsChanged();
		return this.connection.operations();
	}

	@Override
	public Channel channel() {
		return this.connection.channel();
	}

	@Override
	public SocketAddress address() {
		return this.connection.operations().address();
	}

	@Override
	public NettyInbound inbound() {
		return this.lease.inbound();
	}

	@Override
	public NettyOutbound outbound() {
		return this.lease.outbound();
	}

	@Override
	public Connection addHandlerLast(String name, ChannelHandler handler) {
		delegate().addHandlerLast(name, handler);
		return this;
	}

	@Override
	public Connection addHandlerFirst(String name, ChannelHandler handler) {
		delegate().addHandlerFirst(name, handler);
		return this;
	}

	@Override
	public Connection removeHandler(String name) {
		delegate().removeHandler(name);
		return this;
	}

	@Override
	public Connection replaceHandler(String name, ChannelHandler handler) {
		delegate().replaceHandler(name, handler);
		return this;
	}

	/**
	 * Keep the real connection bound to the channel.
	 */
	@Override
	public Connection bind() {
		return this;
	}

	@Override
	public boolean rebind(Connection connection) {
		return false;
	}

	@Override
	public Connection markPersistent(boolean persist) {
		this.lease.checkActive();
		if (!persist) {
			this.connection.closeAfterLease();
		}
		return this;
	}

	@Override
	public boolean isPersistent() {
		return true;
	}

	@Override
	public void dispose() {
		this.lease.close();
	}

	@Override
	public boolean isDisposed() {
		return !this.lease.isActive() || !this.connection.isOpen();
	}

	@Override
	public Connection onDispose(Disposable onDispose) {
		this.connection.operations().onDispose(onDispose);
		return this;
	}

	@Override
	public Mono<Void> onDispose() {
		return this.connection.operations().onDispose();
	}

	@Override
	public String toString() {
		return "LeaseView[" + this.lease + "]";
	}

}
