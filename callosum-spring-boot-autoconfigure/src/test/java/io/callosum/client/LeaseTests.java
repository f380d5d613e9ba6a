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

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.stream.IntStream;

import io.netty.buffer.Unpooled;
import io.netty.handler.codec.LineBasedFrameDecoder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.netty.Connection;
import reactor.netty.NettyInbound;
import reactor.netty.NettyOutbound;
import reactor.util.retry.Retry;

import io.callosum.client.ScriptedServer.Peer;
import io.callosum.client.ScriptedServer.Script;
import io.callosum.server.Link;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

/**
 * Tests for what an application does with leases, over sockets.
 *
 * @author The Callosum authors
 */
@ParameterizedClass
@EnumSource
class LeaseTests extends AbstractScriptedServerTests {

	/**
	 * Makes leases receive whole lines.
	 */
	private static final ConnectionInitializer LINES = (lease) -> {
		lease.inbound().withConnection((netty) -> netty.addHandlerLast(new LineBasedFrameDecoder(1024)));
		return Mono.empty();
	};

	LeaseTests(Link link) {
		super(link);
	}

	private static Mono<String> echo(CallosumLease lease, String line) {
		return lease.outbound()
			.sendString(Mono.just(line + "\r\n"))
			.then()
			.then(lease.inbound().receive().asString().next());
	}

	@Test
	void anExchangeSendsOneLineAndReceivesOne() {
		this.server.script(Script.echo());
		CallosumClient client = start((builder) -> builder.initializer(LINES));
		assertThat(client.exchange((lease) -> echo(lease, "ping")).block(TIMEOUT)).isEqualTo("ping");
	}

	@Test
	void aSequenceOfExchangesNeedsOneConnection() {
		this.server.script(Script.echo());
		CallosumClient client = start((builder) -> builder.poolSize(3).initializer(LINES));
		this.clients.awaitRest(client);
		Set<String> ids = ConcurrentHashMap.newKeySet();
		Flux.range(0, 40).concatMap((i) -> client.exchange((lease) -> {
			ids.add(lease.connectionId());
			return echo(lease, "ping " + i).doOnNext((answer) -> assertThat(answer).isEqualTo("ping " + i));
		})).blockLast(TIMEOUT);
		assertThat(ids).hasSize(1);
		for (int i = 0; i < 40; i++) {
			ids.add(executeEcho(client, "ping " + i));
		}
		assertThat(ids).hasSize(1);
	}

	private static String executeEcho(CallosumClient client, String line) {
		try {
			return client.<String, Exception>execute((lease) -> {
				lease.outputStream().write((line + "\r\n").getBytes(StandardCharsets.US_ASCII));
				// The codec has stripped the line ending
				String answer = new String(lease.inputStream().readNBytes(line.length()), StandardCharsets.US_ASCII);
				assertThat(answer).isEqualTo(line);
				return lease.connectionId();
			});
		}
		catch (Exception ex) {
			throw new IllegalStateException(ex);
		}
	}

	@Test
	void anExchangeWhoseConnectionClosesBeforeAnAnswerCanBeRetried() {
		this.server.script(afterLine((peer) -> peer.close()));
		CallosumClient client = start((builder) -> builder);
		assertLost(client.exchange((lease) -> echo(lease, "ping")), true);
		assertLost(client.exchange(
				(lease) -> echo(lease, "ping").onErrorReturn("").defaultIfEmpty("none").filter(String::isEmpty)), true);
	}

	@Test
	void anExchangeWhoseConnectionIsResetBeforeAnAnswerCanBeRetried() {
		this.server.script(afterLine((peer) -> peer.reset()));
		CallosumClient client = start((builder) -> builder);
		assertLost(client.exchange((lease) -> echo(lease, "ping")), true);
	}

	@Test
	void anExchangeThatHasAPartOfItsAnswerCannotBeRetried() {
		this.server.script(afterLine((peer) -> peer.send("po").close()));
		CallosumClient client = start((builder) -> builder.initializer(LINES));
		assertLost(client.exchange((lease) -> echo(lease, "ping")), false);
	}

	@ParameterizedTest
	@EnumSource
	void aTimeoutCountsAgainstTheServerOnlyIfSomethingWasSent(Request request) {
		try (ScriptedServer other = new ScriptedServer(this.link.isSecure())) {
			CallosumClient client = this.clients.start(this.link,
					(builder) -> builder.poolSize(2).ejection(1, Duration.ofHours(1), Duration.ofHours(1), 100),
					this.server.address(), other.address());
			this.clients.awaitRest(client);
			assertThatExceptionOfType(TimeoutException.class).isThrownBy(() -> client.execute((lease) -> {
				request.send(lease);
				throw new TimeoutException();
			}));
			assertThat(client.snapshot().servers()).extracting(ClientSnapshot.Server::state)
				.filteredOn(ClientSnapshot.Server.State.EJECTED::equals)
				.hasSize((request != Request.NONE) ? 1 : 0);
		}
	}

	@Test
	void anAnswerThatCameBeforeTheEndIsDelivered() {
		this.server.script(afterLine((peer) -> peer.send("pong\r\n").close()));
		CallosumClient client = start((builder) -> builder.initializer(LINES));
		for (int i = 0; i < 5; i++) {
			assertThat(client.exchange((lease) -> echo(lease, "ping")).retryWhen(onceIfRetryable()).block(TIMEOUT))
				.isEqualTo("pong");
			String answer = client
				.exchange((lease) -> lease.outbound()
					.sendString(Mono.just("ping\r\n"))
					.then()
					.then(lease.inbound().receive().asString().next().delayElement(Duration.ofMillis(20))))
				.retryWhen(onceIfRetryable())
				.block(TIMEOUT);
			assertThat(answer).isEqualTo("pong");
		}
	}

	private static Retry onceIfRetryable() {
		return Retry.max(3).filter((error) -> error instanceof ConnectionLostException lost && lost.isRetryable());
	}

	@Test
	void inUseTheEndOfTheConnectionCompletesTheInbound() {
		this.server.script(afterLine((peer) -> peer.send("one\r\ntwo\r\n").close()));
		CallosumClient client = start((builder) -> builder.initializer(LINES));
		assertThat(client
			.use((lease) -> lease.outbound()
				.sendString(Mono.just("ping\r\n"))
				.then()
				.thenMany(lease.inbound().receive().asString()))
			.collectList()
			.block(TIMEOUT)).containsExactly("one", "two");
	}

	@Test
	void aResetFailsTheInboundOfALease() {
		CallosumClient client = start((builder) -> builder);
		CallosumLease lease = client.acquire().block(TIMEOUT);
		Mono<List<String>> received = lease.inbound().receive().asString().collectList().cache();
		received.subscribe((list) -> {
		}, (error) -> {
		});
		this.server.awaitPeer().reset();
		assertThatThrownBy(() -> received.block(TIMEOUT)).hasCauseInstanceOf(ConnectionLostException.class);
		lease.close();
	}

	@Test
	void aStreamEndsWithTheConnection() throws Exception {
		CallosumClient client = start((builder) -> builder);
		CallosumLease lease = client.acquire().block(TIMEOUT);
		Peer peer = this.server.awaitPeer();
		peer.send("abc").close();
		assertThat(lease.inputStream().readAllBytes()).isEqualTo("abc".getBytes(StandardCharsets.US_ASCII));
		assertThat(lease.inputStream().read()).isEqualTo(-1);
		lease.close();
	}

	@Test
	void executeWhoseConnectionEndsBeforeAResultIsLost() {
		this.server.script(afterLine((peer) -> peer.close()));
		CallosumClient client = start((builder) -> builder);
		assertThatExceptionOfType(ConnectionLostException.class)
			.isThrownBy(() -> client.<String, Exception>execute((lease) -> {
				lease.outputStream().write("ping\r\n".getBytes(StandardCharsets.US_ASCII));
				return new BufferedReader(new InputStreamReader(lease.inputStream(), StandardCharsets.US_ASCII))
					.readLine();
			}))
			.satisfies((lost) -> assertThat(lost.isRetryable()).isTrue());
	}

	@Test
	void whatBlocksFailsOnAnEventLoop() {
		this.server.script(Script.echo());
		CallosumClient client = start((builder) -> builder.initializer(LINES));
		assertThat(client.exchange((lease) -> echo(lease, "ping").map((answer) -> {
			assertThatIllegalStateException().isThrownBy(() -> client.execute((other) -> ""));
			assertThatIllegalStateException().isThrownBy(() -> lease.outputStream().write(1));
			return answer;
		})).block(TIMEOUT)).isEqualTo("ping");
	}

	@Test
	void aLineThatNobodyHasConsumedClosesTheConnection() {
		for (String answer : List.of("pong\r\nlate\r\n", "pong\r\nla")) {
			this.server.script(afterLine((peer) -> peer.send(answer)));
			CallosumClient client = start((builder) -> builder.initializer(LINES));
			assertThat(client.exchange((lease) -> echo(lease, "ping")).block(TIMEOUT)).isEqualTo("pong");
			TestClientPool.await("closed",
					() -> assertThat(this.clients.closed(client)).startsWith(CloseReason.UNREAD));
			client.stop();
		}
	}

	@Test
	void aLateAnswerClosesTheConnection() {
		CallosumClient client = start((builder) -> builder);
		this.clients.awaitRest(client);
		this.server.awaitPeer().send("late\r\n");
		TestClientPool.await("closed",
				() -> assertThat(this.clients.closed(client)).containsExactly(CloseReason.UNSOLICITED));
	}

	@Test
	void aLeaseThatHasEndedCannotTouchTheNextOne() throws Exception {
		this.server.script(Script.echo());
		CallosumClient client = start((builder) -> builder.initializer(LINES));
		CallosumLease first = client.acquire().block(TIMEOUT);
		NettyInbound inbound = first.inbound();
		NettyOutbound outbound = first.outbound();
		InputStream in = first.inputStream();
		OutputStream out = first.outputStream();
		Connection[] connection = new Connection[1];
		inbound.withConnection((netty) -> connection[0] = netty);
		first.attributes().put("key", "value");
		first.release();
		CallosumLease second = client.acquire().block(TIMEOUT);
		assertThat(second.connectionId()).isEqualTo(first.connectionId());
		assertThat(second.attributes()).containsEntry("key", "value");
		first.release();
		first.discard(new IllegalStateException());
		first.close();
		assertThatIllegalStateException().isThrownBy(first::inbound);
		assertThatIllegalStateException().isThrownBy(first::outbound);
		assertThatIllegalStateException().isThrownBy(first::inputStream);
		assertThatIllegalStateException().isThrownBy(first::outputStream);
		assertThatIllegalStateException().isThrownBy(() -> out.write(1));
		assertThatIllegalStateException().isThrownBy(() -> inbound.withConnection((netty) -> {
		}));
		assertThatIllegalStateException().isThrownBy(() -> inbound.receive().blockLast(TIMEOUT));
		assertThatIllegalStateException()
			.isThrownBy(() -> outbound.sendString(Mono.just("stale\r\n")).then().block(TIMEOUT));
		assertThatIllegalStateException()
			.isThrownBy(() -> outbound.sendObject(Unpooled.buffer().writeByte(1)).then().block(TIMEOUT));
		assertThatIllegalStateException().isThrownBy(() -> connection[0].addHandlerLast(new LineBasedFrameDecoder(1)));
		assertThatExceptionOfType(Exception.class).isThrownBy(in::read);
		connection[0].dispose();
		assertThat(connection[0].isDisposed()).isTrue();
		assertThat(first.slot()).isEqualTo(second.slot());
		assertThat(first.server()).isEqualTo(this.server.address());
		assertThat((first.sslSession() != null)).isEqualTo(this.link.isSecure());
		assertThat(echo(second, "ping").block(TIMEOUT)).isEqualTo("ping");
		second.release();
		assertThat(client.exchange((lease) -> Mono.just(lease.connectionId())).block(TIMEOUT))
			.isEqualTo(first.connectionId());
		assertThat(this.clients.closed(client)).isEmpty();
	}

	@Test
	void aLeaseThatIsNotReleasedClosesItsConnection() {
		this.server.script(Script.echo());
		CallosumClient client = start((builder) -> builder);
		client.acquire().block(TIMEOUT).close();
		client.exchange((lease) -> Mono.error(new IllegalStateException("no"))).onErrorComplete().block(TIMEOUT);
		client.use((lease) -> Flux.just(1, 2)).take(1).blockLast(TIMEOUT);
		client.acquire().block(TIMEOUT).inbound().withConnection(Connection::dispose);
		TestClientPool.await("closed",
				() -> assertThat(this.clients.closed(client)).containsExactly(CloseReason.DISCARDED,
						CloseReason.DISCARDED, CloseReason.DISCARDED, CloseReason.DISCARDED));
	}

	@Test
	void aReleaseWaitsUntilWhatWasWrittenHasLeft() {
		CallosumClient client = start((builder) -> builder);
		CallosumLease lease = client.acquire().block(TIMEOUT);
		lease.outbound().sendObject(Unpooled.wrappedBuffer(new byte[6 * 1024 * 1024])).then().subscribe();
		lease.release();
		assertThat(client.snapshot().members()).hasSize(1).allMatch(ClientSnapshot.Member::leased);
		assertThatIllegalStateException().isThrownBy(lease::outbound);
		Peer peer = this.server.awaitPeer();
		Thread reader = new Thread(peer::awaitClose);
		reader.start();
		this.clients.awaitRest(client);
		assertThat(this.clients.closed(client)).isEmpty();
	}

	/**
	 * Assign a slot, and run an action once the client has sent a line.
	 */
	private static Script afterLine(Consumer<Peer> action) {
		return (peer) -> {
			peer.send(peer.slot() + "\r\n");
			Thread thread = new Thread(() -> {
				try {
					if (!peer.readLine().isEmpty()) {
						action.accept(peer);
					}
				}
				catch (UncheckedIOException ex) {
					// The client has left
				}
			});
			thread.setDaemon(true);
			thread.start();
		};
	}

	private static void assertLost(Mono<?> exchange, boolean retryable) {
		assertThatThrownBy(() -> exchange.block(TIMEOUT)).cause()
			.isInstanceOfSatisfying(ConnectionLostException.class,
					(lost) -> assertThat(lost.isRetryable()).isEqualTo(retryable));
	}

	@Test
	void bytesOfAllSizesComeThroughTheStreams() throws Exception {
		this.server.script((peer) -> {
			peer.send("0\r\n");
			Thread thread = new Thread(() -> peer.send(peer.readLine()));
			thread.setDaemon(true);
			thread.start();
		});
		CallosumClient client = start((builder) -> builder);
		StringBuilder line = new StringBuilder();
		IntStream.range(0, 300_000).forEach((i) -> line.append((char) ('a' + i % 26)));
		line.append('\n');
		String answer = client.<String, Exception>execute((lease) -> {
			lease.outputStream().write(line.toString().getBytes(StandardCharsets.US_ASCII));
			return new String(lease.inputStream().readNBytes(line.length()), StandardCharsets.US_ASCII);
		});
		assertThat(answer).isEqualTo(line.toString());
		this.clients.awaitRest(client);
		assertThat(this.clients.closed(client)).isEmpty();
	}

	@Test
	void bytesThatAStreamHasNotReadCloseTheConnection() {
		this.server.script(afterLine((peer) -> peer.send("pong\r\nlate")));
		CallosumClient client = start((builder) -> builder);
		executeIgnoring(client);
		TestClientPool.await("closed", () -> assertThat(this.clients.closed(client)).startsWith(CloseReason.UNREAD));
	}

	private static void executeIgnoring(CallosumClient client) {
		try {
			client.<String, Exception>execute((lease) -> {
				lease.outputStream().write("ping\r\n".getBytes(StandardCharsets.US_ASCII));
				lease.inputStream().readNBytes(6);
				TestClientPool.await("rest", () -> assertThat(lease.inputStream().available()).isEqualTo(4));
				return "";
			});
		}
		catch (Exception ex) {
			throw new IllegalStateException(ex);
		}
	}

	/**
	 * Ways to send something.
	 */
	enum Request {

		NONE {
			@Override
			void send(CallosumLease lease) {
				lease.outbound();
			}
		},

		OUTBOUND {
			@Override
			void send(CallosumLease lease) {
				lease.outbound().sendString(Flux.just("pi", "ng\r\n")).then().block(TIMEOUT);
			}
		},

		STREAM {
			@Override
			void send(CallosumLease lease) throws IOException {
				lease.outputStream().write("ping\r\n".getBytes(StandardCharsets.US_ASCII));
				// Returns before the event loop writes
				lease.outbound().withConnection((netty) -> netty.channel().eventLoop().submit(() -> {
				}).syncUninterruptibly());
			}
		},

		CHANNEL {
			@Override
			void send(CallosumLease lease) {
				lease.outbound()
					.withConnection((netty) -> netty.channel()
						.writeAndFlush(Unpooled.copiedBuffer("ping\r\n", StandardCharsets.US_ASCII))
						.syncUninterruptibly());
			}
		};

		abstract void send(CallosumLease lease) throws IOException;

	}

}
